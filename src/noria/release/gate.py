"""May this candidate go live? The gate's checks, each with its evidence in a sentence."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from noria.agent import Agent
from noria.errors import NoriaError
from noria.records import RESERVED_INTENTS, Answer, Check, Example, Verdict, VerdictKind, did_right
from noria.release.judging.contract import Contract
from noria.release.judging.fresh import Rivals, Sample, judge_fresh
from noria.release.judging.wording import percent, signed, titled
from noria.release.policy import GatePolicy, slices_of
from noria.release.standing import Standing
from noria.stats import compare
from noria.stats.gating import pairs_of


@dataclass(frozen=True, slots=True)
class Field:
    """Who the candidate is up against, besides the champion.

    standing: where the gate stands. anchor: the best champion proved so far; None = the champion. best: release →
    agent, of those that are the best ever of a slice.
    """

    standing: Standing = field(default_factory=Standing)
    anchor: Agent | None = None
    best: Mapping[str, Agent] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Differing:
    """Labelled queries on which the agents answer differently, and of how many queries of all traffic they tell."""

    rows: Sequence[Example]
    stands_for: int


def judge(
    candidate: Agent,
    champion: Agent | None,
    basket: Sequence[Example],
    fresh: Sequence[Example],
    policy: GatePolicy,
    *,
    contract: Contract | None = None,
    against: Field | None = None,
    differing: Differing | None = None,
) -> Verdict:
    """The verdict on a candidate: against the champion on the frozen basket, against the anchor on fresh labels.

    Args:
        candidate: the agent that asks to go live.
        champion: the one that is live; None for a first release.
        basket: frozen test rows, never trained on.
        fresh: labelled production queries that neither agent was trained on.
        policy: limits.
        contract: what the data contract found.
        against: anchor and standing of the gate.
        differing: labels from where the answers differ; they speak for all traffic in place of the fresh ones.

    Returns:
        `refuse` when a check failed, `hold` when evidence lacks, else `promote`; with the basket scores of both, and in
        `evidence` the counts of the anchored gate ("gate") and every single outcome ("pairs").
    """
    done = [contract.check] if contract else []
    if contract is not None and contract.check.passed is False:
        return Verdict("refuse", contract.check.sentence, tuple(done), 0.0, None)
    loads = _loads(candidate, basket)
    if not loads.passed:
        return Verdict("refuse", loads.sentence, (*done, loads), 0.0, None)
    candidate_right = right(candidate, basket)
    score = _share(candidate_right)
    ids = [row.id for row in basket]
    if champion is None:
        first = Check("first release", True, f"No champion yet; the candidate is right on {percent(score)} of the "
                      f"{len(basket)} basket rows.", {"score": score, "n": len(basket)})  # fmt: skip
        evidence: dict[str, Any] = {"pairs": {"basket": _rows(ids, candidate_right)}}
        return Verdict("promote", first.sentence, (*done, loads, first), score, None, evidence)
    champion_right = right(champion, basket)
    learnt = contract.learnt if contract else frozenset()
    main = _basket(basket, champion_right, candidate_right, learnt, policy)
    known = _known_intents(basket, champion_right, candidate_right, champion.intents, policy)
    worn = _basket_slices(basket, champion_right, candidate_right, policy)
    sample = _sample(candidate, champion, fresh, against or Field())
    apart = _sample(candidate, champion, differing.rows, against or Field()) if differing else None
    if apart is not None and differing is not None:
        apart = replace(apart, stands_for=differing.stands_for)
    fresh_checks, gate = judge_fresh(sample, policy, apart)
    checks = [loads, main, *known, *fresh_checks[:1], *worn, *fresh_checks[1:]]
    kind, deciding = _decide(checks, main)
    gate["moves_anchor"] = kind == "promote" and gate["moves_anchor"]
    pairs = {
        "basket": _rows(ids, candidate_right, champion_right),
        "fresh": _rows([r.origin.removeprefix("label:") or r.id for r in sample.rows], *sample.flags()),
    }
    if apart is not None:
        gate["apart"] = {"labels": len(apart.rows), "pairs": apart.stands_for}
        pairs["apart"] = _rows([r.origin.removeprefix("label:") or r.id for r in apart.rows], *apart.flags())
    evidence = {"gate": gate, "pairs": pairs}
    return Verdict(kind, deciding.sentence, (*done, *checks), score, _share(champion_right), evidence)


def right(agent: Agent, rows: Sequence[Example]) -> list[bool]:
    """Whether an agent serves each row."""
    answers = agent.answer_all([r.text for r in rows], [r.account or "" for r in rows])
    return [did_right(r, a) for r, a in zip(rows, answers, strict=True)]


def _decide(checks: Sequence[Check], otherwise: Check) -> tuple[VerdictKind, Check]:
    """The first check that failed, else the first that lacks evidence, else none of them stands against it."""
    for kind, wanted in (("refuse", False), ("hold", None)):
        found = [check for check in checks if check.passed is wanted]
        if found:
            return ("refuse" if kind == "refuse" else "hold"), found[0]
    return "promote", otherwise


def _loads(candidate: Agent, basket: Sequence[Example]) -> Check:
    """The candidate answers at all: a bundle that loads but fails on the first query must not go live."""
    try:
        answers: list[Answer] = candidate.answer_all([r.text for r in basket[:20]] + ["", "hello"])
    except (NoriaError, ValueError, KeyError, IndexError) as error:
        return Check("loads and answers", False, f"The candidate fails to answer: {error}.")
    return Check("loads and answers", True, f"It loaded and answered {len(answers)} queries.", {"n": len(answers)})


def _sample(candidate: Agent, champion: Agent, fresh: Sequence[Example], against: Field) -> Sample:
    champion_right = right(champion, fresh)
    anchor = against.anchor
    anchor_right = champion_right if anchor is None or anchor is champion else right(anchor, fresh)
    best = {name: right(agent, fresh) for name, agent in against.best.items()}
    return Sample(tuple(fresh), right(candidate, fresh), Rivals(champion_right, anchor_right, best, against.standing))


def _basket(
    basket: Sequence[Example],
    champion: Sequence[bool],
    candidate: Sequence[bool],
    learnt: frozenset[str],
    policy: GatePolicy,
) -> Check:
    """The frozen basket: no point lower, and the margin ruled out on the rows whose text is not newly learnt."""
    name = "frozen basket"
    whole = compare(champion, candidate, margin=policy.margin, level=policy.level)
    kept = [i for i, row in enumerate(basket) if row.id not in learnt]
    clean = compare([champion[i] for i in kept], [candidate[i] for i in kept], margin=policy.margin, level=policy.level)
    figures = {"n": whole.n, "difference": whole.difference, "lower": clean.lower, "champion_only": whole.b,
               "candidate_only": whole.c, "bound_n": clean.n, "bound_difference": clean.difference}  # fmt: skip
    what = f"Frozen basket ({whole.n} pairs): {signed(whole.difference)} points against the champion"
    if whole.verdict == "refuse":
        what += f", at least {signed(whole.lower)} with {policy.level:.0%} confidence"
        return Check(name, False, f"{what}; it must not fall.", figures)
    others = f" on the {clean.n} whose text it has not learnt since" if learnt else ""
    if clean.verdict == "refuse":
        return Check(name, False, f"{what}, but {signed(clean.difference)}{others}; it must not fall.", figures)
    what += f", at least {signed(clean.lower)} with {policy.level:.0%} confidence{others}"
    if clean.verdict == "hold":
        more = f"; about {clean.needed} more would settle it" if clean.needed else ""
        sentence = f"{what}; not enough rows yet to rule out a loss of {percent(policy.margin)}{more}."
        return Check(name, None, sentence, figures)
    return Check(name, True, f"{what}.", figures)


def _known_intents(
    basket: Sequence[Example],
    champion: Sequence[bool],
    candidate: Sequence[bool],
    intents: Collection[str],
    policy: GatePolicy,
) -> list[Check]:
    """Where the basket holds intents that are new to the champion: the margin on all other rows by themselves."""
    kept = [i for i, row in enumerate(basket) if row.intent in intents or row.intent in RESERVED_INTENTS]
    if len(kept) == len(basket):
        return []
    said = compare([champion[i] for i in kept], [candidate[i] for i in kept], margin=policy.margin, level=policy.level)
    figures = {"n": said.n, "difference": said.difference, "lower": said.lower, "champion_only": said.b,
               "candidate_only": said.c}  # fmt: skip
    passed = said.lower > -policy.margin
    sentence = (
        f"Frozen basket without intents that are new to the champion ({said.n} pairs): {signed(said.difference)} "
        f"points, at least {signed(said.lower)} with {policy.level:.0%} confidence"
    )
    sentence += "." if passed else f"; a loss of {percent(policy.margin)} is not ruled out."
    return [Check("known intents, frozen basket", passed, sentence, figures)]


def _basket_slices(
    basket: Sequence[Example], champion: Sequence[bool], candidate: Sequence[bool], policy: GatePolicy
) -> list[Check]:
    """Protected slices of the basket: a loss that is proved, or as large as the slice's margin, is refused."""
    checks = []
    for name, rows in slices_of(basket, policy.protected).items():
        if len(rows) < policy.min_slice:
            continue
        pairs = pairs_of([champion[i] for i in rows], [candidate[i] for i in rows])
        said = compare([champion[i] for i in rows], [candidate[i] for i in rows], margin=0.0, level=policy.level)
        margin = policy.margin_of(name)
        lost = said.upper < 0 or pairs.difference <= -margin
        figures = {"n": pairs.n, "champion_only": pairs.b, "candidate_only": pairs.c,
                   "difference": pairs.difference, "lower": said.lower, "upper": said.upper}  # fmt: skip
        sentence = (
            f"{titled(name)} on the frozen basket ({pairs.n} pairs): {signed(pairs.difference)} points against "
            f"the champion, {signed(said.lower)} to {signed(said.upper)}"
        )
        sentence += "; a protected slice must not lose." if lost else "."
        checks.append(Check(f"{name}, frozen basket", not lost, sentence, figures))
    return checks


def _rows(ids: Sequence[str], *flags: Sequence[bool]) -> list[list[str | int]]:
    return [[name, *(int(column[i]) for column in flags)] for i, name in enumerate(ids)]


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else 0.0
