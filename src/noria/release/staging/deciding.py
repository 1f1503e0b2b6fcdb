"""What a challenger's answers come to: advance, hold or roll back. Pure: figures in, a step out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from noria.records import Check
from noria.records.serving.staging import Challenger
from noria.release.judging.wording import percent, signed
from noria.release.staging.policy import StagePolicy
from noria.stats.gating import anytime_paired, anytime_quantile, anytime_rate, anytime_rates

StepKind = Literal["advance", "hold", "roll back"]
TAIL = 0.95
_LOOKED_AT = 4  # errors, latency, quality, thumbs: each may wrongly call a challenger worse


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a challenger now.

    hours, answers, failed_alone, champion_failed_alone, both, latencies and thumbs: in this stage. x: challenger -
    champion (-1, 0, 1) on each labelled query that both answered, since the first stage, in the order of their time;
    weight: 0 to 1, in proportion to one over the chance with which each came to be labelled. pair_ids: their names.
    """

    hours: float = 0.0
    answers: int = 0
    both: int = 0
    failed_alone: int = 0
    champion_failed_alone: int = 0
    challenger_ms: Sequence[float] = ()
    champion_ms: Sequence[float] = ()
    thumbs: tuple[int, int, int, int] = (0, 0, 0, 0)
    x: Sequence[int] = ()
    weight: Sequence[float] = ()
    pair_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, why in one sentence, and every check. lacking: labels that a hold lacks, about; 0 = none."""

    kind: StepKind
    sentence: str
    checks: tuple[Check, ...]
    lacking: int = field(default=0)


def decide(challenger: Challenger, evidence: Evidence, policy: StagePolicy) -> Step:
    """`roll back` where one check failed, else `hold` where one lacks evidence, else `advance`.

    A challenger that is not worse in anything is rolled back with a chance of at most `stage_alpha`, and one that is
    worse by the margin advances with a chance of at most `stage_alpha`, over all looks.
    """
    if challenger.failure:
        broken = Check("answers", False, f"{_where(challenger)}: {challenger.failure}.")
        return Step("roll back", broken.sentence, (broken,))
    # errors, latency and thumbs are asked anew in each stage, quality over all of them
    alpha = policy.stage_alpha / _LOOKED_AT
    each = alpha / len(challenger.shares)
    where = _where(challenger)
    quality, lacking = _quality(evidence, policy, alpha)
    checks = (
        _errors(evidence, policy, each, where),
        _latency(evidence, policy, each, where),
        quality,
        *_thumbs(challenger, evidence, each, where),
        _long_enough(evidence, policy, where),
    )
    failed = [check for check in checks if check.passed is False]
    waiting = [check for check in checks if check.passed is None]
    if failed:
        return Step("roll back", failed[0].sentence, checks)
    if waiting:
        return Step("hold", waiting[0].sentence, checks, lacking)
    return Step("advance", quality.sentence, checks)


def described(share: float, unit: str) -> str:
    """A stage in words."""
    return "in shadow" if share == 0 else f"as a canary for {100 * share:g} % of the {unit}s"


def _where(challenger: Challenger) -> str:
    return described(challenger.share, challenger.unit).capitalize()


def _errors(evidence: Evidence, policy: StagePolicy, alpha: float, where: str) -> Check:
    n, own, other = evidence.both, evidence.failed_alone, evidence.champion_failed_alone
    extra = (own - other) / n if n else 0.0
    lower = anytime_rate(own, n, alpha / 2)[0] - anytime_rate(other, n, alpha / 2)[1]
    figures = {"n": n, "challenger_only": own, "champion_only": other, "lower": lower, "margin": policy.error_margin}
    sentence = f"{where}: it failed alone on {own} of {n} queries, the live release on {other}"
    if lower > policy.error_margin:
        return Check("errors", False, f"{sentence}; {percent(policy.error_margin)} more are borne.", figures)
    return Check("errors", None if extra > policy.error_margin else True, f"{sentence}.", figures)


def _latency(evidence: Evidence, policy: StagePolicy, alpha: float, where: str) -> Check:
    own, other = evidence.challenger_ms, evidence.champion_ms
    if not own or not other:
        return Check("latency", None, f"{where}: no answer was timed yet.", {"n": len(own)})
    (low, high), (other_low, other_high) = (anytime_quantile(v, TAIL, alpha / 2) for v in (own, other))
    p95, other_p95 = _quantile(own), _quantile(other)
    bounds = (low / other_high if other_high > 0 else math.nan, high / other_low if other_low > 0 else math.inf)
    known = {"ratio_low": bounds[0], "ratio_high": bounds[1], "p95_low_ms": low}
    figures = {"n": len(own), "champion_n": len(other), "p95_ms": p95, "champion_p95_ms": other_p95}
    figures |= {name: value for name, value in known.items() if math.isfinite(value)}
    sentence = f"{where}: 95 % of its answers came within {p95:.3g} ms, of the live release's within {other_p95:.3g} ms"
    if math.isfinite(bounds[0]) and bounds[0] > 0:
        most = f"{bounds[1]:.2g}" if math.isfinite(bounds[1]) else "many"
        sentence += f" (ratio {bounds[0]:.2g} to {most})"
    if bounds[0] > policy.latency_ratio and low > policy.latency_floor_ms:
        return Check("latency", False, f"{sentence}; {policy.latency_ratio:g} times as long is borne.", figures)
    slow = p95 > policy.latency_ratio * other_p95 and p95 > policy.latency_floor_ms
    return Check("latency", None if slow else True, f"{sentence}.", figures)


def _quality(evidence: Evidence, policy: StagePolicy, alpha_worse: float) -> tuple[Check, int]:
    said = anytime_paired(
        evidence.x, policy.stage_margin, policy.stage_alpha, alpha_worse=alpha_worse, weight=evidence.weight
    )
    figures = {"n": said.n, "lower": said.lower, "upper": said.upper, "margin": policy.stage_margin,
               "alpha": policy.stage_alpha, "alpha_worse": alpha_worse}  # fmt: skip
    if said.n:
        figures["difference"] = said.difference
    what = f"Labelled queries that both answered ({said.n}): "
    what += f"{signed(said.difference)} points, {signed(said.lower)} to {signed(said.upper)}" if said.n else "none yet"
    if said.verdict == "worse":
        return Check("quality", False, f"{what}; it is worse than the live release.", figures), 0
    if said.verdict == "not worse":
        return Check("quality", True, f"{what}; a loss of {percent(policy.stage_margin)} is ruled out.", figures), 0
    if not policy.stage_labels:
        return Check("quality", True, f"{what}; not found to be worse.", figures), 0
    if said.lower > -policy.stage_margin:
        return Check("quality", None, f"{what}; it must not be below the live release.", figures), 0
    if said.lacking is None:
        return Check("quality", None, f"{what}; if it goes on like this, no number of labels will do.", figures), 0
    figures["lacking"] = said.lacking
    sentence = f"{what}; not enough labels yet to rule out a loss of {percent(policy.stage_margin)}: about "
    return Check("quality", None, f"{sentence}{said.lacking} are lacking.", figures), said.lacking


def _thumbs(challenger: Challenger, evidence: Evidence, alpha: float, where: str) -> list[Check]:
    """Only where each answers sessions of its own, picked one by one: accounts differ by themselves."""
    n1, k1, n0, k0 = evidence.thumbs
    if challenger.mode == "shadow" or challenger.share >= 1 or challenger.unit == "account" or not n1 or not n0:
        return []
    rates = anytime_rates(k1, n1, k0, n0, alpha)
    figures = {"n": n1, "champion_n": n0, "difference": rates.value, "lower": rates.lower, "upper": rates.upper}
    sentence = (
        f"{where}: {percent(k1 / n1)} of {n1} sessions said that it helped, {percent(k0 / n0)} of {n0} of the live "
        f"release's ({signed(rates.lower)} to {signed(rates.upper)} points)"
    )
    worse = rates.upper < 0
    return [Check("thumbs", not worse, f"{sentence}; that is worse." if worse else f"{sentence}.", figures)]


def _long_enough(evidence: Evidence, policy: StagePolicy, where: str) -> Check:
    figures = {"hours": round(evidence.hours, 2), "answers": evidence.answers}
    sentence = (
        f"{where}: {evidence.answers} answers in {evidence.hours:.1f} hours; {policy.stage_answers} answers and "
        f"{policy.stage_hours:g} hours are the least"
    )
    enough = evidence.answers >= policy.stage_answers and evidence.hours >= policy.stage_hours
    return Check("time", True if enough else None, f"{sentence}.", figures)


def _quantile(values: Sequence[float]) -> float:
    falling = sorted(values, reverse=True)
    return falling[min(len(falling) - 1, int((1 - TAIL) * len(falling)))]
