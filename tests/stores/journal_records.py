"""Records with sensible content, to be varied by tests of the journal."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass

from noria.records import (
    Answer,
    Candidate,
    DataVersion,
    Feedback,
    Label,
    LabelTask,
    Prediction,
    Query,
    Ranked,
)

DAY_MS = 86_400_000
NOON_MS = 1_767_268_800_000  # 2026-01-01 12:00 UTC


def prediction(name="p1", *, time_ms=NOON_MS, account="acme", text="vpn is down", **answer):
    fields = {
        "decision": "answer",
        "intent": "vpn_not_connecting",
        "intent_confidence": 0.93,
        "scope_score": 1.75,
        "in_scope": True,
        "articles": (Ranked("kb1", 0.9), Ranked("kb2", 1 / 3)),
        "choices": ("vpn_not_connecting", "vpn_slow"),
        "scores": {"dense": 0.1, "sparse": 2.0},
        "thresholds": {"scope": 0.2},
    }
    query = Query(f"q-{name}", account, "s1", text, time_ms, "chat", "en")
    return Prediction(name, query, Answer(**{**fields, **answer}), "r0001", 3.25, ("reranker",))


def event(name="e1", prediction_id="p1", *, kind="helpful", time_ms=NOON_MS, value=""):
    return Feedback(name, prediction_id, kind, time_ms, value)


def task(name="t1", prediction_id="p1", **fields):
    usual = {
        "account": "acme",
        "text": "vpn is down",
        "predicted_intent": "vpn_not_connecting",
        "decision": "answer",
        "article_ids": ("kb1", "kb2"),
        "release": "r0001",
        "query_time_ms": NOON_MS,
        "stratum": "uniform-1/1",
        "inclusion_probability": 1 / 3,
        "seed": 2**70 + 1,
        "design": "uniform-1",
        "scope": ("vpn_not_connecting", "vpn_slow", "reset_password"),
        "created_ms": NOON_MS + 1000,
    }
    return LabelTask(name, prediction_id, **{**usual, **fields})


def label(name="l1", task_id="t1", prediction_id="p1", **fields):
    usual = {
        "annotator": "ann",
        "relevance": "in_scope",
        "intent": "vpn_not_connecting",
        "article_ids": ("kb1",),
        "helpful": True,
        "time_ms": NOON_MS + 5000,
        "note": "",
    }
    return Label(name, task_id, prediction_id, **{**usual, **fields})


def candidate(tag="exp1", **fields):
    usual = {
        "run_id": f"run-{tag}",
        "bundle_sha256": "ab" * 32,
        "examples": DataVersion("examples", "tickets", 3, 100, "cd" * 32),
        "articles": DataVersion("articles", "kb", 1, 7, "ef" * 32),
        "recipe": {"seed": 7, "layers": [1, 2], "nested": {"on": True, "off": None}},
        "metrics": {"macro_f1": 0.91},
        "created_ms": NOON_MS,
    }
    return Candidate(tag, **{**usual, **fields})


def same(one, other) -> bool:
    """Whether two records are equal, where NaN equals NaN."""
    if is_dataclass(one):
        return type(one) is type(other) and same(asdict(one), asdict(other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or (one != one and other != other)  # noqa: PLR0124 - only NaN differs from itself
