"""May this candidate go live? The gate's checks, each with its evidence in a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from noria.agent import Agent
from noria.errors import NoriaError
from noria.records import Answer, Check, Example, Verdict, VerdictKind, did_right
from noria.stats import compare


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """What the gate asks for.

    margin: the loss (share, 0 to 1) that must be ruled out at `level`, one-sided. min_fresh: labelled production
    queries below which the fresh window is too small to speak. fresh_days: how far the fresh window goes back.
    """

    margin: float = 0.02
    level: float = 0.95
    min_fresh: int = 30
    fresh_days: int = 28


def judge(
    candidate: Agent,
    champion: Agent | None,
    basket: Sequence[Example],
    fresh: Sequence[Example],
    policy: GatePolicy,
) -> Verdict:
    """The verdict on a candidate against the champion, on the frozen basket and on fresh labelled traffic.

    Args:
        candidate: the agent that asks to go live.
        champion: the one that is live; None for a first release.
        basket: frozen test rows, never trained on.
        fresh: labelled production queries that neither agent was trained on.
        policy: limits.

    Returns:
        `refuse` when a check failed, `hold` when evidence lacks, else `promote`; with the basket scores of both.
    """
    loads = _loads(candidate, basket)
    if not loads.passed:
        return Verdict("refuse", loads.sentence, (loads,), 0.0, None)
    candidate_right = _right(candidate, basket)
    score = _share(candidate_right)
    if champion is None:
        first = Check("first release", True, f"No champion yet; the candidate is right on {_percent(score)} of the "
                      f"{len(basket)} basket rows.", {"score": score, "n": len(basket)})  # fmt: skip
        return Verdict("promote", first.sentence, (loads, first), score, None)
    champion_right = _right(champion, basket)
    checks = [loads, _paired("frozen basket", champion_right, candidate_right, policy)]
    if len(fresh) >= policy.min_fresh:
        checks.append(_paired("fresh labels", _right(champion, fresh), _right(candidate, fresh), policy, strict=False))
    else:
        sentence = f"Fresh labels: {len(fresh)} of {policy.min_fresh} needed, so they were not asked."
        checks.append(Check("fresh labels", True, sentence, {"n": len(fresh)}))
    kind: VerdictKind = "promote"
    deciding = checks[1]
    for check in checks:
        if check.passed is False:
            kind, deciding = "refuse", check
            break
        if check.passed is None and kind == "promote":
            kind, deciding = "hold", check
    return Verdict(kind, deciding.sentence, tuple(checks), score, _share(champion_right))


def _loads(candidate: Agent, basket: Sequence[Example]) -> Check:
    """The candidate answers at all: a bundle that loads but fails on the first query must not go live."""
    try:
        answers: list[Answer] = candidate.answer_all([r.text for r in basket[:20]] + ["", "hello"])
    except (NoriaError, ValueError, KeyError, IndexError) as error:
        return Check("loads and answers", False, f"The candidate fails to answer: {error}.")
    return Check("loads and answers", True, f"It loaded and answered {len(answers)} queries.", {"n": len(answers)})


def _right(agent: Agent, rows: Sequence[Example]) -> list[bool]:
    answers = agent.answer_all([r.text for r in rows], [r.account or "" for r in rows])
    return [did_right(r, a) for r, a in zip(rows, answers, strict=True)]


def _paired(
    name: str, champion: Sequence[bool], candidate: Sequence[bool], policy: GatePolicy, *, strict: bool = True
) -> Check:
    """One paired comparison; `strict` asks for the lower bound, otherwise the point alone decides."""
    paired = compare(champion, candidate, margin=policy.margin, level=policy.level)
    figures = {"n": paired.n, "difference": paired.difference, "lower": paired.lower, "champion_only": paired.b,
               "candidate_only": paired.c}  # fmt: skip
    what = (
        f"{name.capitalize()} ({paired.n} pairs): {_signed(paired.difference)} points against the champion, "
        f"at least {_signed(paired.lower)} with {policy.level:.0%} confidence"
    )
    if paired.verdict == "refuse":
        return Check(name, False, f"{what}; it must not fall.", figures)
    if paired.verdict == "hold" and strict:
        more = f"; about {paired.needed} more would settle it" if paired.needed else ""
        return Check(
            name, None, f"{what}; not enough rows yet to rule out a loss of {_percent(policy.margin)}{more}.", figures
        )
    return Check(name, True, f"{what}.", figures)


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else 0.0


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}"
