"""Have queries changed in meaning? The watch on embeddings, where there is an encoder."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from noria.agent.encoding import Encoder
from noria.monitor.quality import day_of
from noria.monitor.watching.lanes import YEAR_MS
from noria.monitor.watching.placing import HOUR_MS
from noria.monitor.watching.series import Floats
from noria.records import DAY_MS, Finding, Prediction
from noria.stats.detection.vectors import VectorReference, direction_run_length, direction_z, halves
from noria.stats.inception.vectors import locate_vectors

if TYPE_CHECKING:
    from noria.stores import Stores

_STATE, _VECTORS = "monitor.meaning", "monitor.meaning.reference"
_SPANS_HOURS = (24, 72)
# A look every so many hours at most; queries of a reference, of a look and of a search, thinned evenly.
_EVERY_HOURS, _REFERENCE, _LOOK, _SEARCH, _LEAST = 6, 2000, 3000, 8000, 200
_SEARCH_DAYS = 28


@dataclass(frozen=True, slots=True)
class Meaning:
    """When the reference was begun and the last look was, and with which encoder."""

    fingerprint: str
    began_ms: int
    looked_ms: int
    known: bool = False

    @classmethod
    def kept(cls, state: dict[str, Any] | None, encoder: Encoder, now_ms: int) -> Meaning:
        """What was kept, or a beginning where there is none or it was of another encoder."""
        if state is None or state["fingerprint"] != encoder.fingerprint:
            return cls(encoder.fingerprint, now_ms, now_ms)
        return cls(**state)


def look(stores: Stores, encoder: Encoder, *, per_year: float, days: int, until_ms: int) -> list[Finding]:
    """Holds the latest day and the latest three against the first days; remembers in the journal.

    Args:
        stores: where queries are read and the memory is kept.
        encoder: makes vectors of texts.
        per_year: false alarms a year that it may raise, spent by the time between looks.
        days: of the reference.
        until_ms: the present.
    """
    journal, now_ms = stores.journal, until_ms // HOUR_MS * HOUR_MS
    meaning = Meaning.kept(journal.get_state(_STATE), encoder, now_ms)
    since_ms = meaning.began_ms + days * DAY_MS
    found: list[Finding] = []
    if now_ms >= since_ms:
        if not meaning.known:
            rows = _thinned(journal.predictions(meaning.began_ms, since_ms), _REFERENCE)
            if len(rows) < _LEAST:
                meaning = Meaning(meaning.fingerprint, now_ms, now_ms)
            else:
                journal.set_state(_VECTORS, _packed(_vectors(encoder, rows)))
                meaning = Meaning(meaning.fingerprint, meaning.began_ms, since_ms, known=True)
        if meaning.known and now_ms >= meaning.looked_ms + _EVERY_HOURS * HOUR_MS:
            found = _look(stores, encoder, meaning, per_year, since_ms, now_ms)
            began_ms = now_ms if found else meaning.began_ms
            meaning = Meaning(meaning.fingerprint, began_ms, now_ms, known=not found)
    kept = {
        "fingerprint": meaning.fingerprint, "began_ms": meaning.began_ms, "looked_ms": meaning.looked_ms,
        "known": meaning.known,
    }  # fmt: skip
    # The finding first: whoever is killed in between tells it again under the same name.
    journal.add_findings(found)
    journal.set_state(_STATE, kept)
    return found


def _look(
    stores: Stores, encoder: Encoder, meaning: Meaning, per_year: float, since_ms: int, now_ms: int
) -> list[Finding]:
    reference = halves(_unpacked(stores.journal.get_state(_VECTORS) or {}))
    rows = _thinned(stores.journal.predictions(max(since_ms, now_ms - _SPANS_HOURS[-1] * HOUR_MS), now_ms), _LOOK)
    if not rows:
        return []
    vectors, asked_ms = _vectors(encoder, rows), np.array([p.query.time_ms for p in rows])
    z = max(direction_z(vectors[asked_ms >= now_ms - span * HOUR_MS], reference) for span in _SPANS_HOURS)
    spent = per_year * (now_ms - meaning.looked_ms) / YEAR_MS
    if direction_run_length(z, len(_SPANS_HOURS)) * spent < 1:
        return []
    return [_placed(stores, encoder, reference, per_year, max(since_ms, now_ms - _SEARCH_DAYS * DAY_MS), now_ms)]


def _placed(
    stores: Stores, encoder: Encoder, reference: VectorReference, per_year: float, since_ms: int, now_ms: int
) -> Finding:
    rows = _thinned(stores.journal.predictions(since_ms, now_ms), _SEARCH)
    first = since_ms // HOUR_MS
    hour = np.array([p.query.time_ms // HOUR_MS - first for p in rows], dtype=np.int64)
    place = locate_vectors(_vectors(encoder, rows), hour, reference)
    index, low, high = (place.index, place.low, place.high) if place else (int(hour[-1]), 0, int(hour[-1]))
    starts = [(first + i) * HOUR_MS for i in (index, low, high)]
    before, after = (place.before, place.after) if place else (0.0, 0.0)
    sentence = (
        f"Queries of a new kind: {100 * after:.1f} % look like it, {100 * before:.1f} % did before; it began about "
        f"{day_of(starts[0])} (between {day_of(starts[1])} and {day_of(starts[2])}, 95 %). No label says yet whether "
        f"quality fell: a reason to look. This watch may raise {per_year:.2g} false alarms a year."
    )
    return Finding(
        finding_id=f"meaning-{now_ms}", metric="meaning", raised_ms=now_ms, inception_ms=starts[0],
        inception_low_ms=starts[1], inception_high_ms=starts[2], before=before, after=after, sentence=sentence,
        stream="embeddings", shape=place.shape if place else "either", ramp_ms=place.ramp * HOUR_MS if place else 0,
        located_ms=now_ms, provisional=False, per_year=per_year,
    )  # fmt: skip


def _thinned(rows: Sequence[Prediction], most: int) -> list[Prediction]:
    """Every so-manieth, in order of time."""
    return list(rows[:: max(1, -(-len(rows) // most))])


def _vectors(encoder: Encoder, rows: Sequence[Prediction]) -> Floats:
    out: Floats = encoder.encode([p.query.text for p in rows], "query")[:, : encoder.sentence_dim].astype(np.float64)
    return out


def _packed(vectors: Floats) -> dict[str, Any]:
    half = vectors.astype(np.float16)
    return {"shape": list(half.shape), "float16": base64.b64encode(half.tobytes()).decode("ascii")}


def _unpacked(state: dict[str, Any]) -> Floats:
    flat = np.frombuffer(base64.b64decode(state["float16"]), dtype=np.float16)
    return flat.reshape(state["shape"]).astype(np.float64)
