"""A fitted agent learns a few rows at once: a new intent, or corrections, in about a second.

Nothing is fitted anew that need not be. The vocabulary grows by the n-grams of the new rows; the machines of the
intents touched are fitted again against a sample of the others' rows; the linear head starts from its old weights and
is held near them; new rows become neighbours. What was calibrated stays. The result depends on the agent it started
from: only a full `fit` can be repeated from data alone, and should take its place at the next turn.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from noria.agent.agent import Agent
from noria.agent.calibration import Vectors, digest
from noria.agent.decision import ThresholdDecider
from noria.agent.fitting import domains_of, named
from noria.agent.heads.intent import FusedIntents, Lesson, training_set
from noria.agent.members.warm import Change, Warm
from noria.errors import DataError, Problem, UsageError
from noria.records import IRRELEVANT, OOS, Example

ROWS_AN_INTENT = 12
"""Rows of an intent that was not touched: enough to hold its place."""


def refit(agent: Agent, examples: Sequence[Example], changed: Sequence[Example]) -> Agent:
    """The agent after it learnt rows that are new or corrected.

    Args:
        agent: made by `fit` or `refit`, with its encoder where it has one.
        examples: all rows that it is to know, those changed among them or not; the split "test" is left out.
        changed: rows that are new, or whose intent is; of an intent known or new. A row takes the place of one with
            the same id.

    Raises:
        DataError: nothing to learn. UsageError: the agent has a member of another package, which must be fitted anew.
    """
    model = agent.intent_model
    warm = isinstance(model, FusedIntents) and all(isinstance(m, Warm) for m in model.members.values())
    if not isinstance(model, FusedIntents) or not warm or agent.recipe.decision:
        raise UsageError("an agent with parts of other packages cannot learn a few rows at once: fit it anew.")
    new = {r.id: r for r in sorted(changed, key=lambda r: (r.id, r.text)) if r.intent not in (OOS, IRRELEVANT)}
    if not new:
        problem = Problem("changed", None, "intent", "no row of an intent in scope, or of small talk, to learn.")
        raise DataError([problem], "Rows that are out of scope are learnt by a full fit.")
    ours = [r for r in examples if r.split != "test" and r.intent not in (OOS, IRRELEVANT)]
    old = [r for r in ours if r.id not in new]
    # a correction also teaches the intent that the row was taken for
    touched = {r.intent for r in new.values()} | {r.intent for r in ours if r.id in new}
    fused = _learnt(model, agent, _sample(old, touched) + list(new.values()), list(new.values()), touched, len(old))
    facts = dict(agent.facts) | {"warm_started_rows": agent.facts.get("warm_started_rows", 0) + len(new)}
    thresholds, domains = agent.decider.thresholds, getattr(agent.decider, "domains", None)
    if domains is not None:
        domains = replace(domains, of={**domains_of(list(new.values())), **domains.of})
    return Agent(
        intent_model=fused,
        scope=agent.scope,
        confidence=agent.confidence,
        decider=ThresholdDecider(fused.classes, thresholds["scope"], thresholds["choice"], agent.recipe, domains),
        finder=agent.finder,
        articles=agent.articles,
        recipe=agent.recipe,
        facts=facts,
        encoder=agent.encoder,
        warnings=agent.warnings,
    )


def _learnt(
    model: FusedIntents, agent: Agent, rows: Sequence[Example], new: Sequence[Example], touched: set[str], known: int
) -> FusedIntents:
    """The model after rows of touched intents, and a sample of the others; `known`: rows that it had learnt."""
    recipe = agent.recipe
    classes = tuple(sorted({*model.classes, *touched}))
    number = {c: i for i, c in enumerate(classes)}
    pairs = [(r.text, r.intent) for r in rows] + named([r for r in rows if r.intent in touched], recipe.names_up_to)
    texts, targets = tuple(t for t, _ in pairs), tuple(number[c] for _, c in pairs)
    vectors = Vectors(model.table or agent.encoder, texts)
    lesson = Lesson(texts, targets, classes, learns_reject=False, vectors=vectors.of(texts))
    grown, kept = model.ngrams.grown([r.text for r in new])
    change = Change(
        rows=training_set(replace(lesson, sentence_dim=vectors.sentence_dim), grown),
        places=np.array([number[c] for c in model.classes], np.int32),
        touched=tuple(sorted(number[c] for c in touched)),
        new=tuple(i for i, r in enumerate(rows) if r in set(new)),
        kept=kept,
        weight=known / max(1, len(model.classes)),
    )
    members = {name: member.warm(change, recipe) for name, member in model.members.items() if isinstance(member, Warm)}
    return FusedIntents(
        grown, members, classes, model.fusion, rejects=model.rejects, table=model.table, foreign=model.foreign
    )


def _sample(old: Sequence[Example], touched: set[str]) -> list[Example]:
    """All rows of touched intents and some of each other, always the same ones."""
    by_intent: dict[str, list[Example]] = defaultdict(list)
    for row in old:
        by_intent[row.intent].append(row)
    some: list[Example] = []
    for intent in sorted(by_intent):
        rows = sorted(by_intent[intent], key=lambda r: (digest(r.id), r.text))
        some += rows if intent in touched else rows[:ROWS_AN_INTENT]
    return some
