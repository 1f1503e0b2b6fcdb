"""Makes an agent from examples and articles: learn, calibrate, put together."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from noria.agent.agent import Agent
from noria.agent.calibration import Course, Division, Measured, Vectors, divide, listened_to, measure
from noria.agent.encoding import Encoder
from noria.agent.heads.confidence import fit_confidence
from noria.agent.heads.fusion import fit_fusion
from noria.agent.heads.intent import FusedIntents, Raw
from noria.agent.heads.remembered import Memory
from noria.agent.members.finetuning import what_tuning_lacks
from noria.agent.members.tokens import TokenTable
from noria.agent.parts import fit_decider, fit_finder_of, fit_scope_of
from noria.agent.protocols import Calibration, Floats, Retriever
from noria.agent.ranking import Citation
from noria.agent.recipe import Recipe
from noria.errors import DataError, Problem
from noria.records import RESERVED_INTENTS, SMALL_TALK, Article, Example

MOST_PASSAGES = 12
"""Sentences of an article that are learnt from, so that a long one does not drown the examples."""
MOST_INTENTS = 3
"""An article that answers more intents than this says little of any one of them."""

_NAME_WORDS = re.compile(r"[^\W\d_]{2,}")
_SENTENCE_END = re.compile(r"(?<=[.;!?])\s+")


def fit(
    examples: Sequence[Example],
    articles: Sequence[Article],
    recipe: Recipe,
    encoder: Encoder | None = None,
    citations: Sequence[Citation] = (),
    *,
    memory: Memory | None = None,
) -> Agent:
    """An agent fitted on examples; the same rows in any order, articles, recipe and encoder give the same agent.

    Args:
        examples: rows of the split "test" are left out; those of "val" only calibrate when there are enough of them.
        articles: what it may answer with; may be empty.
        recipe: settings.
        encoder: what makes vectors of texts; one with a memory saves the time of encoding rows again. None = n-grams
            alone, whatever the line-up; the agent's `warnings` say so.
        citations: which articles answered earlier questions; the ranking of articles learns from them.
        memory: of parts fitted before, for trying many recipes on the same rows; changes no bit of the agent.

    Raises:
        DataError: fewer than two intents in scope, or a single row of every intent.
    """
    rows = sorted((e for e in examples if e.split != "test"), key=lambda e: (e.id, e.text, e.intent, e.split or ""))
    _check(rows)
    division = divide(rows, recipe)
    classes = tuple(sorted({r.intent for r in division.learn}))
    passages = named(division.learn, recipe.names_up_to)
    passages += _passages(articles, set(classes) - RESERVED_INTENTS) if recipe.learn_from_articles else []
    members, encoder, warnings = line_up(recipe, encoder)
    table = None
    if encoder is not None and recipe.lineup == "fast":
        table, encoder = TokenTable.distil(encoder, [r.text for r in division.learn], recipe), None
    vectors = Vectors(table or encoder, [r.text for r in rows] + [text for text, _ in passages])
    course = Course(tuple(passages), classes, vectors, members, recipe, table, memory)
    model = course.train(division.learn, division.foreign, learns_reject=division.learns_reject)
    model = model.with_foreign(listened_to(division, vectors, recipe))
    measured = measure(division, course, model)
    model = model.with_fusion(fit_fusion(_by_member(measured.inside), measured.targets))
    facts = _facts(division, measured, len(passages))
    finder = fit_finder_of(articles, citations, recipe, encoder)
    return _assemble(
        model,
        measured,
        finder,
        recipe,
        facts,
        articles=articles,
        domains=domains_of(division.learn),
        encoder=encoder,
        warnings=warnings,
    )


def line_up(recipe: Recipe, encoder: Encoder | None) -> tuple[tuple[str, ...], Encoder | None, tuple[str, ...]]:
    """Names of the members of a recipe's line-up, the encoder they need (or None), and what there is to warn of."""
    own = (recipe.member,) if recipe.member else ()
    if recipe.lineup == "ngrams":
        return ("ngrams", *own), None if not own else encoder, ()
    if encoder is None:
        said = f"There is no sentence encoder, so the line-up {recipe.lineup!r} is n-grams alone: less accurate."
        return ("ngrams", *own), None, (said,)
    if recipe.lineup == "fast":  # near rows would take as long as all the rest
        return ("ngrams", "dense", *own), encoder, ()
    names = ("ngrams", "dense", "neighbours", *own)
    if recipe.lineup == "default":
        return names, encoder, ()
    lacks = what_tuning_lacks(encoder)
    if lacks:
        return names, encoder, (f"The line-up 'accurate' fine-tunes the encoder, but {lacks}; so it is 'default'.",)
    return ("ngrams", "dense", "neighbours", "tuned", *own), encoder, ()


def _by_member(raws: Sequence[Raw]) -> list[Floats]:
    """The logits (n, classes) of each member."""
    stacked = np.array([raw.logits for raw in raws])
    return list(stacked.transpose(1, 0, 2))


def _assemble(
    model: FusedIntents,
    measured: Measured,
    finder: Retriever,
    recipe: Recipe,
    facts: dict[str, int],
    *,
    articles: Sequence[Article],
    domains: Mapping[str, str],
    encoder: Encoder | None,
    warnings: Sequence[str],
) -> Agent:
    inside = [model.reading(raw) for raw in measured.inside]
    outside = [model.reading(raw) for raw in measured.outside]
    right = [reading.top == target for reading, target in zip(inside, measured.targets, strict=True)]
    rows = Calibration(tuple(inside), measured.targets, tuple(outside), model.classes, model.evidence_names, domains)
    scope = fit_scope_of(rows, right, recipe, few=facts["learnt_rows"] < recipe.all_layers_from)
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
        decider=fit_decider(rows, scope, confidence, recipe),
        finder=finder,
        articles=articles,
        recipe=recipe,
        facts=facts,
        encoder=encoder,
        warnings=warnings,
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


def named(learn: Sequence[Example], up_to: int) -> list[tuple[str, str]]:
    """(name as words, intent) of each intent in scope with few rows, in order of intent."""
    counts = Counter(r.intent for r in learn if r.intent not in RESERVED_INTENTS)
    named = [(" ".join(_NAME_WORDS.findall(intent)).lower(), intent) for intent in sorted(counts)]
    return [(text, intent) for text, intent in named if text and counts[intent] <= up_to]


def domains_of(rows: Sequence[Example]) -> dict[str, str]:
    """The domain of each intent in scope: the one that most of its rows tell, of equals the first by name."""
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        if row.domain and row.intent not in RESERVED_INTENTS:
            counts.setdefault(row.intent, Counter())[row.domain] += 1
    return {intent: min(its, key=lambda domain: (-its[domain], domain)) for intent, its in sorted(counts.items())}


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
