"""From thousands of measured runs to one: limits, Pareto front, shortlist, fresh rows, and how firm it all is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import NormalDist
from typing import Any

import numpy as np

from noria.release.choice.policy import ChoicePolicy, Objective
from noria.release.choice.reasons import GivesUp, Sensitivity, gives_up, optimism_of, sensitivity_of
from noria.release.choice.scoring import Scale, ordered, scaled, scales
from noria.stats.criteria import Measurement
from noria.stats.selection.optimism import Optimism
from noria.stats.selection.pareto import pareto_front

_WIDTH = 2 * NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, slots=True)
class Run:
    """A run with what was measured of it.

    criteria: by id, on the rows that runs are compared on. rows: how many those were, 0 = not known. fresh: the same
    measured on rows that no choice has looked at.
    """

    tag: str
    criteria: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    rows: int = 0
    fresh: Measurement | None = None

    def error(self, objective: Objective) -> float | None:
        """The standard error of a figure: from its interval, else of a share of so many rows; None = not known."""
        if objective.criterion in self.intervals:
            low, high = self.intervals[objective.criterion]
            return max((high - low) / _WIDTH, 1e-6)
        value = self.criteria[objective.criterion]
        if objective.of.unit != "share" or not self.rows or not 0 <= value <= 1:
            return None
        smoothed = (value * self.rows + 1) / (self.rows + 2)
        return math.sqrt(smoothed * (1 - smoothed) / self.rows)


@dataclass(frozen=True, slots=True)
class Placed:
    """A run of the shortlist.

    score: by the policy, on the rows that runs are compared on. bound: the same from the pessimistic ends of the
    intervals on fresh rows; None where it was not measured there. breaks: limits that it does not keep on fresh rows.
    values, fresh, pessimistic: the objectives' figures behind them.
    """

    tag: str
    score: float
    bound: float | None
    breaks: tuple[str, ...]
    values: Mapping[str, float]
    fresh: Mapping[str, float]
    pessimistic: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen of `runs` runs, and why.

    chosen: its tag, None where no run keeps the limits (on all rows it was held against). refused: limit → how many
    runs break it. unmeasured: criterion → how many runs lack it. front: tags not beaten in every objective. placed: the
    shortlist, best first. by_fresh: whether fresh rows decided.
    """

    policy: ChoicePolicy
    runs: int
    within: int
    refused: Mapping[str, int]
    unmeasured: Mapping[str, int]
    front: tuple[str, ...]
    placed: tuple[Placed, ...]
    chosen: str | None
    by_fresh: bool
    optimism: Optimism | None
    sensitivity: Sensitivity | None
    gives_up: tuple[GivesUp, ...]
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Sifted:
    within: list[Run]
    refused: dict[str, int]
    unmeasured: dict[str, int]


def shortlisted(runs: Sequence[Run], policy: ChoicePolicy) -> list[str]:
    """Tags of the runs that are worth measuring on fresh rows, best first: the front, then the next best."""
    return [run.tag for run in _shortlist(_sift(runs, policy).within, policy)[1]]


def choose(runs: Sequence[Run], policy: ChoicePolicy, *, seed: int = 0) -> Choice:
    """The run that a policy wants.

    1. Out is what breaks a limit or lacks a criterion of the policy. 2. The Pareto front of the objectives, filled up
    by the policy's own order, makes the shortlist. 3. Where all of it was measured on fresh rows, the order is by the
    pessimistic ends of the intervals there, wide enough to hold for the whole shortlist at once (Bonferroni), and the
    limits are held against the fresh figures again; otherwise by the figures that made the shortlist, which flatter the
    winner, and the choice says so.

    Args:
        runs: all of them, also those that do not stand a chance: the optimism depends on how many were looked at.
        policy: what is asked.
        seed: of the draws behind optimism and sensitivity.
    """
    sifted = _sift(runs, policy)
    front, listed = _shortlist(sifted.within, policy)
    by_fresh = bool(listed) and all(_complete(run, policy) for run in listed)
    scale = scales(_figures(sifted.within, listed, policy, by_fresh=by_fresh), policy)
    placed = _place(listed, scale, policy, by_fresh=by_fresh)
    fit = [p for p in placed if not p.breaks]
    chosen = fit[0] if fit else None
    firm = sensitivity_of(fit, policy, scale, by_fresh=by_fresh, seed=seed) if chosen else None
    choice = Choice(
        policy=policy,
        runs=len(runs),
        within=len(sifted.within),
        refused=sifted.refused,
        unmeasured=sifted.unmeasured,
        front=tuple(run.tag for run in front),
        placed=tuple(placed),
        chosen=chosen.tag if chosen else None,
        by_fresh=by_fresh,
        optimism=optimism_of(sifted.within, policy, seed=seed),
        sensitivity=firm,
        gives_up=tuple(gives_up(chosen, fit, policy, by_fresh=by_fresh)) if chosen else (),
        sentence="",
    )
    return replace(choice, sentence=_sentence(choice))


def _sift(runs: Sequence[Run], policy: ChoicePolicy) -> _Sifted:
    wanted = [*(lim.criterion for lim in policy.limits), *(o.criterion for o in policy.objectives)]
    lacking = {name: sum(name not in run.criteria for run in runs) for name in dict.fromkeys(wanted)}
    refused = {
        str(lim): sum(lim.criterion in r.criteria and not lim.kept_by(r.criteria[lim.criterion]) for r in runs)
        for lim in policy.limits
    }
    within = [
        run
        for run in runs
        if all(name in run.criteria for name in wanted)
        and all(lim.kept_by(run.criteria[lim.criterion]) for lim in policy.limits)
    ]
    return _Sifted(within, refused, {name: count for name, count in lacking.items() if count})


def _shortlist(within: Sequence[Run], policy: ChoicePolicy) -> tuple[list[Run], list[Run]]:
    """The Pareto front, and the shortlist in the policy's order: of the front first, then of the others."""
    if not within:
        return [], []
    goodness = [[o.of.goodness(run.criteria[o.criterion]) for o in policy.objectives] for run in within]
    on_front = set(pareto_front(goodness))
    figures = [run.criteria for run in within]
    best = ordered(figures, [run.tag for run in within], policy, scales(figures, policy))
    order = [i for i in best if i in on_front] + [i for i in best if i not in on_front]
    return [within[i] for i in best if i in on_front], [within[i] for i in order[: policy.shortlist]]


def _complete(run: Run, policy: ChoicePolicy) -> bool:
    """Whether everything that the policy asks for was measured on fresh rows."""
    wanted = {o.criterion for o in policy.objectives} | {lim.criterion for lim in policy.limits}
    return run.fresh is not None and wanted <= run.fresh.values.keys()


def _figures(
    within: Sequence[Run], listed: Sequence[Run], policy: ChoicePolicy, *, by_fresh: bool
) -> list[Mapping[str, float]]:
    """All figures that a scale must hold: of the runs within the limits, and at worst on fresh rows."""
    return [run.criteria for run in within] + (
        [_at_worst(run, policy, len(listed)) for run in listed] if by_fresh else []
    )


def _at_worst(run: Run, policy: ChoicePolicy, runs: int) -> dict[str, float]:
    """The pessimistic ends of the objectives on fresh rows."""
    if run.fresh is None:
        return {}
    return {o.criterion: _pessimistic(run.fresh, o, policy.level, runs) for o in policy.objectives}


def _place(listed: Sequence[Run], scale: Sequence[Scale], policy: ChoicePolicy, *, by_fresh: bool) -> list[Placed]:
    names = [o.criterion for o in policy.objectives]
    placed, decides = [], []
    for run in listed:
        values = {name: run.criteria[name] for name in names}
        fresh, worst, breaks = dict[str, float](), dict[str, float](), list[str]()
        if by_fresh and run.fresh is not None:
            fresh = {name: run.fresh.values[name] for name in names}
            worst = _at_worst(run, policy, len(listed))
            breaks = [str(lim) for lim in policy.limits if not lim.kept_by(run.fresh.values[lim.criterion])]
        score = float(scaled(values, policy, scale).sum())
        bound = float(scaled(worst, policy, scale).sum()) if by_fresh else None
        placed.append(Placed(run.tag, score, bound, tuple(breaks), values, fresh, worst))
        decides.append({**run.criteria, **worst})
    order = ordered(decides, [p.tag for p in placed], policy, scale)
    return [placed[i] for i in order if not placed[i].breaks] + [placed[i] for i in order if placed[i].breaks]


def _pessimistic(fresh: Measurement, objective: Objective, level: float, runs: int) -> float:
    """The worse end of a figure's interval, widened to hold for all runs at once; the figure where it has none."""
    value = fresh.values[objective.criterion]
    if objective.criterion not in fresh.intervals:
        return value
    low, high = fresh.intervals[objective.criterion]
    wider = NormalDist().inv_cdf(1 - (1 - level) / runs) / NormalDist().inv_cdf(0.975)
    one = objective.of
    ends = (value - wider * (value - low), value + wider * (high - value))
    inside = [float(np.clip(end, one.low, one.high)) for end in ends]
    return min(inside, key=one.goodness)


def _sentence(choice: Choice) -> str:
    if choice.within == 0:
        counts = [f"{count} break {limit}" for limit, count in choice.refused.items() if count]
        counts += [f"{count} were not measured in {name}" for name, count in choice.unmeasured.items()]
        return f"No run of {choice.runs} fits: {'; '.join(counts) or 'there are none'}."
    if choice.chosen is None:
        return (
            f"{choice.within} of {choice.runs} runs are within the limits, but none of the {len(choice.placed)} of the "
            "shortlist keeps them on fresh rows."
        )
    seen = "by its bounds on fresh rows" if choice.by_fresh else "by the figures that made the shortlist"
    return (
        f"{choice.chosen} is chosen of {choice.runs} runs, {choice.within} within the limits, "
        f"{len(choice.front)} on the Pareto front, {len(choice.placed)} on the shortlist: {seen}."
    )
