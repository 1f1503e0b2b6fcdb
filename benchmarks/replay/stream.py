"""A dated stream from CLINC150 with SUMO's daily volumes: two domains withheld, one intent reworded, a spam wave."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans

from noria.agent.encoding import Encoder
from noria.app.demo.corpus import corpus
from noria.loop.traffic import Change
from noria.records import DAY_MS, IRRELEVANT, OOS, Example, StreamRow

DAYS, FIRST_DAY = 91, "2019-03-04"
NEW_DAYS, REWORDED_DAY, SPAM_DAYS = (21, 49), 35, (63, 70)
OUT_OF_SCOPE, NO_REQUEST, SPAM = 0.06, 0.03, 0.25
START_ROWS = 30
ACCOUNTS = ("north", "south", "east")


@dataclass(frozen=True)
class Made:
    """What a replay starts from, and its stream. `domain_of`: of an intent. `withheld`: domain → its first day."""

    examples: list[Example]
    rows: list[StreamRow]
    domain_of: dict[str, str]
    withheld: dict[str, int]
    changes: tuple[Change, ...] = field(default=())


def make(data: Path, encoder: Encoder, *, seed: int, queries_a_day: float) -> Made:
    """The stream of a seed, from training and validation rows only; an utterance comes once while there are others."""
    rng = np.random.default_rng(seed)
    known = [r for r in _rows(data / "clinc150") if r["split"] in ("train", "val")]
    domain_of = {r["intent"]: r["domain"] for r in known if r["intent"] != OOS}
    pools = {i: [r["text"] for r in known if r["intent"] == i] for i in sorted({r["intent"] for r in known})}
    for pool in pools.values():
        rng.shuffle(pool)
    oos = pools.pop(OOS)
    withheld = [str(d) for d in rng.choice(sorted({*domain_of.values()} - {"small_talk", "meta"}), 2, replace=False)]
    start = [i for i in pools if domain_of[i] not in withheld]
    reworded = str(rng.choice(start))
    old, new = _wordings(pools[reworded], encoder)
    pools[reworded] = old
    examples = _examples(pools, start, domain_of)
    for intent in start:
        pools[intent] = pools[intent][START_ROWS:] or pools[intent]
    writer = _Writer(pools, new, reworded, domain_of, dict(zip(withheld, NEW_DAYS, strict=True)), oos, rng)
    volumes = _volumes(data / "sumo-firefox" / "daily.csv", queries_a_day)
    first_ms = int(dt.datetime.fromisoformat(FIRST_DAY).replace(tzinfo=dt.UTC).timestamp() * 1000)
    rows = [row for day, size in enumerate(volumes) for row in writer.day(day, size, first_ms + day * DAY_MS)]
    changes = tuple(Change("new_domain", day, name) for name, day in writer.withheld.items())
    changes += (Change("reworded", REWORDED_DAY, reworded),)
    changes += (Change("spam_wave", SPAM_DAYS[0], share=SPAM, end_day=SPAM_DAYS[1]),)
    return Made(examples, rows, domain_of, writer.withheld, changes)


def _rows(folder: Path) -> list[dict[str, str]]:
    found = []
    for file in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            found += [json.loads(line) for line in lines]
    return found


def _wordings(texts: list[str], encoder: Encoder) -> tuple[list[str], list[str]]:
    """The two ways in which an intent is asked, the more frequent first."""
    vectors = encoder.encode(texts, "query")[:, : encoder.sentence_dim]
    side = KMeans(2, n_init=10, random_state=0).fit_predict(vectors)
    sides = [[t for t, s in zip(texts, side, strict=True) if s == k] for k in (0, 1)]
    return tuple(sorted(sides, key=len, reverse=True))  # type: ignore[return-value]


def _examples(pools: dict[str, list[str]], start: Sequence[str], domain_of: dict[str, str]) -> list[Example]:
    """What the desk has when it starts: every fifth row is kept for the frozen basket."""
    rows = []
    for intent in start:
        for n, text in enumerate(pools[intent][:START_ROWS]):
            split = "test" if n % 5 == 4 else "val" if n % 5 == 3 else "train"
            rows.append(Example(f"{intent}-{n}", text, intent, split, domain=domain_of[intent]))  # type: ignore[arg-type]
    return rows


def _volumes(file: Path, mean: float) -> list[int]:
    """Questions a day as they came in, scaled to a mean."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [r for r in csv.DictReader(lines) if r["date"] >= FIRST_DAY][:DAYS]
    counts = np.array([float(next(v for k, v in r.items() if k != "date")) for r in rows])
    return [int(v) for v in np.maximum(1, np.round(counts * mean / counts.mean()))]


class _Writer:
    def __init__(
        self,
        pools: dict[str, list[str]],
        new_words: list[str],
        reworded: str,
        domain_of: dict[str, str],
        withheld: dict[str, int],
        oos: list[str],
        rng: np.random.Generator,
    ) -> None:
        self.pools, self.new_words, self.reworded, self.domain_of = pools, new_words, reworded, domain_of
        self.withheld, self.oos, self.rng = withheld, oos, rng
        self.taken: dict[str, int] = {}
        self.other = corpus().other

    def day(self, day: int, size: int, begin_ms: int) -> list[StreamRow]:
        """The queries of a day, in order of time."""
        times = np.sort(self.rng.integers(0, DAY_MS, size))
        active = [i for i in self.pools if self.withheld.get(self.domain_of[i], 0) <= day]
        return [self._row(day, n, begin_ms + int(t), active) for n, t in enumerate(times)]

    def _row(self, day: int, number: int, time_ms: int, active: Sequence[str]) -> StreamRow:
        account = str(self.rng.choice(ACCOUNTS, p=(0.6, 0.3, 0.1)))
        chance, name = self.rng.random(), f"q{day:03d}-{number:04d}"
        spam = SPAM if SPAM_DAYS[0] <= day < SPAM_DAYS[1] else 0.0
        if chance < spam:
            return StreamRow(
                name, time_ms, account, str(self.rng.choice(self.other["spam"])), IRRELEVANT, None, "irrelevant"
            )
        if chance < spam + NO_REQUEST:
            text = str(self.rng.choice(self.other["irrelevant"]))
            return StreamRow(name, time_ms, account, text, IRRELEVANT, None, "irrelevant")
        if chance < spam + NO_REQUEST + OUT_OF_SCOPE:
            return StreamRow(name, time_ms, account, self._next(OOS, self.oos), OOS, None, "new_domain")
        intent = str(self.rng.choice(active))
        turned = intent == self.reworded and day >= REWORDED_DAY
        pool = self.new_words if turned else self.pools[intent]
        return StreamRow(name, time_ms, account, self._next(f"{intent}{turned}", pool), intent)

    def _next(self, key: str, pool: Sequence[str]) -> str:
        place = self.taken.get(key, 0)
        self.taken[key] = place + 1
        return pool[place % len(pool)]
