"""What quality to expect before labels come: calibrated confidence, an estimate and never a truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from noria.records import DAY_MS, Judged, Prediction
from noria.stats import Estimate, hajek
from noria.stats.detection.expected import Expected, calibrate

_FIT_DAYS = 90
_LEAST = 100


@dataclass(frozen=True, slots=True)
class Expectation:
    """The share of right answers among answers of a window. expected: from confidence; labelled: what labels say.

    calibrated_on: labels of the time before. gap: labelled less expected where their intervals are apart, else 0: what
    is right at a confidence has changed, as a new wording or a stale article does it.
    """

    expected: Expected
    labelled: Estimate
    calibrated_on: int
    gap: float

    @property
    def sentence(self) -> str:
        e, lab = self.expected, self.labelled
        said = (
            f"expected from confidence: {100 * e.value:.1f} % of answers right ({100 * e.low:.1f} to "
            f"{100 * e.high:.1f}), an estimate that assumes that what is right at a confidence has not changed"
        )
        if self.gap:
            return f"{said}; labels say {100 * lab.value:.1f} % ({100 * lab.low:.1f} to {100 * lab.high:.1f}): it has"
        return said


def expected_quality(
    predictions: Sequence[Prediction], judged: Sequence[Judged], *, since_ms: int, until_ms: int, level: float = 0.95
) -> Expectation | None:
    """What to expect of since_ms <= time < until_ms by the labels before it; None where those are fewer than 100.

    Args:
        predictions: of the window, of all traffic or of any slice of it.
        judged: labels, of the window and of the 90 days before it.
        since_ms: beginning of the window.
        until_ms: its end.
        level: of the intervals.
    """
    drawn = [j for j in judged if j.answered and j.task.purpose == "estimate" and j.label.relevance != "small_talk"]
    past = [j for j in drawn if since_ms - _FIT_DAYS * DAY_MS <= j.task.query_time_ms < since_ms]
    asked = [p.answer.intent_confidence for p in predictions if p.answer.decision == "answer"]
    if len(past) < _LEAST or not asked:
        return None
    ids = {p.prediction_id for p in predictions}
    now = [j for j in drawn if since_ms <= j.task.query_time_ms < until_ms and j.task.prediction_id in ids]
    fit = calibrate(
        [j.task.confidence for j in past], [float(j.right) for j in past],
        [1 / j.task.inclusion_probability for j in past],
    )  # fmt: skip
    expected = fit.expect(asked, level)
    labelled = hajek(
        np.array([float(j.right) for j in now]), np.array([j.task.inclusion_probability for j in now]), level
    )
    apart = len(now) > 0 and (labelled.low > expected.high or labelled.high < expected.low)
    return Expectation(expected, labelled, len(past), labelled.value - expected.value if apart else 0.0)
