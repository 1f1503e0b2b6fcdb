"""Says why queries failed: by label, by day, and by finding, with how sure that is; when unsure it asks for labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from noria.records import NO_ARTICLE, Cause, Finding, Judged, Triage
from noria.stats import tango_lower

_DRAWS = 4000
_KINDS: tuple[Cause, ...] = ("in_scope", "new_domain", "knowledge_gap", "irrelevant")
_ACTIONS: Mapping[Cause, str] = {
    "in_scope": "the corrected labels go into the next training set",
    "new_domain": "look at the topics and accept, merge or dismiss them",
    "knowledge_gap": "write the article, or bring it up to date",
    "irrelevant": "the labels go into the training of the scope; a wave from one source should be filtered there",
    "fault": "roll the release back",
    "unsure": "label more of the queries since the change",
}
_WORDS: Mapping[Cause, str] = {
    "in_scope": "known intents asked in other words, or confused",
    "new_domain": "requests outside the scope",
    "knowledge_gap": "right intents without a right article",
    "irrelevant": "queries that are no support request",
    "fault": "a release that does worse on the same queries",
    "unsure": "no one cause",
}


@dataclass(frozen=True, slots=True)
class TriagePolicy:
    """What sure is.

    `triage_sure`: probability from which a cause is named instead of asking for labels. `triage_seed`: of its
    simulation. `triage_level`: one-sided, of the test against the release before.
    """

    triage_sure: float = 0.8
    triage_seed: int = 1
    triage_level: float = 0.95


@dataclass(frozen=True, slots=True)
class Retried:
    """How the release before answers the labelled queries since a change.

    Of n pairs, b: only the old one is right, c: only the new one.
    """

    release: str
    before: str
    b: int
    c: int
    n: int


def cause_of(judged: Judged) -> Cause | None:
    """Why one labelled query failed; None where it did not.

    A query of small talk or outside the scope that was not answered has not failed.
    """
    task, label = judged.task, judged.label
    if label.relevance == "new_domain":
        return "new_domain"
    if label.relevance in ("irrelevant", "small_talk"):
        return "irrelevant" if task.decision == "answer" and label.relevance == "irrelevant" else None
    if judged.right and label.helpful is not False and NO_ARTICLE not in label.article_ids:
        return None
    if label.intent != task.predicted_intent or task.decision != "answer":
        return "in_scope"
    return "knowledge_gap"


def of_labels(judged: Sequence[Judged]) -> dict[Cause, int]:
    """How many labelled queries failed for each cause, the most frequent first; causes of none left out."""
    counts = Counter(cause for item in judged if (cause := cause_of(item)) is not None)
    return dict(sorted(counts.items(), key=lambda c: (-c[1], c[0])))


def of_finding(
    finding: Finding, judged: Sequence[Judged], policy: TriagePolicy, retried: Retried | None = None
) -> Triage:
    """The cause of a finding: the failures that rose most after its inception, against those before.

    Every labelled query weighs one over its chance to be drawn. The probability that a cause rose most is simulated
    from Dirichlet posteriors (Jeffreys prior) with the effective number of labels on each side, with a fixed seed.

    Args:
        finding: the alarm with its inception.
        judged: labels, of before and after.
        policy: how sure is sure.
        retried: the release before, on the same queries, where a release went live within the inception.
    """
    if retried is not None and retried.n:
        # how far the release before does better on the very same queries
        lost = tango_lower(retried.c, retried.b, retried.n, policy.triage_level)
        if lost > 0:
            points = 100 * (retried.b - retried.c) / retried.n
            said = (
                f"{retried.before} answers {points:.1f} points more of {retried.n} labelled queries rightly than "
                f"{retried.release}, which went live when the change began."
            )
            return Triage(finding.finding_id, "fault", policy.triage_level, said, _ACTIONS["fault"])
    before = [j for j in judged if j.task.query_time_ms < finding.inception_low_ms]
    after = [j for j in judged if finding.inception_ms <= j.task.query_time_ms]
    old, n_old = _shares(before)
    new, n_new = _shares(after)
    rise = {cause: new[cause] - old[cause] for cause in _KINDS}
    if min(n_old, n_new) < 1:
        return _unsure(finding, rise, 0.0, 20)
    rng = np.random.Generator(np.random.PCG64(policy.triage_seed))
    rises = _posterior(new, n_new, rng) - _posterior(old, n_old, rng)
    highest = np.bincount(np.argmax(rises, axis=1), minlength=len(_KINDS)) / _DRAWS
    place = int(np.argmax(highest))
    cause, confidence = _KINDS[place], float(highest[place])
    if confidence < policy.triage_sure or rise[cause] <= 0:
        return _unsure(finding, rise, confidence, _lacking(rise, new, n_new))
    total = sum(rise.values())
    part = f" of {100 * total:.0f}" if total > 0 else ""
    said = (
        f"{_WORDS[cause][0].upper()}{_WORDS[cause][1:]} make {100 * rise[cause]:.0f}{part} points of the failures that "
        f"came with the change ({len(after)} labels since it, {len(before)} before)."
    )
    return Triage(finding.finding_id, cause, round(confidence, 3), said, _ACTIONS[cause], _plain(rise))


def _shares(judged: Sequence[Judged]) -> tuple[dict[Cause, float], float]:
    """Share of each cause among queries, and the effective number of labels."""
    weights = np.array([1 / item.task.inclusion_probability for item in judged])
    causes = [cause_of(item) for item in judged]
    total = weights.sum()
    if total == 0:
        return dict.fromkeys(_KINDS, 0.0), 0.0
    shares = {kind: float(weights[[c == kind for c in causes]].sum() / total) for kind in _KINDS}
    return shares, float(total**2 / (weights**2).sum())


def _posterior(shares: Mapping[Cause, float], n: float, rng: np.random.Generator) -> np.ndarray[tuple[int, int]]:
    """(draws, causes): shares that may be, given what was seen of n labels."""
    seen = [shares[kind] * n for kind in _KINDS]
    seen.append(max(0.0, n - sum(seen)))
    drawn: np.ndarray[tuple[int, int]] = rng.dirichlet(np.array(seen) + 0.5, _DRAWS)
    return drawn[:, :-1]


def _lacking(rise: Mapping[Cause, float], new: Mapping[Cause, float], n: float) -> int:
    """About how many more labels tell the two that rose most apart (two standard errors)."""
    first, second = sorted(rise.values(), reverse=True)[:2]
    spread = sum(sorted((s * (1 - s) for s in new.values()), reverse=True)[:2])
    apart = max(first - second, 0.05)
    return max(20, math.ceil(4 * max(spread, 0.1) / apart**2 - n))


def _unsure(finding: Finding, rise: Mapping[Cause, float], confidence: float, lacking: int) -> Triage:
    said = f"The labels do not tell the cause yet: about {lacking} more of the queries since the change would."
    return Triage(finding.finding_id, "unsure", round(confidence, 3), said, _ACTIONS["unsure"], _plain(rise), lacking)


def _plain(rise: Mapping[Cause, float]) -> dict[str, float]:
    return {str(cause): round(value, 4) for cause, value in rise.items()}
