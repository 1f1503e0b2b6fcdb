"""Production metrics of any window, account or slice, from few labels drawn with known chances."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noria.monitor import QualityPolicy, window
from noria.monitor.production import Production, deflection, production
from noria.monitor.quality import rates
from noria.records import (
    Answer,
    Decision,
    Feedback,
    FeedbackKind,
    Judged,
    LabelTask,
    Prediction,
    Query,
    Relevance,
    Settled,
)
from noria.stats.design import chances, floor_of, uncertainty, write_design
from noria.stores import Stores

DAY_MS = 86_400_000


def asked(
    number: int, *, intent: str = "vpn", decision: Decision = "answer", session: str = "", account: str = "acme",
    confidence: float = 0.9,
) -> Prediction:  # fmt: skip
    query = Query(f"q{number}", account, session, "text", number)
    return Prediction(f"p{number}", query, Answer(decision, intent, confidence, 2.0, True), "r1", 1.0)


def said(
    p: Prediction, relevance: Relevance = "in_scope", intent: str | None = "vpn", *, chance: float = 0.1,
    helpful: bool | None = None, design: str = "uniform-1",
) -> Judged:  # fmt: skip
    number, a = p.prediction_id[1:], p.answer
    task = LabelTask(
        f"t{number}", p.prediction_id, p.query.account, "text", a.intent, a.decision, (), "r1", p.query.time_ms, "s",
        chance, 1, design, ("vpn",), 0,
    )  # fmt: skip
    return Judged(
        task,
        Settled(task.task_id, p.prediction_id, "settled", relevance, intent, (), helpful, ("l",), ("a",), 1.0, None, 0),
    )


def made_up(seed: int, n: int = 4000, labels: int = 400) -> tuple[list[Prediction], list[Judged], float]:
    """Traffic of two accounts whose truth is known, labelled by the design; and its true success."""
    rng = np.random.default_rng(seed)
    ease = 2 + 1.5 * rng.standard_normal(n)
    inside = rng.random(n) < 0.9
    right = inside & (rng.random(n) < 1 / (1 + np.exp(-ease)))
    confidence = 1 / (1 + np.exp(-0.9 * ease))
    rows = [
        asked(i, confidence=float(confidence[i]), decision="answer" if confidence[i] > 0.4 else "handoff",
              account="acme" if i % 4 else "umbra")
        for i in range(n)
    ]  # fmt: skip
    pi = chances(uncertainty(confidence), labels)
    design = write_design("active-1", floor_of(labels, n))
    judged = [
        said(rows[i], "in_scope" if inside[i] else "new_domain", "vpn" if right[i] else "wifi", chance=float(pi[i]),
             helpful=bool(right[i]), design=design)
        for i in np.flatnonzero(rng.random(n) < pi).tolist()
    ]  # fmt: skip
    return rows, judged, float((right & (confidence > 0.4)).sum() / inside.sum())


def test_the_difference_estimator_is_nearer_the_truth_than_labels_alone() -> None:
    """Eight weeks: every interval but one at most holds the truth, errors shrink, labels are worth more."""
    errors: dict[str, list[float]] = {"difference": [], "weighted": []}
    held = 0
    for seed in range(8):
        rows, judged, truth = made_up(seed)
        for policy in (QualityPolicy(), QualityPolicy(min_for_guesses=10**9)):
            success = production(rows, judged, [], policy).metrics["success"]
            errors[success.method].append(success.value - truth)
            held += success.method == "difference" and success.low <= truth <= success.high
            if success.method == "difference":
                assert success.n_effective > 1.2 * success.labels
    assert held >= 7
    assert np.std(errors["difference"]) < np.std(errors["weighted"])
    assert abs(np.mean(errors["difference"])) < 0.02


def test_explored_labels_and_foreign_ones_change_nothing() -> None:
    """A pile of wrong answers that were picked, or asked in another window, leaves every figure as it was."""
    rows, judged, _ = made_up(1)
    labelled = {j.task.prediction_id for j in judged}
    bad = [said(p, intent="wifi") for p in rows if p.prediction_id not in labelled][:300]
    picked = [replace(j, task=replace(j.task, purpose="explore")) for j in bad]
    elsewhere = [said(asked(10**6 + i), intent="wifi") for i in range(300)]
    assert production(rows, [*judged, *picked, *elsewhere], [], QualityPolicy()) == production(
        rows, judged, [], QualityPolicy()
    )


def test_a_slice_has_its_own_figures() -> None:
    """Two accounts add up to all, each with a wider interval than the whole."""
    rows, judged, _ = made_up(2)
    whole = production(rows, judged, [], QualityPolicy())
    parts = [
        production(rows, judged, [], QualityPolicy(), within=lambda p, a=account: p.query.account == a)  # type: ignore[misc]
        for account in ("acme", "umbra")
    ]
    assert sum(p.predictions for p in parts) == whole.predictions == 4000
    assert sum(p.labels for p in parts) == whole.labels
    new = [p.metrics["new_domain"].value * p.predictions for p in parts]
    assert sum(new) / 4000 == pytest.approx(whole.metrics["new_domain"].value, abs=0.01)
    widths = [p.metrics["success"].high - p.metrics["success"].low for p in [whole, *parts]]
    assert widths[0] < widths[1] < widths[2]


def test_labels_alone_are_counted_as_the_glossary_says() -> None:
    """Everything labelled: every metric is the plain share that `rates` counts."""
    rng = np.random.default_rng(6)
    decisions: list[Decision] = ["answer", "clarify", "handoff"]
    relevances: list[Relevance] = ["in_scope", "in_scope", "new_domain", "irrelevant", "small_talk"]
    rows = [asked(i, decision=decisions[rng.integers(3)]) for i in range(90)]
    judged = [
        said(p, relevances[rng.integers(5)], ["vpn", "wifi"][rng.integers(2)], chance=1.0,
             helpful=[True, False, None][rng.integers(3)])
        for p in rows
    ]  # fmt: skip
    found = production(rows, judged, [], QualityPolicy()).metrics
    counted = {name: (k / n, n) for name, (k, n) in rates(judged).items()}
    assert {name: (pytest.approx(m.value), m.labels) for name, m in found.items()} == counted
    assert {m.method for m in found.values()} == {"weighted"}


def test_too_few_labels_are_said_to_be_too_few() -> None:
    """An interval wider than asked is no figure; a wish for less makes it one."""
    rows = [asked(i) for i in range(100)]
    judged = [said(p, intent="vpn" if i else "wifi") for i, p in enumerate(rows[:12])]
    success = production(rows, judged, [], QualityPolicy(widest=0.2)).metrics["success"]
    assert not success.enough
    assert success.sentence.startswith("not enough labels (12; somewhere from ")
    assert (
        production(rows, judged, [], QualityPolicy(widest=0.5)).metrics["success"].sentence
        == "91.7 % (64.6 to 98.5), 12 labels"
    )


def test_nothing_asked_and_nothing_labelled_are_normal() -> None:
    """No predictions, no labels, an empty slice: no value, no failure."""
    rows = [asked(i) for i in range(5)]
    whole, judged, _ = made_up(3)
    empty: list[Production] = [
        production([], [], [], QualityPolicy()),
        production(rows, [], [], QualityPolicy()),
        production(whole, judged, [], QualityPolicy(), within=lambda _: False),
    ]
    for result in empty:
        assert {m.enough for m in result.metrics.values()} == {False}
        assert {m.labels for m in result.metrics.values()} == {0}
    assert math.isnan(empty[0].deflection.potential)


def event(number: int, of: int, kind: FeedbackKind) -> Feedback:
    return Feedback(f"e{number}", f"p{of}", kind, 10**6 + number)


def test_what_users_say_stands_beside_how_few_of_them_say_it() -> None:
    """Three helpful of four, from four of ten answers; the last word of a user counts."""
    rows = [asked(i) for i in range(10)] + [asked(10, decision="handoff")]
    events = [event(0, 0, "not_helpful"), event(1, 0, "helpful"), event(2, 1, "helpful"), event(3, 2, "helpful"),
              event(4, 3, "not_helpful"), event(5, 4, "article_opened")]  # fmt: skip
    result = production(rows, [], events, QualityPolicy())
    assert (result.users.k, result.users.n) == (3, 4)
    assert (result.response.k, result.response.n) == (4, 10)


def test_deflection_is_a_band_from_confirmed_to_potential() -> None:
    """Counted by hand on seven sessions."""
    rows = [
        asked(0, session="said it helped"),
        asked(1, session="nothing against it"),
        asked(2, session="a ticket after all"),
        asked(3, session="a person"), asked(4, session="a person", decision="handoff"),
        asked(5, session="asked again"), asked(6, session="asked again"),
        asked(7, session="rephrased"),
        asked(8, session="two questions"), asked(9, session="two questions", intent="wifi"),
    ]  # fmt: skip
    events = [event(0, 0, "helpful"), event(1, 2, "ticket_created"), event(2, 7, "rephrased"), event(3, 9, "helpful")]
    band = deflection(rows, events)
    assert (band.sessions, band.revoked) == (7, 2)
    assert band.confirmed == pytest.approx(2 / 7)
    assert band.potential == pytest.approx(3 / 7)


def test_a_window_of_the_journal_is_one_call(tmp_path: Path) -> None:
    """Predictions, labels and feedback of the window and account only."""
    stores = Stores(
        lake=tmp_path / "lake", blobs=tmp_path / "blobs", journal=f"sqlite:///{tmp_path / 'journal.db'}",
        tracker=f"sqlite:///{tmp_path / 'tracker.db'}", artifacts=tmp_path / "artifacts",
    )  # fmt: skip
    stores.journal.add_predictions([asked(i, account="acme" if i % 2 else "umbra") for i in range(20)])
    stores.journal.add_feedback([event(0, 1, "helpful"), event(1, 2, "helpful"), event(2, 15, "helpful")])
    result = window(stores, QualityPolicy(), since_ms=0, until_ms=10, account="acme")
    assert (result.predictions, result.users.k, result.labels) == (5, 1, 0)
