"""A help forum's traffic day by day: which known events are found, how late, and is the cause named rightly?

    python benchmarks/monitor/sumo.py        (data: $NORIA_BENCH_DATA/sumo-firefox)

Every day is held against the eight weeks before the last one, as a monitor would have done that day: volume, mix of
topics, mix of text lengths, each by working days and weekends apart, with one budget of false alarms for all three.
Alarms whose beginnings overlap are one finding, and a stream is silent for a fortnight after its own. Of each, the
topics whose share moved most and the words said more are named by what `noria.monitor.explain` uses. Settings are the
defaults of the library and a budget of two false alarms a year. The quiet days in random order then tell what chance
alone raises.
"""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import gzip
import json
import os
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from noria.stats.detection.budget import run_lengths
from noria.stats.detection.glr import dispersions, mean_glr, shape_glr, spreads
from noria.stats.grouping import key_phrases

DATA = Path(os.environ.get("NORIA_BENCH_DATA", Path(__file__).parents[3] / "shared" / "data")) / "sumo-firefox"
REFERENCE_DAYS, GAP_DAYS, LOOK_DAYS = 56, 7, 7
SPANS = (1, 2, 3, 4, 6)
BUDGET_A_YEAR = 2.0
ONE_FINDING_DAYS = 14
MOST_LATE_DAYS = 7
LENGTHS = (40, 80, 160, 320, 640)


@dataclass(frozen=True, slots=True)
class Found:
    """A finding: when it was raised, by which stream, since when, and what is named."""

    day: dt.date
    stream: str
    since: dt.date
    topics: tuple[str, ...]
    words: tuple[str, ...]


def main() -> None:
    """Replays, and prints what was found."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--shuffles", type=int, default=20, help="random orders of each half-year's quiet days")
    options = asked.parse_args()
    began = time.process_time()
    texts, topics, lengths = read()
    days = sorted(texts)
    found, quiet_months, false = replay(days, texts, topics, lengths)
    told = events()
    print(f"{len(days)} days, {sum(map(len, texts.values())):,} questions, {time.process_time() - began:.0f} CPU s")
    print(f"{'event':<24}{'kind':<8}{'evidence':<10}{'found':<8}{'days':>5}  cause  named")
    scores = Counter()
    for event in told:
        hit = first_hit(event, found)
        cause = hit is not None and named(event, hit)
        scores[event["evidence"], "all"] += 1
        scores[event["evidence"], "found"] += hit is not None
        scores[event["evidence"], "cause"] += cause
        late = (hit.day - event["start"]).days if hit else ""
        said = f"{hit.stream}: {', '.join(hit.topics[:2])} | {', '.join(hit.words[:3])}" if hit else ""
        print(f"{event['name']:<24}{event['kind']:<8}{event['evidence']:<10}{'yes' if hit else 'no':<8}{late:>5}  "
              f"{'right' if cause else '-':<6} {said}")  # fmt: skip
    for evidence in ("strong", "moderate", "weak"):
        n, hits, causes = (scores[evidence, k] for k in ("all", "found", "cause"))
        print(f"{evidence}: {hits} of {n} found, cause right in {causes}")
    late = [
        (first_hit(e, found).day - e["start"]).days for e in told if e["evidence"] == "strong" and first_hit(e, found)
    ]
    print(f"median delay of strong events: {np.median(late):.0f} days")
    print(f"{len(found)} findings; {false} in {quiet_months} quiet months: {false / max(quiet_months, 1):.2f} a month")
    for f in found:
        if f.day in set(calm_days(days)):
            print(f"  {f.day} {f.stream} since {f.since}")
    for weeks in (False, True):
        shuffled(days, {d: len(said) for d, said in texts.items()}, topics, lengths, options.shuffles, weeks=weeks)


def read() -> tuple[dict[dt.date, list[str]], dict[dt.date, Counter[str]], dict[dt.date, Counter[int]]]:
    """By day: texts, questions by topic, questions by bin of length."""
    texts, topics, lengths = defaultdict(list), defaultdict(Counter), defaultdict(Counter)
    for path in sorted(DATA.glob("questions-*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                day = dt.date.fromisoformat(row["date"])
                texts[day].append(f"{row['title']} {row['text']}"[:300])
                topics[day][row["topic"] or "none"] += 1
                lengths[day][int(np.searchsorted(LENGTHS, row["text_len"]))] += 1
    return texts, topics, lengths


def replay(
    days: list[dt.date], texts: dict[dt.date, list[str]], topics: dict[dt.date, Counter[str]],
    lengths: dict[dt.date, Counter[int]],
) -> tuple[list[Found], int, int]:  # fmt: skip
    """Every day as it came; findings, quiet months, and findings in them."""
    volume = {day: len(said) for day, said in texts.items()}
    found = [
        explained(day, stream, since, before, texts, topics)
        for day, stream, since, before in alarms(days, volume, topics, lengths)
    ]
    return found, *quiet(days, found)


def alarms(
    days: list[dt.date], volume: dict[dt.date, int], topics: dict[dt.date, Counter[str]],
    lengths: dict[dt.date, Counter[int]],
) -> Iterator[tuple[dt.date, str, dt.date, list[dt.date]]]:  # fmt: skip
    """Day, stream, since when and reference of each finding."""
    wanted = run_lengths(BUDGET_A_YEAR, dict.fromkeys(("volume", "topics", "lengths"), 365.0))
    raised: dict[str, dt.date] = {}
    for place in range(REFERENCE_DAYS + GAP_DAYS, len(days)):
        day = days[place]
        before = days[place - REFERENCE_DAYS - GAP_DAYS : place - GAP_DAYS + 1]
        if (day - before[0]).days > REFERENCE_DAYS + GAP_DAYS + 7:
            continue  # a gap in the recording
        lately = days[place - LOOK_DAYS + 1 : place + 1]
        told = looks(before, lately, volume, topics, lengths)
        since = {name: lately[-min(span, len(lately))] for name, (_, span) in told.items()}
        ringing = [
            name for name, (run_length, _) in told.items()
            if run_length >= wanted[name] and all(since[name] > other for other in raised.values())
            and (name not in raised or (day - raised[name]).days >= ONE_FINDING_DAYS)
        ]  # fmt: skip
        if ringing:
            stream = max(ringing, key=lambda name: told[name][0] / wanted[name])
            raised |= dict.fromkeys(ringing, day)
            yield day, stream, since[stream], before


def shuffled(
    days: list[dt.date], volume: dict[dt.date, int], topics: dict[dt.date, Counter[str]],
    lengths: dict[dt.date, Counter[int]], times: int, *, weeks: bool,
) -> None:  # fmt: skip
    """What the same settings find where nothing changes: the quiet days of half a year in random order, weekdays kept.

    Each half-year is replayed by itself. Any order of its days is as likely as any other, so whatever is found is a
    false alarm; the days are as unlike each other as they were. `weeks`: whole weeks are moved, so that what lasts for
    days stays together.
    """
    rng, calm = np.random.default_rng(20261125), set(calm_days(days))
    halves = defaultdict(list)
    for day in days:
        if day in calm:
            halves[day.year, day.month > 6].append(day)
    looked, counts = 0, Counter()
    for own in halves.values():
        if weeks:
            begun = [d for d in own if d.weekday() == 0 and all(d + dt.timedelta(days=n) in calm for n in range(7))]
            by_weekday = [[d + dt.timedelta(days=w) for d in begun] for w in range(7)]
        else:
            by_weekday = [[d for d in own if d.weekday() == w] for w in range(7)]
        many = min(map(len, by_weekday))
        if 7 * many < 2 * (REFERENCE_DAYS + GAP_DAYS):
            continue
        monday = own[0] - dt.timedelta(days=own[0].weekday())
        made = [monday + dt.timedelta(days=n) for n in range(7 * many)]
        for _ in range(times):
            order = [rng.permutation(len(part)) for part in by_weekday[: 1 if weeks else 7]] * (7 if weeks else 1)
            taken = {d: by_weekday[d.weekday()][order[d.weekday()][n // 7]] for n, d in enumerate(made)}
            streams = [{d: of[t] for d, t in taken.items()} for of in (volume, topics, lengths)]
            counts.update(stream for _, stream, *_ in alarms(made, *streams))
            looked += len(made) - REFERENCE_DAYS - GAP_DAYS
    months, what = looked / 30, "weeks" if weeks else "days"
    print(f"quiet {what} shuffled, {times} times: {counts.total()} findings in {months:.0f} months, "
          f"{counts.total() / months:.2f} a month ({dict(counts)})")  # fmt: skip


def looks(
    before: list[dt.date], lately: list[dt.date], volume: dict[dt.date, int],
    topics: dict[dt.date, Counter[str]], lengths: dict[dt.date, Counter[int]],
) -> dict[str, tuple[float, int]]:  # fmt: skip
    """Stream → (run length, span) at the last day, working days and weekends each against their own."""

    def strata(days: list[dt.date], row: np.ndarray) -> np.ndarray:
        out = np.zeros((len(days), 2, row.shape[1]))
        for i, d in enumerate(days):
            out[i, int(d.weekday() >= 5)] = row[i]
        return out

    told = {}
    for name, counts in (("topics", topics), ("lengths", lengths)):
        names = sorted({k for d in [*before, *lately] for k in counts[d]})
        old, new = (
            strata(part, np.array([[counts[d][k] for k in names] for d in part], float)) for part in (before, lately)
        )
        reference = old.sum(axis=0)
        evidence = shape_glr(reference, new, dispersion=dispersions(old, spans=SPANS), spans=SPANS)
        told[name] = (float(evidence.run_length[-1]), int(evidence.span[-1]))
    old, new = (strata(part, np.array([[volume[d]] for d in part], float)) for part in (before, lately))
    # Counts of small days have a long tail downwards in logs; square roots scatter alike (Anscombe, 1948).
    roots = [np.where(v > 0, np.sqrt(v + 0.375), 0)[..., 0] for v in (old, new)]
    there = [(v[..., 0] > 0).astype(float) for v in (old, new)]
    reference = np.column_stack([there[0].sum(axis=0), roots[0].sum(axis=0), (roots[0] ** 2).sum(axis=0)])
    wider = spreads(there[0], roots[0], spans=SPANS)
    evidence = mean_glr(reference, there[1], roots[1], dispersion=wider, spans=SPANS)
    told["volume"] = (float(evidence.run_length[-1]), int(evidence.span[-1]))
    return told


def explained(
    day: dt.date, stream: str, since: dt.date, before: list[dt.date], texts: dict[dt.date, list[str]],
    topics: dict[dt.date, Counter[str]],
) -> Found:  # fmt: skip
    """What moved: the topics by z of their share, the words by their odds."""
    now = [d for d in texts if since <= d <= day]
    old, new = (sum((topics[d] for d in part), Counter()) for part in (before, now))
    n_old, n_new = sum(old.values()), sum(new.values())
    moved = {}
    for name in {*old, *new}:
        share = (old[name] + new[name] + 1) / (n_old + n_new + 2)
        spread = np.sqrt(share * (1 - share) * (1 / n_old + 1 / n_new))
        moved[name] = abs(new[name] / n_new - old[name] / n_old) / spread
    said = [t for d in now for t in texts[d]]
    background = [t for d in before for t in texts[d]][:: max(1, len(before) // 14)]
    words = key_phrases(said[-2000:], background[-4000:], most=5, least=4.0)
    return Found(day, stream, since, tuple(sorted(moved, key=lambda n: -moved[n])[:5]), words)


def events() -> list[dict[str, object]]:
    """The known events in order of time."""
    with (DATA / "events.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["start"] = dt.date.fromisoformat(row["start"])
        row["end"] = dt.date.fromisoformat(row["end"]) if row["end"] else row["start"] + dt.timedelta(days=7)
    return rows


def first_hit(event: dict[str, object], found: list[Found]) -> Found | None:
    """The first finding raised from its start to a week after its end; one that was raised before is none."""
    last = event["end"] + dt.timedelta(days=MOST_LATE_DAYS)
    return next((f for f in found if event["start"] <= f.day <= last), None)


def named(event: dict[str, object], hit: Found) -> bool:
    """Whether the right topic (for changes of the topic list) or term is among those named."""
    if event["kind"] == "label":
        words = set(re.findall(r"[a-z-]{6,}", str(event["description"])))
        return any(topic in words for topic in hit.topics)
    if event["kind"] == "shift":
        return hit.stream in {"volume", "lengths"}
    pattern = re.compile(str(event["term_pattern"]), re.IGNORECASE)
    return any(pattern.search(text) for text in (*hit.words, *hit.topics))


def calm_days(days: list[dt.date]) -> list[dt.date]:
    """Days at least three weeks away from every event."""
    near = dt.timedelta(days=21)
    spans = [(e["start"] - dt.timedelta(days=2), e["end"] + near) for e in events()]
    return [d for d in days if not any(low <= d <= high for low, high in spans)]


def quiet(days: list[dt.date], found: list[Found]) -> tuple[int, int]:
    """Quiet months of 30 days, and the findings raised in them."""
    calm = set(calm_days(days))
    return round(len(calm) / 30), sum(f.day in calm for f in found)


if __name__ == "__main__":
    main()
