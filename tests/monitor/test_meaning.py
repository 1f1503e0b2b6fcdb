"""The watch on embeddings finds a new kind of query; expected quality is an estimate that labels can contradict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.house import open_stores
from tests.monitor.test_monitor import judged

from noria.monitor import AlarmPolicy, check
from noria.monitor.watching.expectation import expected_quality
from noria.records import DAY_MS, Answer, Finding, Prediction, Query
from noria.stores import Stores

START, CHANGE, A_DAY, DIM = 4 * DAY_MS, 18, 150, 24


class Words:
    """An encoder of texts "topic seed": a topic's centre and noise of the seed."""

    spec, fingerprint, dim, sentence_dim = "words", "f1", DIM, DIM

    def encode(self, texts: Sequence[str], kind: str) -> np.ndarray:
        del kind
        rows = [
            np.eye(DIM)[int(t)] + 0.3 * np.random.default_rng(int(s)).normal(size=DIM) for t, s in map(str.split, texts)
        ]
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    stores = open_stores(tmp_path)
    yield stores
    stores.close()


def fill(stores: Stores, days: int, share: float) -> None:
    rng = np.random.default_rng(7)
    rows = []
    for n in range(days * A_DAY):
        day = n // A_DAY
        topic = 20 if day >= CHANGE and rng.random() < share else rng.integers(10)
        query = Query(f"q{n}", "acme", "s", f"{topic} {n}", START + day * DAY_MS + n % A_DAY * 570_000)
        rows.append(Prediction(f"p{n}", query, Answer("answer", "vpn", 0.9, 1.0, in_scope=True), "r1", 1.0))
    stores.journal.add_predictions(rows)


def turns(stores: Stores, days: int) -> list[Finding]:
    policy = AlarmPolicy()
    found = []
    for day in range(days + 1):
        found += check(stores, policy, until_ms=START + day * DAY_MS, encoder=Words())[0]
    return [f for f in found if f.stream == "embeddings"]


def test_a_new_kind_of_query_is_told_with_its_beginning(stores: Stores) -> None:
    """A fifth of queries is of a topic never seen: within four days, placed within half a day."""
    fill(stores, 24, 0.2)
    [found] = turns(stores, 24)
    at = START + CHANGE * DAY_MS
    assert at < found.raised_ms <= at + 4 * DAY_MS
    assert found.inception_low_ms <= at + DAY_MS // 2
    assert abs(found.inception_ms - at) <= DAY_MS // 2
    assert found.after > 0.05 > found.before
    assert found in stores.journal.findings()


def test_without_a_new_kind_nothing_is_told(stores: Stores) -> None:
    fill(stores, 24, 0.0)
    assert turns(stores, 24) == []


def labelled(rng: np.random.Generator, n: int, start: int, right_of: float, day: int) -> list:  # type: ignore[type-arg]
    rows = []
    for i in range(n):
        confidence = float(rng.beta(5, 2))
        j = judged(start + i, day * DAY_MS + i, intent="vpn" if rng.random() < right_of * confidence else "wifi")
        rows.append(replace(j, task=replace(j.task, confidence=confidence)))
    return rows


def asked(rows: list) -> list[Prediction]:  # type: ignore[type-arg]
    return [
        Prediction(
            j.task.prediction_id,
            Query(j.task.task_id, "acme", "s", "x", j.task.query_time_ms),
            Answer("answer", "vpn", j.task.confidence, 1.0, in_scope=True),
            "r1",
            1.0,
        )
        for j in rows
    ]


def test_expected_quality_is_told_before_labels_and_contradicted_by_them() -> None:
    """Right in 0.9 × confidence: so expected; where labels say half of it, the gap tells that something changed."""
    rng = np.random.default_rng(1)
    before = labelled(rng, 1500, 0, 0.9, 10)
    quiet, worse = labelled(rng, 800, 5000, 0.9, 20), labelled(rng, 800, 5000, 0.5, 20)
    window = {"since_ms": 20 * DAY_MS, "until_ms": 21 * DAY_MS}
    blind = expected_quality(asked(quiet), before, **window)
    assert blind is not None
    assert blind.expected.value == pytest.approx(0.9 * 5 / 7, abs=0.05)
    assert blind.gap == 0
    assert "an estimate" in blind.sentence
    told = expected_quality(asked(worse), [*before, *worse], **window)
    assert told is not None
    assert told.gap < -0.2
    assert "labels say" in told.sentence
    assert expected_quality(asked(quiet), [*before, *quiet], **window).gap == 0  # type: ignore[union-attr]
    assert expected_quality(asked(quiet), before[:50], **window) is None
