"""The watch after the alarm: windows up to date, findings explained, people told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from noria.monitor.windows.keeping import Embed, update_windows
from noria.records import Receipt

if TYPE_CHECKING:
    from noria.loop.house import House


def sentence_vectors(house: House) -> Embed | None:
    """What makes vectors of texts for the windows; None where there is no encoder."""
    if not house.policy.windows.embed_an_hour:
        return None
    encoder, _ = house.topic_encoder()
    if encoder is None:
        return None
    return lambda texts: encoder.encode(list(texts), "query")[:, : encoder.sentence_dim].astype(np.float64)


def watch(house: House, *, now_ms: int) -> Receipt:
    """Brings the windows up to date."""
    return update_windows(house.stores, house.policy.windows, time_ms=now_ms, embed=sentence_vectors(house))
