"""Tunes an agent's thresholds on labelled rows, with guarantees, and turns them into its settings."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from noria.agent import Agent, Recipe
from noria.agent.decision import ThresholdDecider
from noria.agent.heads.scope import LinearScope
from noria.build.observing import observe
from noria.errors import UsageError
from noria.records import Example
from noria.stats.criteria.view import Flags, View
from noria.stats.selection.operating import (
    CurvePoint,
    NotEnoughRows,
    OperatingPoint,
    choose_limit,
    choose_threshold,
    curve,
)

Point = OperatingPoint | NotEnoughRows


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of the thresholds, each with a chance `delta` that it does not hold.

    preciseness: least share right among answers; most coverage is taken. false_rejects: largest share of in-scope
    queries under the scope threshold. choice_miss: largest share of in-scope queries whose right intent is too unlikely
    to be among the choices. article: least share of answers with a right article first, by the article's score.
    """

    preciseness: float = 0.9
    false_rejects: float = 0.04
    choice_miss: float = 0.02
    article: float = 0.8
    delta: float = 0.05


@dataclass(frozen=True, slots=True)
class Tuned:
    """Operating points by component: "scope", "choice", "answer" and, where right articles are known, "article"."""

    wanted: Wanted
    points: Mapping[str, Point]
    curves: Mapping[str, tuple[CurvePoint, ...]]

    def settings(self) -> dict[str, float]:
        """The recipe settings that come nearest, for models that are fitted anew; only of what was found."""
        found: dict[str, float] = {}
        if isinstance(point := self.points["answer"], OperatingPoint):
            found["answer_at"] = point.threshold
        if isinstance(self.points["scope"], OperatingPoint):
            found["max_false_rejects"] = self.wanted.false_rejects
        if isinstance(self.points["choice"], OperatingPoint):
            found["clarify_miss"] = self.wanted.choice_miss
        return found

    def recipe(self, recipe: Recipe) -> Recipe:
        """The recipe with those settings."""
        return Recipe.from_dict({**recipe.to_dict(), **self.settings()})

    def applied(self, agent: Agent) -> Agent:
        """The same agent with exactly these thresholds; what was not found stays as it is.

        Raises:
            UsageError: its scope model or its decision has no threshold that can be set.
        """
        if agent.recipe.decision:
            raise UsageError(f"the decision {agent.recipe.decision!r} of another package has no thresholds to be set.")
        limits = {name: p.threshold for name, p in self.points.items() if isinstance(p, OperatingPoint)}
        scope = agent.scope
        if "scope" in limits:
            if not isinstance(scope, LinearScope):
                raise UsageError(f"the scope model {type(scope).__name__} has no threshold that can be set.")
            floor = min(scope.floor, limits["scope"] - 1)
            scope = dataclasses.replace(scope, threshold=limits["scope"], floor=floor)
        recipe = dataclasses.replace(agent.recipe, answer_at=limits.get("answer", agent.recipe.answer_at))
        choice = limits.get("choice", agent.decider.thresholds["choice"])
        return Agent(
            intent_model=agent.intent_model,
            scope=scope,
            confidence=agent.confidence,
            decider=ThresholdDecider(
                agent.intent_model.classes, scope.threshold, choice, recipe, getattr(agent.decider, "domains", None)
            ),
            finder=agent.finder,
            articles=agent.articles,
            recipe=recipe,
            facts=agent.facts,
            encoder=agent.encoder,
            warnings=agent.warnings,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for an artefact: what was wanted, every point, every curve."""
        return {
            "wanted": dataclasses.asdict(self.wanted),
            "points": {
                name: {"found": isinstance(p, OperatingPoint), **dataclasses.asdict(p)}
                for name, p in self.points.items()
            },
            "curves": {name: [dataclasses.asdict(p) for p in found] for name, found in self.curves.items()},
            "settings": self.settings(),
        }


def tune(agent: Agent, rows: Sequence[Example], wanted: Wanted | None = None) -> Tuned:
    """Thresholds for an agent, from rows that it neither learnt nor was calibrated on.

    Half of the rows (by a hash of their ids) sets the scope threshold and the least probability of a choice; the other
    half sets the answer threshold of what passes that scope threshold, so that each promise rests on rows that chose
    nothing else. They hold for traffic like the rows, also in its share of out-of-scope queries.

    Args:
        agent: whose thresholds; its present ones only decide which articles are looked at.
        rows: labelled; small talk does not count.
        wanted: the constraints.
    """
    wanted = wanted or Wanted()
    observed = observe(agent, rows)
    view = View(observed)
    first = np.array([_half(r.id) for r in rows], dtype=np.bool_)
    inside = view.inside & first
    points: dict[str, Point] = {
        "scope": choose_limit(
            "scope", view.scope_score[inside], at_most=wanted.false_rejects, delta=wanted.delta
        ),
        "choice": choose_limit(
            "choice", view.truth_chance[first[view.inside]], at_most=wanted.choice_miss, delta=wanted.delta
        ),
    }  # fmt: skip
    limit = agent.scope.threshold
    if isinstance(scope := points["scope"], OperatingPoint):
        limit = scope.threshold
    judged = view.judged & ~first
    # What does not pass the scope threshold can never be accepted.
    score = np.where(view.scope_score >= limit, view.confidence, -1.0)
    points["answer"] = choose_threshold(
        "answer", score[judged], view.top_right[judged], view.inside[judged],
        at_least=wanted.preciseness, delta=wanted.delta,
    )  # fmt: skip
    curves = {
        "answer": tuple(curve(score[view.judged], view.top_right[view.judged], view.inside[view.judged])),
        "scope": tuple(curve(view.scope_score[view.judged], view.inside[view.judged], view.inside[view.judged])),
    }
    if observed.relevant is not None:
        _tune_articles(agent, rows, observed.relevant, first, wanted, points, curves)
    return Tuned(wanted, points, curves)


def _tune_articles(
    agent: Agent,
    rows: Sequence[Example],
    relevant: Sequence[frozenset[str]],
    first: Flags,
    wanted: Wanted,
    points: dict[str, Point],
    curves: dict[str, tuple[CurvePoint, ...]],
) -> None:
    """From which score on the first article is right often enough; the grid comes from the half that tests nothing."""
    shown = [
        (i, answer.articles[0])
        for i, answer in enumerate(agent.answer_all([r.text for r in rows], [r.account or "" for r in rows]))
        if answer.articles and relevant[i]
    ]
    scores = np.array([a.score for _, a in shown])
    right = np.array([a.article_id in relevant[i] for i, a in shown], dtype=np.bool_)
    half = np.array([bool(first[i]) for i, _ in shown], dtype=np.bool_)
    grid = np.unique(np.quantile(scores[half], np.linspace(0, 1, 101)))[::-1].tolist() if half.any() else [0.0]
    starts = [grid[int(part * (len(grid) - 1))] for part in (0.1, 0.25, 0.5, 0.75)]
    points["article"] = choose_threshold(
        "article", scores[~half], right[~half], at_least=wanted.article, delta=wanted.delta, grid=grid, starts=starts
    )
    curves["article"] = tuple(curve(scores, right))


def _half(row_id: str) -> bool:
    """A coin that always falls alike for an id, and hangs on no other use of the id's hash, such as a split."""
    return hashlib.sha256(f"operating points\0{row_id}".encode()).digest()[0] % 2 == 0
