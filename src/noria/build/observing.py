"""Asks an agent labelled rows and keeps everything that the criteria need."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from noria.agent import Agent
from noria.agent.protocols import Floats32, IntentModel, Reading
from noria.records import RESERVED_INTENTS, Answer, Example
from noria.stats.criteria import Costs, Observed, Perturbed
from noria.stats.criteria.perturbing import PERTURBATIONS, perturb

RANKED = 10
"""Articles ranked for each query, so that rankings are measured beyond those that are shown."""
LIKELY_INTENTS = 3


def observe(
    agent: Agent,
    rows: Sequence[Example],
    *,
    answers: Sequence[Answer] | None = None,
    relevant: Mapping[str, frozenset[str]] | None = None,
    trained: Sequence[Example] = (),
    figures: Mapping[str, float] | None = None,
    clock: Callable[[], float] | None = None,
    robustness: int = 0,
    seed: int = 0,
    costs: Costs | None = None,
) -> Observed:
    """What the agent makes of labelled rows, ready for `noria.stats.criteria.measure`.

    Args:
        agent: asked every row once, under the row's account.
        rows: labelled; the result's rows are in the same order.
        answers: what it made of them, where that is known already. Then it is not asked, and what only asking can tell
            (probabilities, rankings beyond what was shown, times) is not measured.
        relevant: row id → right article ids; None = the articles that are linked to the right intent.
        trained: rows that it learnt, for the figures on rare intents and popular articles.
        figures: of time and size, by the names of the criteria: train_seconds, bundle_bytes, peak_memory_bytes, ...
        clock: seconds; with it the time of each answer is kept.
        robustness: so many in-scope rows, drawn at random, are asked again under each of the ten changes of the text.
        seed: of the draw and the changes.
        costs: of the outcomes.
    """
    heard = _Heard(agent.intent_model)
    latencies: list[float] = []
    if answers is None:
        answers = _asked(_with(agent, heard), rows, clock, latencies)
    right = _relevant(agent, rows, relevant)
    counts = Counter(r.intent for r in trained)
    return Observed(
        truth=[r.intent for r in rows],
        predicted=[a.intent for a in answers],
        decision=[a.decision for a in answers],
        confidence=np.array([a.intent_confidence for a in answers], np.float64),
        scope_score=np.array([a.scope_score for a in answers], np.float64),
        in_scope=[_accepted(a) for a in answers],
        scope_p=_scope_p(answers),
        texts=[r.text for r in rows],
        domains=[r.domain or "" for r in rows],
        accounts=[r.account or "" for r in rows],
        classes=agent.intent_model.classes if heard.readings else None,
        probabilities=np.array([r.probabilities for r in heard.readings], np.float32) if heard.readings else None,
        choices=[a.choices for a in answers],
        rankings=None if right is None else _rankings(agent, rows, answers, right, heard),
        relevant=right,
        popularity=_popularity(agent, counts) if counts and right is not None else None,
        articles=len(agent.articles) or None,
        domain_of={r.intent: r.domain for r in trained if r.domain},
        train_counts=dict(counts) if counts else None,
        perturbed=_perturbed(agent, rows, robustness, seed) if robustness else {},
        latencies_ms=np.array(latencies) if latencies else None,
        efficiency=dict(figures or {}),
        costs=costs or Costs(),
    )


class _Heard:
    """An IntentModel that keeps what it read: the agent's own, overheard."""

    def __init__(self, model: IntentModel) -> None:
        self._model = model
        self.readings: list[Reading] = []
        self.vectors: list[Floats32 | None] = []

    @property
    def classes(self) -> tuple[str, ...]:
        return self._model.classes

    @property
    def evidence_names(self) -> tuple[str, ...]:
        return self._model.evidence_names

    def read(self, text: str, vector: Floats32 | None = None) -> Reading:
        reading = self._model.read(text, vector)
        self.readings.append(reading)
        self.vectors.append(vector)
        return reading


def _with(agent: Agent, model: IntentModel) -> Agent:
    return Agent(
        intent_model=model,
        scope=agent.scope,
        confidence=agent.confidence,
        decider=agent.decider,
        finder=agent.finder,
        articles=agent.articles,
        recipe=agent.recipe,
        facts=agent.facts,
        encoder=agent.encoder,
        warnings=agent.warnings,
    )


def _asked(
    agent: Agent, rows: Sequence[Example], clock: Callable[[], float] | None, latencies: list[float]
) -> list[Answer]:
    answers = []
    for row in rows:
        started = clock() if clock else 0.0
        answers.append(agent.answer(row.text, row.account or ""))
        if clock:
            latencies.append(1000 * (clock() - started))
    return answers


def _accepted(answer: Answer) -> bool:
    """Whether the scope gate let it pass; small talk passes it and is still not in scope."""
    if "scope" not in answer.thresholds:
        return answer.in_scope
    return answer.intent != "" and answer.scope_score >= answer.thresholds["scope"]


def _scope_p(answers: Sequence[Answer]) -> list[float] | None:
    if not all("scope_p" in a.scores for a in answers):
        return None
    return [a.scores["scope_p"] for a in answers]


def _relevant(
    agent: Agent, rows: Sequence[Example], given: Mapping[str, frozenset[str]] | None
) -> list[frozenset[str]] | None:
    """The right articles of each row that its account may see; None where nothing is known of any row."""
    if given is not None:
        return [given.get(r.id, frozenset()) for r in rows]
    linked = {i: [a for a in agent.articles if i in a.intents] for i in agent.intents}
    found = [
        frozenset(a.article_id for a in linked.get(r.intent, ()) if a.account in (None, r.account or "")) for r in rows
    ]
    return found if any(found) else None


def _rankings(
    agent: Agent,
    rows: Sequence[Example],
    answers: Sequence[Answer],
    relevant: Sequence[frozenset[str]],
    heard: _Heard,
) -> list[tuple[str, ...]]:
    """The first ten articles of each row with a right one, answered or not; of the others what was shown."""
    rankings = [tuple(a.article_id for a in answer.articles) for answer in answers]
    for i, (reading, vector) in enumerate(zip(heard.readings, heard.vectors, strict=True)):
        if relevant[i]:
            likely = _likely(reading, heard.classes)
            found = agent.finder.find(rows[i].text, rows[i].account or "", likely, RANKED, vector=vector)
            rankings[i] = tuple(a.article_id for a in found)
    return rankings


def _likely(reading: Reading, classes: Sequence[str]) -> dict[str, float]:
    """Probability of the likeliest intents in scope, as the agent itself asks for articles."""
    order = np.argsort(-reading.probabilities, kind="stable")[: LIKELY_INTENTS + 1]
    pairs = [(classes[i], float(reading.probabilities[i])) for i in order]
    return dict([pair for pair in pairs if pair[0] not in RESERVED_INTENTS][:LIKELY_INTENTS])


def _popularity(agent: Agent, counts: Mapping[str, int]) -> dict[str, int]:
    """Article → training rows of the intents that it answers."""
    return {a.article_id: sum(counts.get(i, 0) for i in a.intents) for a in agent.articles}


def _perturbed(agent: Agent, rows: Sequence[Example], size: int, seed: int) -> dict[str, Perturbed]:
    """The answers to some in-scope rows under each change of the text."""
    inside = [i for i, r in enumerate(rows) if r.intent not in RESERVED_INTENTS]
    drawn = np.random.default_rng(seed).permutation(len(inside))[:size]
    chosen = sorted(inside[i] for i in drawn)
    found = {}
    for kind in PERTURBATIONS:
        places, texts = perturb(kind, [rows[i].text for i in chosen], seed)
        at = [chosen[place] for place in places]
        answers = agent.answer_all(texts, [rows[i].account or "" for i in at])
        found[kind] = Perturbed(
            at,
            [a.intent for a in answers],
            [a.decision for a in answers],
            [a.intent_confidence for a in answers],
        )
    return found
