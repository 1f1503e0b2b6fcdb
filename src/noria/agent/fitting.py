"""Makes an agent from examples and articles: learn, calibrate, put together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from noria.agent.agent import Agent
from noria.agent.calibration import Division, Measured, divide, measure, training_set
from noria.agent.decision import ThresholdDecider
from noria.agent.heads.confidence import fit_confidence
from noria.agent.heads.intent import NgramSvm, fit_temperature, train
from noria.agent.heads.scope import fit_scope
from noria.agent.recipe import Recipe
from noria.agent.retrieval import ArticleFinder
from noria.errors import DataError, Problem
from noria.records import RESERVED_INTENTS, SMALL_TALK, Article, Example

MOST_PASSAGES = 12
"""Sentences of an article that are learnt from, so that a long one does not drown the examples."""
MOST_INTENTS = 3
"""An article that answers more intents than this says little of any one of them."""

_SENTENCE_END = re.compile(r"(?<=[.;!?])\s+")


def fit(examples: Sequence[Example], articles: Sequence[Article], recipe: Recipe) -> Agent:
    """An agent fitted on examples; the same rows in any order, articles and recipe give the same agent.

    Args:
        examples: rows of the split "test" are left out; those of "val" only calibrate when there are enough of them.
        articles: what it may answer with; may be empty.
        recipe: settings.

    Raises:
        DataError: fewer than two intents in scope, or a single row of every intent.
    """
    rows = sorted((e for e in examples if e.split != "test"), key=lambda e: (e.id, e.text, e.intent, e.split or ""))
    _check(rows)
    division = divide(rows, recipe)
    classes = sorted({r.intent for r in division.learn})
    passages = _passages(articles, set(classes) - RESERVED_INTENTS) if recipe.learn_from_articles else []
    learnt = training_set(division.learn, division.foreign, passages, classes, learns_reject=division.learns_reject)
    model = train(learnt, recipe)
    measured = measure(division, passages, classes, model, recipe)
    model = model.with_temperature(fit_temperature(measured.inside, measured.targets))
    return _assemble(model, measured, articles, recipe, _facts(division, measured, len(passages)))


def _assemble(
    model: NgramSvm, measured: Measured, articles: Sequence[Article], recipe: Recipe, facts: dict[str, int]
) -> Agent:
    inside = [model.reading(raw) for raw in measured.inside]
    outside = [model.reading(raw) for raw in measured.outside]
    right = [reading.top == target for reading, target in zip(inside, measured.targets, strict=True)]
    scope = fit_scope(inside, right, outside, recipe)
    every = inside + outside
    confidence = fit_confidence(
        every,
        [scope.score(reading) for reading in every],
        [True] * len(inside) + [False] * len(outside),
        right + [False] * len(outside),
        recipe,
    )
    return Agent(
        intent_model=model,
        scope=scope,
        confidence=confidence,
        decider=ThresholdDecider(model.classes, scope.threshold, recipe),
        finder=ArticleFinder(articles, recipe),
        articles=articles,
        recipe=recipe,
        facts=facts,
    )


def _facts(division: Division, measured: Measured, passages: int) -> dict[str, int]:
    return {
        "learnt_rows": len(division.learn),
        "learnt_passages": passages,
        "learnt_oos_rows": len(division.foreign) if division.learns_reject else 0,
        "calibration_rows": len(measured.inside),
        "calibration_oos_rows": len(measured.outside),
    }


def _check(rows: Sequence[Example]) -> None:
    counts = Counter(r.intent for r in rows if r.intent not in RESERVED_INTENTS)
    if len(counts) < 2:
        found = f"only {next(iter(counts))!r}" if counts else "none"
        raise DataError(
            [
                Problem(
                    "examples", None, "intent", f"an agent tells intents apart and needs two in scope; found {found}."
                )
            ],
            "Add rows of other intents. Rows of the split 'test' and of "
            f"{', '.join(sorted(RESERVED_INTENTS - {SMALL_TALK}))} and {SMALL_TALK} do not count.",
        )
    if max(counts.values()) < 2:
        message = f"each of the {len(counts)} intents has a single row, so nothing shows how sure the agent may be."
        raise DataError(
            [Problem("examples", None, "intent", message)],
            "Add a second row to at least one intent; five or more of each are a good start.",
        )


def _passages(articles: Sequence[Article], intents: set[str]) -> list[tuple[str, str]]:
    """(text, intent) for each sentence of each linked article that all accounts may see, in order of article id."""
    passages: list[tuple[str, str]] = []
    for article in sorted(articles, key=lambda a: a.article_id):
        if article.account is not None or len(article.intents) > MOST_INTENTS:
            continue
        texts = [article.title, *_SENTENCE_END.split(article.body)][: MOST_PASSAGES + 1]
        linked = sorted(set(article.intents) & intents)
        passages += [(text, intent) for intent in linked for text in texts if text.strip()]
    return passages
