"""What the journal knows of a challenger, as the evidence that decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noria.records import SMALL_TALK, Judged
from noria.records.serving.staging import Challenger, ShadowAnswer
from noria.release.staging.deciding import Evidence
from noria.stats.design import read_floor

if TYPE_CHECKING:
    from noria.stores import Stores

HOUR_MS = 3_600_000


def gather(stores: Stores, challenger: Challenger, now_ms: int) -> Evidence:
    """The evidence of a challenger until now.

    Labels are those of the tasks that were drawn for estimates; the challenger was trained before the first of these
    queries was asked, so none of them taught it.
    """
    door = stores.journal.staging
    champion = stores.journal.release(challenger.against).candidate.tag
    failed = door.failures(challenger, champion, now_ms)
    took = door.latencies(challenger, champion, now_ms)
    thumbs = door.thumbs(challenger, now_ms)
    pairs = _pairs(stores, challenger, champion, now_ms)
    return Evidence(
        hours=(now_ms - challenger.since_ms) / HOUR_MS,
        answers=failed.both if challenger.mode == "shadow" else len(took.challenger_ms),
        both=failed.both,
        failed_alone=failed.only_challenger,
        champion_failed_alone=failed.only_champion,
        challenger_ms=took.challenger_ms,
        champion_ms=took.champion_ms,
        thumbs=(thumbs.challenger, thumbs.challenger_up, thumbs.champion, thumbs.champion_up),
        x=[x for _, x, _ in pairs],
        weight=[weight for _, _, weight in pairs],
        pair_ids=[name for name, _, _ in pairs],
    )


def served(judged: Judged, decision: str | None, intent: str) -> bool:
    """Whether an answer served a labelled query (see `records.did_right`, here by the label); a failure did not.

    On a request outside the scope both may be right: who does not answer, and who has learnt its intent since.
    """
    label = judged.label
    if decision is None:
        return False
    if label.relevance == "small_talk":
        return intent == SMALL_TALK
    if label.relevance != "in_scope" and decision != "answer":
        return True
    return label.relevance != "irrelevant" and decision == "answer" and intent == label.intent


def _pairs(stores: Stores, challenger: Challenger, champion: str, now_ms: int) -> list[tuple[str, int, float]]:
    """(prediction id, challenger - champion, weight) of each labelled query that both answered, by query time."""
    drawn = [j for j in stores.journal.judged(challenger.began_ms, now_ms) if j.task.purpose == "estimate"]
    beside = stores.journal.staging.answers([j.task.prediction_id for j in drawn])
    pairs = []
    for judged in drawn:
        task = judged.task
        canary = task.release == challenger.challenger_id
        if not canary and task.release != challenger.against:
            continue
        other = _of(beside.get(task.prediction_id, []), champion if canary else challenger.candidate.tag)
        if other is None:
            continue
        shown = served(judged, task.decision, task.predicted_intent)
        shadow = served(judged, other.decision, other.intent)
        own, live = (shown, shadow) if canary else (shadow, shown)
        chance = task.inclusion_probability
        weight = min(1.0, (read_floor(task.design) or chance) / chance)
        pairs.append((task.prediction_id, int(own) - int(live), weight))
    return pairs


def _of(answers: list[ShadowAnswer], tag: str) -> ShadowAnswer | None:
    return next((answer for answer in answers if answer.tag == tag), None)
