"""Scores an agent on labelled rows, and writes predictions of a file for others to score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from noria.agent import Agent
from noria.build.observing import observe
from noria.build.reading import read_file
from noria.errors import DataError, Problem
from noria.records import RESERVED_INTENTS, SMALL_TALK, Example, did_right
from noria.stats import accuracy, auroc, ece, macro_f1
from noria.stats.criteria import Measurement, measure

PERTURBED_ROWS = 200


def score_rows(agent: Agent, rows: Sequence[Example]) -> dict[str, float]:
    """Headline figures on labelled rows; only those that the rows can tell (none for no rows).

    accuracy: top intent right, of in-scope rows. success: answered and right, of in-scope rows. coverage, preciseness:
    see the glossary. scope_auroc: scope score, in scope against the rest. ece: of the intent confidence, over all rows
    but small talk. basket: share of rows with which the agent did right.
    """
    if not rows:
        return {}
    answers = agent.answer_all([r.text for r in rows], [r.account or "" for r in rows])
    pairs = list(zip(rows, answers, strict=True))
    inside = [(r, a) for r, a in pairs if r.intent not in RESERVED_INTENTS]
    outside = [(r, a) for r, a in pairs if r.intent in RESERVED_INTENTS and r.intent != SMALL_TALK]
    scores = {"rows": float(len(rows)), "basket": _share([did_right(r, a) for r, a in pairs])}
    if inside:
        truth, top = [r.intent for r, _ in inside], [a.intent for _, a in inside]
        scores |= {
            "accuracy": accuracy(truth, top),
            "macro_f1": macro_f1(truth, top),
            "coverage": _share([a.decision == "answer" for _, a in inside]),
            "success": _share([did_right(r, a) for r, a in inside]),
        }
    given = [(r, a) for r, a in inside + outside if a.decision == "answer"]
    if given:
        scores["preciseness"] = _share([did_right(r, a) for r, a in given])
    if inside and outside:
        scores["scope_auroc"] = auroc(
            [a.scope_score for _, a in inside + outside], [True] * len(inside) + [False] * len(outside)
        )
        scores["out_of_scope_rejected"] = _share([a.decision != "answer" for _, a in outside])
    if inside:
        judged = inside + outside
        scores["ece"] = ece([a.intent_confidence for _, a in judged], [r.intent == a.intent for r, a in judged])
    return {k: v for k, v in scores.items() if math.isfinite(v)}


def measure_rows(agent: Agent, rows: Sequence[Example], clock: Callable[[], float]) -> Measurement:
    """Every criterion of the catalogue that labelled rows can tell, with intervals.

    Args:
        rows: up to 200 of those in scope are asked again with changed texts.
        clock: seconds, for the time of an answer.
    """
    return measure(observe(agent, rows, clock=clock, robustness=min(len(rows), PERTURBED_ROWS)))


def predict_file(
    agent: Agent, path: Path, *, rename: Mapping[str, str] | None = None, release: str = ""
) -> Iterator[dict[str, object]]:
    """The agent's prediction for each row of a file that has a `text`, in the file's order.

    An empty text is answered too (with a hand-over). Raises DataError for rows that cannot be read or have no `text`.
    """
    rows, broken, columns = read_file(path, rename or {})
    problems = [b.problem for b in broken]
    if rows and "text" not in columns:
        problems.append(
            Problem(path.name, None, "text", f"the column is missing; it has {', '.join(sorted(columns))}.")
        )
    if problems:
        raise DataError(problems, "Nothing was predicted. Mend the rows, or name the column: --map text=COLUMN.")
    texts = [str(r.fields.get("text", "")) for r in rows]
    accounts = [str(r.fields.get("account", "")) for r in rows]
    for raw, answer in zip(rows, agent.answer_all(texts, accounts), strict=True):
        yield {
            "id": raw.fields.get("id", raw.row),
            "decision": answer.decision,
            "intent": answer.intent,
            "intent_confidence": answer.intent_confidence,
            "scope_score": answer.scope_score,
            "in_scope": answer.in_scope,
            "articles": [{"article_id": a.article_id, "score": a.score} for a in answer.articles],
            "release": release,
        }


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else math.nan
