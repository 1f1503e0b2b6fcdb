"""Predictions and labels made up for tests of the update room."""

from __future__ import annotations

from noria.records import Answer, Judged, LabelTask, Prediction, Query, Settled

DAY_MS = 86_400_000


def prediction(number: int, text: str, time_ms: int, *, in_scope: bool = False, account: str = "acme") -> Prediction:
    answer = Answer("answer" if in_scope else "handoff", "vpn", 0.9, 0.9 if in_scope else 0.1, in_scope)
    return Prediction(f"p{number}", Query(f"q{number}", account, "s", text, time_ms), answer, "r1", 1.0)


def judged(
    number: int,
    *,
    relevance: str = "in_scope",
    intent: str | None = "vpn",
    predicted: str = "vpn",
    decision: str = "answer",
    article_ids: tuple[str, ...] = (),
    shown: tuple[str, ...] = ("kb-1",),
    helpful: bool | None = None,
    time_ms: int = 0,
    chance: float = 1.0,
    release: str = "r1",
    text: str = "vpn down",
) -> Judged:
    task = LabelTask(
        f"t{number}", f"p{number}", "acme", text, predicted, decision, shown, release, time_ms, "s", chance, 1, "d",
        ("vpn", "printer"), time_ms,
    )  # fmt: skip
    settled = Settled(
        task.task_id, task.prediction_id, "settled", relevance, intent, article_ids, helpful, (f"l{number}",), ("ann",),
        1.0, None, time_ms,
    )  # fmt: skip
    return Judged(task, settled)
