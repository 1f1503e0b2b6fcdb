"""A seeded generator of dated traffic with a weekly rhythm and changes that begin on known days."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from noria.errors import UsageError, nearest
from noria.records import DAY_MS, IRRELEVANT, NO_ARTICLE, OOS, SMALL_TALK, Article, Example, Relevance, StreamRow

WEEKDAY_FACTORS = (1.25, 1.15, 1.1, 1.1, 1.0, 0.3, 0.2)
HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 12, 24, 28, 26, 22, 14, 20, 24, 22, 18, 10, 6, 4, 3, 2, 2, 1)
ChangeKind = Literal["new_domain", "reworded", "mix_shift", "spam_wave", "article_broken", "label_noise"]


@dataclass(frozen=True, slots=True)
class Account:
    """A customer: its share of all traffic and the weight of each domain in its own."""

    account: str
    title: str
    share: float
    domain_weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Corpus:
    """What traffic is made of. `utterances` hold the traffic pool; `other`: oos, irrelevant, small_talk, spam."""

    utterances: tuple[Example, ...]
    reworded: Mapping[str, tuple[str, ...]]
    other: Mapping[str, tuple[str, ...]]
    articles: tuple[Article, ...]
    accounts: tuple[Account, ...]
    slots: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that begins on a known day of the stream (0 = the first) and lasts, or ends before `end_day`.

    new_domain: queries of the domain `target` appear (never before). reworded: a `share` of the queries of intent
    `target` speaks the new words. mix_shift: the domain `target` is asked for `share` times as often. spam_wave: spam
    makes up `share` of the traffic. article_broken: the article `target` does not help any more. label_noise: a `share`
    of labels is wrong (done by the replay's labellers).
    """

    kind: ChangeKind
    start_day: int
    target: str = ""
    share: float = 1.0
    end_day: int | None = None

    def active(self, day: int) -> bool:
        """Whether it is on at a day of the stream."""
        return self.start_day <= day and (self.end_day is None or day < self.end_day)

    @property
    def sentence(self) -> str:
        """What happens, for people."""
        return {
            "new_domain": f"new domain: {self.target}",
            "reworded": f"reworded: {self.target}",
            "mix_shift": f"{self.share:g} times as many queries on {self.target}",
            "spam_wave": f"spam wave, {self.share:.0%} of the traffic",
            "article_broken": f"article {self.target} is out of date",
            "label_noise": f"{self.share:.0%} of labels are wrong",
        }[self.kind]


@dataclass(frozen=True, slots=True)
class TrafficPlan:
    """How much traffic, from when, and with which changes."""

    start_ms: int
    days: int = 60
    queries_a_day: float = 400.0
    seed: int = 1
    out_of_scope: float = 0.05
    irrelevant: float = 0.03
    small_talk: float = 0.05
    changes: tuple[Change, ...] = field(default_factory=tuple)


def generate(corpus: Corpus, plan: TrafficPlan) -> list[StreamRow]:
    """The stream, in order of time; the same corpus and plan give the same rows.

    Raises:
        UsageError: a change names a domain, intent or article that the corpus does not have.
    """
    _check(corpus, plan)
    rng = np.random.Generator(np.random.PCG64(plan.seed))
    writer = _Writer(corpus, plan, rng)
    hours = np.array(HOUR_WEIGHTS) / sum(HOUR_WEIGHTS)
    rows: list[StreamRow] = []
    for day in range(plan.days):
        begin_ms = plan.start_ms + day * DAY_MS
        weekday = dt.datetime.fromtimestamp(begin_ms / 1000, dt.UTC).weekday()
        count = int(rng.poisson(plan.queries_a_day * WEEKDAY_FACTORS[weekday]))
        offsets = np.sort(rng.choice(24, size=count, p=hours) * 3_600_000 + rng.integers(0, 3_600_000, size=count))
        rows += [writer.row(day, number, begin_ms + int(offset)) for number, offset in enumerate(offsets)]
    return rows


def _check(corpus: Corpus, plan: TrafficPlan) -> None:
    known: dict[str, set[str | None]] = {
        "new_domain": {u.domain for u in corpus.utterances},
        "mix_shift": {u.domain for u in corpus.utterances},
        "reworded": {*corpus.reworded},
        "article_broken": {a.article_id for a in corpus.articles},
    }
    for change in plan.changes:
        names = {n for n in known.get(change.kind, {change.target}) if n is not None}
        if change.target not in names:
            raise UsageError(f"change {change.kind!r}: {change.target!r} is not known. {nearest(change.target, names)}")


class _Writer:
    """Writes single queries."""

    def __init__(self, corpus: Corpus, plan: TrafficPlan, rng: np.random.Generator) -> None:
        self.corpus, self.plan, self.rng = corpus, plan, rng
        self.pools: dict[str, list[str]] = {}
        self.by_domain: dict[str, list[str]] = {}
        for item in corpus.utterances:
            self.pools.setdefault(item.intent, []).append(item.text)
            intents = self.by_domain.setdefault(item.domain or "", [])
            if item.intent not in intents:
                intents.append(item.intent)
        self.article_of = {i: a.article_id for a in reversed(corpus.articles) for i in a.intents}
        self.shares = np.array([a.share for a in corpus.accounts])
        self.shares = self.shares / self.shares.sum()

    def row(self, day: int, number: int, time_ms: int) -> StreamRow:
        """One query of a day."""
        account = self.corpus.accounts[int(self.rng.choice(len(self.shares), p=self.shares))]
        kind = self._kind(day)
        intent: str | None = None
        article: str | None = None
        relevance: Relevance | None = None
        if kind == "request":
            intent = self._intent(day, account)
            text = self._pick(self._pool(day, intent))
            article = self._article(day, intent)
        else:
            pool = self.corpus.other[kind]
            text = self._pick(pool)
            intent = {"oos": OOS, "small_talk": SMALL_TALK}.get(kind, IRRELEVANT)
            named: dict[str, Relevance] = {OOS: "new_domain", SMALL_TALK: "small_talk", IRRELEVANT: "irrelevant"}
            relevance = named[intent]
        return StreamRow(
            id=f"q{day:03d}-{number:04d}",
            time_ms=time_ms,
            account=account.account,
            text=self._vary(text, plain=kind != "request"),
            intent=intent,
            article_id=article,
            relevance=relevance,
        )

    def _kind(self, day: int) -> str:
        spam = max((c.share for c in self._active(day, "spam_wave")), default=0.0)
        rest = 1 - spam
        edges = np.cumsum(
            [spam, rest * self.plan.out_of_scope, rest * self.plan.irrelevant, rest * self.plan.small_talk]
        )
        place = int(np.searchsorted(edges, self.rng.random(), side="right"))
        return ("spam", "oos", "irrelevant", "small_talk", "request")[place]

    def _intent(self, day: int, account: Account) -> str:
        later = {c.target for c in self.plan.changes if c.kind == "new_domain" and not c.active(day)}
        boost = {c.target: c.share for c in self._active(day, "mix_shift")}
        domains = [d for d in self.by_domain if d not in later and account.domain_weights.get(d, 0) > 0]
        weights = np.array([account.domain_weights[d] * boost.get(d, 1.0) for d in domains])
        domain = domains[int(self.rng.choice(len(domains), p=weights / weights.sum()))]
        intents = self.by_domain[domain]
        # the first intents of a domain are asked more often, as in real help desks
        skew = 1 / (1 + np.arange(len(intents))) ** 0.5
        return intents[int(self.rng.choice(len(intents), p=skew / skew.sum()))]

    def _pool(self, day: int, intent: str) -> Sequence[str]:
        for change in self._active(day, "reworded"):
            if change.target == intent and self.rng.random() < change.share:
                return self.corpus.reworded[intent]
        return self.pools[intent]

    def _article(self, day: int, intent: str) -> str | None:
        article = self.article_of.get(intent)
        return NO_ARTICLE if any(c.target == article for c in self._active(day, "article_broken")) else article

    def _active(self, day: int, kind: ChangeKind) -> list[Change]:
        return [c for c in self.plan.changes if c.kind == kind and c.active(day)]

    def _pick(self, pool: Sequence[str]) -> str:
        return pool[int(self.rng.integers(len(pool)))]

    def _vary(self, text: str, *, plain: bool) -> str:
        """Slots filled; sometimes an opener, a closer, other case, a slip of the finger."""
        for slot, values in self.corpus.slots.items():
            if "{" + slot + "}" in text:
                text = text.replace("{" + slot + "}", self._pick(values))
        chance = self.rng.random(4)
        if not plain:
            if chance[0] < 0.15:
                text = self._pick(self.corpus.slots["prefix"]) + text
            if chance[1] < 0.15:
                text += self._pick(self.corpus.slots["suffix"])
        if chance[2] < 0.25:
            text = text.lower()
        if chance[3] < 0.12 and len(text) > 8:
            at = int(self.rng.integers(1, len(text) - 2))
            text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        return text
