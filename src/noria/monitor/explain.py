"""Why a finding came about: before against after its inception, slice by slice, with what happened at that time."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from noria.errors import UsageError
from noria.monitor.quality import day_of
from noria.records import DAY_MS, HOUR_MS, Finding, Judged
from noria.records.findings import Dimension, Explanation, Happening, Part
from noria.stats.attribution import SlicePart, Split, split_change
from noria.stats.grouping import key_phrases
from noria.stats.intervals import Floats
from noria.stats.mergeable import rate_sums

if TYPE_CHECKING:
    from noria.stores import Stores

DIMENSIONS = ("intent", "account", "channel", "language", "release", "article", "topic")
_WORDS = {
    "success": "Success on in-scope queries",
    "coverage": "The share of in-scope queries that got an answer",
    "preciseness": "The share of right answers",
    "helpfulness": "The share judged helpful",
    "new_domain": "The share of requests inside the scope",
    "irrelevant": "The share of queries that are a support request",
}
_MIX = {"release": "other releases answering", "article": "other articles shown"}
_CLEAR = 4.0
"""z score of a word that is said more: of some thousand words hardly one gets there by chance."""
_NEAR = 5
_KEPT = 12


@dataclass(frozen=True, slots=True)
class ExplainPolicy:
    """What is compared. explain_days: days before the inception, and at most since it.

    explain_level: certainty with which a slice is said to have changed, over all slices looked at. near_days: how far
    from the inception something may have happened to be named.
    """

    explain_days: int = 28
    explain_level: float = 0.95
    near_days: float = 2.0

    def __post_init__(self) -> None:
        if self.explain_days < 1 or not 0 < self.explain_level < 1:
            told = f"explain_days = {self.explain_days} and explain_level = {self.explain_level}"
            raise UsageError(f"{told} make no sense; give 1 or more, and a share such as 0.95.")


@dataclass(frozen=True, slots=True)
class Around:
    """What is known besides labels. topics: prediction → title of the topic it is in. `happenings`: in any order."""

    happenings: Sequence[Happening] = ()
    topics: Mapping[str, str] = field(default_factory=dict)


def explain(stores: Stores, finding: Finding, around: Around, policy: ExplainPolicy, *, now_ms: int) -> Explanation:
    """Compares the labels and texts before the inception with those since.

    Args:
        stores: the journal.
        finding: the alarm with its inception.
        around: what happened, and topics.
        policy: spans and certainty.
        now_ms: the present; nothing later is looked at.
    """
    span_ms = policy.explain_days * DAY_MS
    low, since = finding.inception_low_ms, finding.inception_ms
    until = min(now_ms, since + span_ms)
    metric = finding.metric.split(":")[0].split("@")[0]
    good = outcome(metric)
    sides = [[j for j in stores.journal.judged(*part) if counts(j, finding) and good(j) is not None]
             for part in ((low - span_ms, low), (since, until))]  # fmt: skip
    facts = stores.journal.watching.facts([j.task.prediction_id for side in sides for j in side])
    splits = {}
    for name in DIMENSIONS:
        if name == "intent" and metric in ("new_domain", "irrelevant"):
            continue  # a label names an intent only where a query is in scope: the metric itself
        value = _value_of(name, facts, around)
        old, new = (_sums(side, value, good) for side in sides)
        if len({*old, *new}) > 1 and (split := split_change(old, new)) is not None:
            splits[name] = split
    least = _least(splits, policy.explain_level)
    texts = [[j.task.text for j in side] for side in sides]
    if not finding.slice:  # of a slice only labels tell who is in it
        texts = [stores.journal.watching.texts(*part) for part in ((low - span_ms, low), (since, until))]
    words = key_phrases(texts[1], texts[0], most=5, least=_CLEAR) if all(texts) else ()
    near = _near(finding, around.happenings, policy)
    whole = split_change(*({"": s} for s in (_total(side, good) for side in sides)))
    before, after = (whole.before, whole.after) if whole else (finding.before, finding.after)
    return Explanation(
        finding_id=finding.finding_id,
        time_ms=now_ms,
        since_ms=low - span_ms,
        until_ms=until,
        before=before,
        after=after,
        n_before=len(sides[0]),
        n_after=len(sides[1]),
        sentences=tuple(_sentences(finding, metric, whole, sides, splits, words, near, least)),
        dimensions=tuple(_dimension(name, split, least) for name, split in splits.items()),
        words=words,
        near=near,
    )


def counts(judged: Judged, finding: Finding) -> bool:
    """Whether a label is evidence, and of the slice that a finding is about."""
    kind, _, value = finding.slice.partition("=")
    own = {"": "", "account": judged.task.account, "intent": judged.label.intent}[kind]
    return judged.task.purpose == "estimate" and own == value


def of_slice(finding: Finding) -> str:
    """The slice of a finding as words that follow a metric; "" for all traffic."""
    return f" with {finding.slice.replace('=', ' ', 1)}" if finding.slice else ""


def outcome(metric: str) -> Callable[[Judged], bool | None]:
    """Whether a label speaks for the metric, against it, or does not count; "good" is what the agent should be."""

    def of(j: Judged) -> bool | None:
        relevance = j.label.relevance
        if metric == "coverage":
            return j.answered if relevance == "in_scope" else None
        if metric == "preciseness":
            return j.right if j.answered and relevance != "small_talk" else None
        if metric == "helpfulness":
            return j.label.helpful
        if metric == "new_domain":
            return relevance == "in_scope" if relevance in ("in_scope", "new_domain") else None
        if metric == "irrelevant":
            return relevance != "irrelevant"
        return j.right if relevance == "in_scope" else None

    return of


def _value_of(name: str, facts: Mapping[str, tuple[str, str]], around: Around) -> Callable[[Judged], str | None]:
    """Label → its value of a dimension, None where it has none."""

    def of(j: Judged) -> str | None:
        task = j.task
        if name in ("channel", "language"):
            told = facts.get(task.prediction_id)
            return told and told[name == "language"]
        if name == "article":
            return task.article_ids[0] if task.article_ids and task.decision == "answer" else "no article"
        if name == "topic":
            return around.topics.get(task.prediction_id, "no topic")
        return {"intent": j.label.intent or j.label.relevance, "account": task.account, "release": task.release}[name]

    return of


def _sums(
    side: Sequence[Judged], value: Callable[[Judged], str | None], good: Callable[[Judged], bool | None]
) -> dict[str, Floats]:
    rows: dict[str, list[Judged]] = defaultdict(list)
    for j in side:
        if (name := value(j)) is not None:
            rows[name].append(j)
    return {name: _total(own, good) for name, own in rows.items()}


def _total(side: Sequence[Judged], good: Callable[[Judged], bool | None]) -> Floats:
    said = [float(good(j) is True) for j in side]
    total: Floats = rate_sums(said, [j.task.inclusion_probability for j in side]).sum(axis=0)
    return total


def _near(finding: Finding, happenings: Sequence[Happening], policy: ExplainPolicy) -> tuple[Happening, ...]:
    reach = policy.near_days * DAY_MS
    low, high = finding.inception_low_ms - reach, finding.inception_high_ms + DAY_MS
    close = [h for h in happenings if low <= h.time_ms <= high]
    return tuple(sorted(close, key=lambda h: (abs(h.time_ms - finding.inception_ms), h.name))[:_NEAR])


def _dimension(name: str, split: Split, least: float) -> Dimension:
    fields = [f for f in SlicePart.__slots__ if f != "apart"]
    parts = [
        Part(value, **{f: getattr(p, f) for f in fields}, apart=abs(p.apart) >= least)
        for value, p in split.parts.items()
    ]
    largest = sorted(parts, key=lambda p: (-abs(p.mix + p.within), p.value))
    if len(largest) > _KEPT:
        largest = [*largest[:_KEPT], _rest(largest[_KEPT:])]
    return Dimension(name, split.mix, split.within, tuple(largest))


def _least(splits: Mapping[str, Split], level: float) -> float:
    """The z score from which on a slice moved for certain, whichever of all that were looked at it is (Bonferroni)."""
    tested = sum(p.apart != 0 for split in splits.values() for p in split.parts.values())
    return -NormalDist().inv_cdf((1 - level) / 2 / max(tested, 1))


def _rest(parts: Sequence[Part]) -> Part:
    """All others in one, so that a dimension still adds up to the change."""
    return Part(
        value=f"{len(parts)} others",
        mix=math.fsum(p.mix for p in parts),
        within=math.fsum(p.within for p in parts),
        share_before=math.fsum(p.share_before for p in parts),
        share_after=math.fsum(p.share_after for p in parts),
        before=math.nan,
        after=math.nan,
        labels_before=sum(p.labels_before for p in parts),
        labels_after=sum(p.labels_after for p in parts),
        z=0.0,
    )


def _sentences(
    finding: Finding, metric: str, whole: Split | None, sides: Sequence[Sequence[Judged]],
    splits: Mapping[str, Split], words: Sequence[str], near: Sequence[Happening], least: float,
) -> list[str]:  # fmt: skip
    said = []
    if whole is not None and metric in _WORDS:
        points = 100 * (whole.after - whole.before)
        said.append(
            f"{_WORDS[metric]}{of_slice(finding)} {'fell' if points < 0 else 'rose'} by {abs(points):.1f} points: from "
            f"{_percent(whole.before)} before {day_of(finding.inception_low_ms)} ({len(sides[0])} labels) to "
            f"{_percent(whole.after)} since {day_of(finding.inception_ms)} ({len(sides[1])} labels)."
        )
        said += _told(splits, least)
    if words:
        said.append(f"Said more than before: {', '.join(f'“{w}”' for w in words)}.")
    said += [_happened(h, finding) for h in near]
    return said


def _told(splits: Mapping[str, Split], least: float) -> list[str]:
    """The dimension that tells most, and every slice that moved further than the rest, the way of the whole."""
    if not splits:
        return []
    every = [(name, value, p) for name, split in splits.items() for value, p in split.parts.items()]
    # what moved less than the rest is apart from it, too, and no reason
    moved = [t for t in every if t[2].apart * (splits[t[0]].after - splits[t[0]].before) > 0]
    clear = sorted((t for t in moved if abs(t[2].apart) >= least), key=lambda t: (-abs(t[2].apart), t[0], t[1]))
    name = clear[0][0] if clear else max(splits, key=lambda n: _spread(splits[n]))
    split = splits[name]
    how = "worse" if split.within < 0 else "better"
    other = _MIX.get(name, "other things asked")
    said = [f"By {name}, {_points(split.within)} from things going {how} and {_points(split.mix)} from {other}."]
    said += [_slice(dimension, value, p) for dimension, value, p in clear[:4]]
    if not clear:
        said.append("No single slice stands out from chance; more labels since the change would tell.")
    gone = [(n, v, p) for n, s in splits.items() for v, p in s.parts.items() if n in ("intent", "topic", "account")
            and p.mix <= -0.01 and abs(p.mix) > abs(p.within)]  # fmt: skip
    for dimension, value, p in sorted(gone, key=lambda t: (t[2].mix, t[0], t[1]))[:2]:
        said.append(
            f"{dimension.capitalize()} {value} went from {_percent(p.share_before)} to {_percent(p.share_after)} of "
            f"what was asked, with a rate of {_percent(p.after if p.labels_after else p.before)}: {_points(p.mix)}."
        )
    return said


def _spread(split: Split) -> float:
    return max((abs(p.within) for p in split.parts.values()), default=0.0)


def _slice(dimension: str, value: str, p: SlicePart) -> str:
    """One slice that went better or worse."""
    return (
        f"{dimension.capitalize()} {value}: from {_percent(p.before)} of {p.labels_before} labels to "
        f"{_percent(p.after)} of {p.labels_after}, {_points(p.within)} of the change."
    )


def _happened(h: Happening, finding: Finding) -> str:
    away = h.time_ms - finding.inception_ms
    hours = abs(away) / HOUR_MS
    far, unit = (round(hours), "hour") if hours < 48 else (round(hours / 24), "day")
    side, unit = "after" if away > 0 else "before", unit + "s" * (far > 1)
    when = "when it began" if hours < 1 else f"{far} {unit} {side} the likely beginning"
    if hours >= 1 and finding.inception_low_ms <= h.time_ms <= finding.inception_high_ms:
        when += ", within the span in which it began"
    at = dt.datetime.fromtimestamp(h.time_ms / 1000, dt.UTC)
    return f"{h.sentence.rstrip('.')} on {at.day} {at:%b %H:%M}, {when}."


def _percent(share: float) -> str:
    return "–" if np.isnan(share) else f"{100 * share:.1f} %"


def _points(change: float) -> str:
    return f"{100 * change:+.1f} points".replace("-", "\u2212")
