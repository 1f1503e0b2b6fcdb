"""Production quality by day from labels alone, each figure with its interval and count."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from noria.records import DayQuality, Judged, Rate
from noria.stats import hajek, wilson

METRICS = ("success", "coverage", "preciseness", "helpfulness", "new_domain", "irrelevant")


def day_of(time_ms: int) -> str:
    """The UTC day of a time, as YYYY-MM-DD."""
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).date().isoformat()


def outcomes(judged: Sequence[Judged]) -> dict[str, list[bool | None]]:
    """What each label says for every production metric: succeeded, failed, or None where it does not count.

    success: right answers of in-scope queries. coverage: answers of in-scope queries. preciseness: right answers of
    answers, small talk apart. helpfulness: judged helpful of those judged. new_domain, irrelevant: of all queries.
    """
    inside = [j.label.relevance == "in_scope" for j in judged]
    given = [j.answered and j.label.relevance != "small_talk" for j in judged]
    return {
        "success": [j.right if counts else None for j, counts in zip(judged, inside, strict=True)],
        "coverage": [j.answered if counts else None for j, counts in zip(judged, inside, strict=True)],
        "preciseness": [j.right if counts else None for j, counts in zip(judged, given, strict=True)],
        "helpfulness": [j.label.helpful for j in judged],
        "new_domain": [j.label.relevance == "new_domain" for j in judged],
        "irrelevant": [j.label.relevance == "irrelevant" for j in judged],
    }


def rates(judged: Sequence[Judged]) -> dict[str, tuple[int, int]]:
    """Successes and trials of every production metric, as counted: without weights, hence no estimate of traffic."""
    return {
        name: (sum(o is True for o in said), sum(o is not None for o in said))
        for name, said in outcomes(judged).items()
    }


def by_day(judged: Sequence[Judged], predictions: Mapping[str, int]) -> list[DayQuality]:
    """Quality of each UTC day that has predictions or labels, in order of day, with intervals at 95 %.

    A label weighs one over its chance (Hájek); where all weigh the same it is Wilson's interval. Tasks drawn to explore
    do not count. For more than a day, and for sharper figures, take `production`.

    Args:
        judged: labels with their tasks; a day's labels are those of the queries asked on it.
        predictions: day → number of predictions.

    Returns:
        Rates whose `k` of `n` are counts of labels that weigh equally: of a weighted day, how many it is worth, so
        that days can be added up.
    """
    days: dict[str, list[Judged]] = defaultdict(list)
    for item in judged:
        if item.task.purpose == "estimate":
            days[day_of(item.task.query_time_ms)].append(item)
    return [
        DayQuality(
            day=day,
            predictions=predictions.get(day, 0),
            labels=len(days.get(day, [])),
            rates=_weighed(days.get(day, [])),
        )
        for day in sorted(set(days) | set(predictions))
    ]


def _weighed(judged: Sequence[Judged]) -> dict[str, Rate]:
    chance = np.array([j.task.inclusion_probability for j in judged])
    return {name: _rate(said, chance) for name, said in outcomes(judged).items()}


def _rate(said: Sequence[bool | None], chance: np.ndarray) -> Rate:
    counts = np.array([o is not None for o in said], dtype=bool)
    good = np.array([o is True for o in said], dtype=np.float64)[counts]
    if len(good) == 0 or (chance[counts] == chance[counts][0]).all():
        return wilson(int(good.sum()), len(good))
    estimate = hajek(good, chance[counts])
    n = max(1, round(estimate.n_effective))
    return Rate(estimate.value, estimate.low, estimate.high, min(n, round(estimate.value * n)), n)
