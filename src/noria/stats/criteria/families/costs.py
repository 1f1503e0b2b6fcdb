"""Criteria of the components efficiency (time, size) and business (what the decisions save and cost).

Example:
    >>> CRITERIA[0].id
    'efficiency.latency_p50_ms'
"""

from __future__ import annotations

import numpy as np

from noria.stats.criteria.criterion import Criterion, plain, share, weighted
from noria.stats.criteria.families.decision import selective
from noria.stats.criteria.sample import Sample, divided, ratio
from noria.stats.criteria.view import Floats, View

OWN = "own definition"
_COSTS = "own definition; costs in units of one hand-over, see `Costs`"
_INFINITE = (0.0, float("inf"))
SLOW_MS = 100.0
"""Beyond so many milliseconds a reply no longer feels immediate (Nielsen 1993)."""


def _latencies(view: View) -> Floats:
    return np.asarray(view.observed.latencies_ms, dtype=np.float64)


def _latency(percent: float) -> Criterion:
    def compute(view: View) -> float:
        values = _latencies(view)
        return float(np.percentile(values, percent)) if len(values) else float("nan")

    return plain(f"efficiency.latency_p{percent:g}_ms", f"{percent:g}th percentile of the time of one answer", compute,
                 direction="lower", unit="milliseconds", needs=("latencies_ms",), source=OWN, lacks="a timed answer",
                 bounds=_INFINITE)  # fmt: skip


def _over_latencies(name: str, said: str, unit: str, compute: object, direction: str = "lower") -> Criterion:
    def of(view: View) -> float:
        values = _latencies(view)
        return float(compute(values)) if len(values) and values.sum() > 0 else float("nan")  # type: ignore[operator]

    return plain(f"efficiency.{name}", said, of, direction=direction, unit=unit, needs=("latencies_ms",),  # type: ignore[arg-type]
                 source=OWN, lacks="a timed answer", bounds=_INFINITE)  # fmt: skip


def _figure(name: str, said: str, unit: str) -> Criterion:
    return plain(f"efficiency.{name}", said, lambda v: float(v.observed.efficiency[name]), direction="lower",
                 unit=unit, needs=(f"efficiency.{name}",), source=OWN, bounds=_INFINITE)  # fmt: skip


def _per_figure(name: str, said: str, unit: str, top: str, bottom: str, factor: float = 1.0) -> Criterion:
    def compute(view: View) -> float:
        below = view.observed.efficiency[bottom]
        return factor * view.observed.efficiency[top] / below if below else float("nan")

    return plain(f"efficiency.{name}", said, compute, direction="lower", unit=unit,
                 needs=(f"efficiency.{top}", f"efficiency.{bottom}"), source=OWN, bounds=_INFINITE)  # fmt: skip


def _spent(view: View) -> Floats:
    """Cost (n,) of each judged query as it was decided."""
    costs = view.observed.costs
    wrong = costs.wrong * view.wrong_answer
    return np.asarray(
        costs.answer * view.answered + wrong + costs.clarify * view.clarified + costs.handoff * view.handed
    )


def _cost(s: Sample) -> Floats:
    return s.mean(_spent(s.view), s.view.judged)


def _unavoidable(view: View) -> Floats:
    """Cost (n,) of an agent that knows the truth: it answers what is in scope and hands over the rest."""
    costs = view.observed.costs
    return np.where(view.inside, costs.answer, costs.handoff)


def _best_cost(s: Sample) -> Floats:
    """Least mean cost over confidence thresholds below which everything is handed over."""
    costs, curve = s.view.observed.costs, selective(s)
    total = s.total(s.view.judged)
    wrong = curve.accepted - curve.right
    spent = costs.answer * curve.accepted + costs.wrong * wrong + costs.handoff * (total[:, None] - curve.accepted)
    least = np.minimum(costs.handoff * total, spent.min(axis=1, initial=np.inf))
    return ratio(least, total)


def _regret(s: Sample) -> Floats:
    return _cost(s) - _best_cost(s)


def _saved(s: Sample) -> Floats:
    return s.view.observed.costs.handoff - _cost(s)


def _saved_share(s: Sample) -> Floats:
    possible = s.view.observed.costs.handoff - s.mean(_unavoidable(s.view), s.view.judged)
    return divided(_saved(s), possible, np.nan)


def _per_thousand(name: str, said: str, rows: object, unit: str) -> Criterion:
    def compute(s: Sample) -> Floats:
        counted = rows(s.view).astype(np.float64)  # type: ignore[operator]
        return 1000 * s.mean(counted, s.view.judged)

    return weighted(f"business.{name}", said, compute, direction="lower", unit=unit, source=OWN,
                    bounds=(0.0, 1000.0))  # fmt: skip


CRITERIA: tuple[Criterion, ...] = (
    *(_latency(p) for p in (50, 90, 95, 99)),
    _over_latencies("latency_mean_ms", "mean time of one answer", "milliseconds", np.mean),
    _over_latencies("latency_max_ms", "longest time of one answer", "milliseconds", np.max),
    _over_latencies("latency_tail", "99th percentile of the time of one answer ÷ the median", "ratio",
                    lambda x: np.percentile(x, 99) / max(float(np.median(x)), 1e-9)),
    _over_latencies("slow_answers", f"answers that took more than {SLOW_MS:g} ms ÷ answers", "share",
                    lambda x: (x > SLOW_MS).mean()),
    _over_latencies("throughput_per_s", "answers a second, one after the other", "answers per second",
                    lambda x: 1000 * len(x) / x.sum(), "higher"),
    _figure("train_seconds", "time of fitting", "seconds"),
    _figure("bundle_bytes", "size of the model bundle", "bytes"),
    _figure("peak_memory_bytes", "largest memory of the process", "bytes"),
    _figure("load_seconds", "time from files to a model that answers", "seconds"),
    _figure("cpu_seconds", "processor time of all the answers", "seconds"),
    _per_figure("train_ms_per_row", "time of fitting ÷ training rows", "milliseconds per row", "train_seconds",
                "train_rows", 1000.0),
    _per_figure("bytes_per_intent", "size of the model bundle ÷ intents", "bytes per intent", "bundle_bytes",
                "intents"),
    share("business.deflected", "queries settled without a person if every right answer settles one (in-scope "
          "answered right ÷ judged queries): the confirmed end of the band", lambda v: v.top_right & v.answered,
          lambda v: v.judged, source="glossary"),
    share("business.deflected_at_most", "judged queries that got an answer, right or wrong ÷ judged queries: the "
          "potential end of the band", lambda v: v.answered, lambda v: v.judged, source="glossary"),
    _per_thousand("handovers_per_1000", "hand-overs of 1,000 judged queries", lambda v: v.handed, "hand-overs"),
    _per_thousand("questions_per_1000", "queries asked back of 1,000 judged ones", lambda v: v.clarified, "queries"),
    _per_thousand("wrong_answers_per_1000", "wrong answers of 1,000 judged queries", lambda v: v.wrong_answer,
                  "answers"),
    _per_thousand("needless_handovers_per_1000", "hand-overs of 1,000 judged queries whose top intent was right",
                  lambda v: v.handed & v.top_right, "hand-overs"),
    _per_thousand("contacts_per_1000", "hand-overs plus wrong answers of 1,000 judged queries: people who come to the "
                  "desk in the end", lambda v: v.handed | v.wrong_answer, "contacts"),
    weighted("business.cost_per_query", "mean cost of a judged query", _cost, direction="lower", unit="hand-overs",
             source=_COSTS, bounds=_INFINITE),
    weighted("business.cost_of_wrong_answers", "part of that cost from wrong answers",
             lambda s: s.view.observed.costs.wrong * s.mean(s.view.wrong_answer.astype(np.float64), s.view.judged),
             direction="lower", unit="hand-overs", source=_COSTS, bounds=_INFINITE),
    weighted("business.saved_per_query", "cost of handing over every query minus the mean cost", _saved,
             unit="hand-overs", source=_COSTS, bounds=(-np.inf, np.inf)),
    weighted("business.saved_of_possible", "what is saved ÷ what an agent would save that knows the truth",
             _saved_share, source=_COSTS, bounds=(-np.inf, 1.0)),
    weighted("business.least_cost_per_query", "least mean cost over confidence thresholds, without asking back",
             _best_cost, direction="lower", unit="hand-overs", source=_COSTS, bounds=_INFINITE),
    weighted("business.regret_per_query", "mean cost minus the least over confidence thresholds", _regret,
             direction="lower", unit="hand-overs", source=_COSTS, bounds=(-np.inf, np.inf)),
    weighted("business.right_per_wrong", "right answers for each wrong one",
             lambda s: ratio(s.total(s.view.top_right & s.view.answered), s.total(s.view.wrong_answer)),
             unit="ratio", source=OWN, bounds=_INFINITE, lacks="a wrong answer"),
)  # fmt: skip
