"""A prediction as the task that people are asked."""

from __future__ import annotations

from collections.abc import Sequence

from noria.records import LabelTask, Prediction, version_of_scope


def task_on(
    p: Prediction,
    task_id: str,
    *,
    stratum: str,
    chance: float,
    seed: int,
    design: str,
    scope: Sequence[str],
    time_ms: int,
) -> LabelTask:
    """The task as its prediction and its draw make it; whoever draws says what else is special about it.

    Args:
        p: what is asked about.
        task_id: its name.
        stratum: of the draw.
        chance: with which it was drawn, above 0 to 1.
        seed: of the draw.
        design: of the draw.
        scope: the intents that a labeller may choose.
        time_ms: when.
    """
    return LabelTask(
        task_id=task_id,
        prediction_id=p.prediction_id,
        account=p.query.account,
        text=p.query.text,
        predicted_intent=p.answer.intent,
        decision=p.answer.decision,
        article_ids=tuple(a.article_id for a in p.answer.articles),
        release=p.release,
        query_time_ms=p.query.time_ms,
        stratum=stratum,
        inclusion_probability=chance,
        seed=seed,
        design=design,
        scope=tuple(scope),
        created_ms=time_ms,
        confidence=p.answer.intent_confidence,
        scope_score=p.answer.scope_score,
        scope_version=version_of_scope(scope),
    )
