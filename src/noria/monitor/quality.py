"""Production quality by day from labels, each figure with its interval and count."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence

from noria.records import DayQuality, Judged
from noria.stats import wilson

METRICS = ("success", "coverage", "preciseness", "helpfulness", "new_domain", "irrelevant")


def day_of(time_ms: int) -> str:
    """The UTC day of a time, as YYYY-MM-DD."""
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).date().isoformat()


def rates(judged: Sequence[Judged]) -> dict[str, tuple[int, int]]:
    """Successes and trials of every production metric over labelled predictions (uniform within the window).

    success: right answers of in-scope queries. coverage: answers of in-scope queries. preciseness: right answers of
    answers, small talk apart. helpfulness: judged helpful of those judged. new_domain, irrelevant: of all queries.
    """
    inside = [j for j in judged if j.label.relevance == "in_scope"]
    given = [j for j in judged if j.answered and j.label.relevance != "small_talk"]
    helped = [j.label.helpful for j in judged if j.label.helpful is not None]
    return {
        "success": (sum(j.right for j in inside), len(inside)),
        "coverage": (sum(j.answered for j in inside), len(inside)),
        "preciseness": (sum(j.right for j in given), len(given)),
        "helpfulness": (sum(helped), len(helped)),
        "new_domain": (sum(j.label.relevance == "new_domain" for j in judged), len(judged)),
        "irrelevant": (sum(j.label.relevance == "irrelevant" for j in judged), len(judged)),
    }


def by_day(judged: Sequence[Judged], predictions: Mapping[str, int]) -> list[DayQuality]:
    """Quality of each UTC day that has predictions or labels, in order of day, with Wilson intervals at 95 %.

    Args:
        judged: labels with their tasks; a day's labels are those of the queries asked on it.
        predictions: day → number of predictions.
    """
    days: dict[str, list[Judged]] = defaultdict(list)
    for item in judged:
        days[day_of(item.task.query_time_ms)].append(item)
    return [
        DayQuality(
            day=day,
            predictions=predictions.get(day, 0),
            labels=len(days.get(day, [])),
            rates={name: wilson(k, n) for name, (k, n) in rates(days.get(day, [])).items()},
        )
        for day in sorted(set(days) | set(predictions))
    ]
