"""A new cluster among embeddings: alarm, inception, false alarms: `python benchmarks/statistics/embeddings.py`.

384 dimensions, 60 queries an hour of 40 topics; from hour 240 a new topic grows from 0 to 8 % of traffic within 120
hours. "Near": the new topic and its queries are less apart from the others. Writes its table into
docs/benchmarks-detection.md.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from noria.stats.detection.vectors import VectorReference, direction_run_length, direction_z, halves
from noria.stats.inception.vectors import best_cut, locate_vectors

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks-detection.md"
BEGIN, END = "<!-- embeddings: begin -->", "<!-- embeddings: end -->"
D, A_HOUR, TOPICS, REFERENCE, HOURS, CHANGE, RAMP, TOP = 384, 60, 40, 14 * 24, 480, 240, 120, 0.08
SPANS, EVERY = (24, 72), 6
# A tenth of a budget of two false alarms a year, at a look every six hours.
RUN_LENGTH = 365 * 24 / EVERY / 0.2


@dataclass(frozen=True)
class World:
    """What queries are made of: parts of the common direction, of the topic, and of noise, in that order."""

    name: str
    parts: tuple[float, float, float]


WORLDS = (World("apart", (0.35, 0.65, 0.67)), World("near", (0.35, 0.50, 0.79)))


def unit(x: np.ndarray) -> np.ndarray:
    """Vectors of length 1."""
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def embeddings(
    rng: np.random.Generator, hours: int, world: World, topics: np.ndarray, new: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings in order of time and the hour of each; topics[0] is what all have in common."""
    hour = np.repeat(np.arange(hours), A_HOUR)
    centre = topics[rng.integers(1, len(topics), size=len(hour))]
    if new is not None:
        share = TOP * np.clip((hour - CHANGE + 1) / RAMP, 0, 1)
        centre = np.where((rng.random(len(hour)) < share)[:, None], new, centre)
    common, topic, noise = world.parts
    drawn = unit(rng.standard_normal((len(hour), D), dtype=np.float32))
    return unit(common * topics[0] + topic * centre + noise * drawn).astype(np.float32), hour


def looks(vectors: np.ndarray, reference: VectorReference) -> np.ndarray:
    """Run length that each look stands for, one every six hours from the third day on."""
    ends = range(max(SPANS), len(vectors) // A_HOUR + 1, EVERY)
    return np.array(
        [
            direction_run_length(
                max(direction_z(vectors[(end - span) * A_HOUR : end * A_HOUR], reference) for span in SPANS)
            )
            for end in ends
        ]
    )


def run(world: World, count: int) -> list[str]:
    """Rows of the table of a world."""
    shares, errors, cuts, held, widths, early, late = [], [], [], [], [], 0, 0
    quiet: list[np.ndarray] = []
    for seed in range(count):
        rng = np.random.default_rng([seed, WORLDS.index(world)])
        topics, new = unit(rng.standard_normal((TOPICS + 1, D))), unit(rng.standard_normal(D))
        reference = halves(embeddings(rng, REFERENCE, world, topics, None)[0])
        vectors, hour = embeddings(rng, HOURS, world, topics, new)
        quiet.append(looks(embeddings(rng, HOURS, world, topics, None)[0], reference))
        hits = np.flatnonzero(looks(vectors, reference) >= RUN_LENGTH)
        alarm = max(SPANS) + EVERY * int(hits[0]) if len(hits) else HOURS
        early += alarm <= CHANGE
        late += alarm > CHANGE + RAMP
        shares.append(TOP * min((alarm - CHANGE) / RAMP, 1))
        seen = hour < alarm + 48
        found = locate_vectors(vectors[seen], hour[seen], reference)
        errors.append(abs(found.index - CHANGE) if found else HOURS)
        held.append(found is not None and found.low <= CHANGE <= found.high)
        widths.append(found.high - found.low + 1 if found else HOURS)
        cut = best_cut(vectors[seen], hour[seen], int(hour[seen][-1]) + 1)
        cuts.append(abs((HOURS if cut is None else cut) - CHANGE))
    every = np.concatenate(quiet)
    told = [(length, int((every >= length).sum()), len(every) / length) for length in (100, 1000, RUN_LENGTH)]
    false = ", ".join(f"{hits} (promised {most:.1f})" for _, hits, most in told)
    return [
        (
            f"| {world.name} | {100 * np.median(shares):.1f} % ({100 * np.quantile(shares, 0.9):.1f}) "
            f"| {late} of {count} | {early} | {np.median(errors):.0f} h ({np.quantile(errors, 0.9):.0f}) "
            f"| {100 * np.mean(held):.0f} % | {np.median(widths):.0f} h | {np.median(cuts):.0f} h | {false} |"
        )
    ]


def main() -> None:
    """Runs both worlds and writes the page."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--streams", type=int, default=60)
    ask.add_argument("--show", action="store_true", help="print instead of writing the page")
    asked = ask.parse_args()
    began = time.process_time()
    lines = [
        (
            "| topics | share at the alarm: median (p90) | alarm after the share is complete | alarm before the change "
            "| inception, error 48 h after the alarm: median (p90) | set held it | its width | KernelCPD, error "
            f"| alarms of quiet looks at run lengths of 100, 1,000, {RUN_LENGTH:,.0f} |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        *(row for world in WORLDS for row in run(world, asked.streams)),
    ]
    lines += ["", f"{asked.streams} streams of each kind, {time.process_time() - began:.0f} CPU seconds."]
    text = "\n".join(lines)
    if asked.show:
        print(text)
        return
    old = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(f"{old.split(BEGIN)[0]}{BEGIN}\n{text}\n{END}{old.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
