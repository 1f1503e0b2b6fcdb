"""The watch after the alarm: windows up to date, findings explained, people told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from noria.monitor.explain import Around, explain
from noria.monitor.windows.keeping import Embed, update_windows
from noria.records import DAY_MS, Receipt
from noria.records.findings import Happening
from noria.update.topics import known_topics

if TYPE_CHECKING:
    from noria.loop.house import House
    from noria.stores import Stores

_DATA = ("examples", "articles")
_LATELY_MS = 28 * DAY_MS


def sentence_vectors(house: House) -> Embed | None:
    """What makes vectors of texts for the windows; None where there is no encoder."""
    if not house.policy.windows.embed_an_hour:
        return None
    encoder, _ = house.topic_encoder()
    if encoder is None:
        return None
    return lambda texts: encoder.encode(list(texts), "query")[:, : encoder.sentence_dim].astype(np.float64)


def watch(house: House, *, now_ms: int) -> Receipt:
    """Brings windows and explanations up to date; a finding is explained anew while labels of its time still come."""
    stores = house.stores
    windows = update_windows(stores, house.policy.windows, time_ms=now_ms, embed=sentence_vectors(house))
    known = stores.journal.watching.explanations()
    due = [
        f for f in stores.journal.findings() if f.finding_id not in known or f.raised_ms >= now_ms - _LATELY_MS
    ]  # fmt: skip
    around = around_now(stores) if due else Around()
    stores.journal.watching.explain([explain(stores, f, around, house.policy.explain, now_ms=now_ms) for f in due])
    return Receipt("monitor.watch", {**windows.counts, "explained": len(due)})


def around_now(stores: Stores) -> Around:
    """What happened so far, from the ledger, the lake and the topics."""
    topics = known_topics(stores)
    happened = [
        Happening(
            e.time_ms, "release" if e.kind == "release" else "rollback", str(e.release),
            f"Release {e.release} went live" if e.kind == "release" else f"Release {e.release} was put back",
        )
        for e in stores.journal.ledger()
        if e.kind in ("release", "rollback")
    ]  # fmt: skip
    # a basket only judges: nothing is answered from it
    named = [(kind, name) for kind in _DATA for name in stores.lake.names(kind) if not name.endswith("-basket")]
    happened += [h for kind, name in named for h in _loads(stores, kind, name)]
    happened += [
        Happening(t.first_seen_ms, "topic", t.topic_id, f"The topic “{t.title}” was asked for the first time")
        for t in topics
    ]
    return Around(happened, {member: t.title for t in topics for member in t.members})


def _loads(stores: Stores, kind: str, name: str) -> list[Happening]:
    """Versions of a table of the lake as things that happened."""
    what = "articles" if kind == "articles" else "data"
    return [
        Happening(
            int(str(made["time_ms"])), "articles" if kind == "articles" else "data", f"{name}@{made['version']}",
            f"Version {made['version']} of the {what} {name} was written ({made['rows']} rows)",
        )
        for made in stores.lake.history(kind, name)
    ]  # fmt: skip
