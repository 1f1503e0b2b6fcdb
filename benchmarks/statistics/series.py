"""The locator of any series on TCPD (univariate) and NAB's quiet series, beside PELT, BinSeg and "never".

PELT and BinSeg go by TCPDBench's defaults: a change of mean on the standardised series, penalty MBIC (3 log n), BinSeg
with at most five changes. Covering and F1 (margin 5) as TCPDBench defines them. Run:

    NORIA_BENCH_DATA=folder .venv/bin/python benchmarks/statistics/series.py
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from noria.stats.inception.partition import partition, squares
from noria.stats.inception.series import PENALTY, changes

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("NORIA_BENCH_DATA", ROOT / "../shared/data"))
Finder = Callable[[np.ndarray], Sequence[int]]


def load(name: str) -> list[dict]:
    """The series of a set."""
    with gzip.open(DATA / name / "series.jsonl.gz") as lines:
        return [json.loads(line) for line in lines]


def covering(n: int, annotations: dict[str, list[int]], found: Sequence[int]) -> float:
    """Mean over annotators of how well segments are covered."""

    def of(truth: Sequence[int]) -> float:
        ours = list(itertools.pairwise([0, *sorted(set(found) - {0}), n]))
        total = 0.0
        for a, b in itertools.pairwise([0, *sorted(set(truth) - {0}), n]):
            shared = [(max(0, min(b, d) - max(a, c)), (b - a) + (d - c)) for c, d in ours]
            total += (b - a) * max(i / (size - i) for i, size in shared)
        return total / n

    return float(np.mean([of(truth) for truth in annotations.values()]))


def hits(truth: set[int], found: set[int], margin: int) -> int:
    """True points that have a found one of their own near."""
    left, count = set(found), 0
    for t in sorted(truth):
        near = sorted((abs(t - x), x) for x in left if abs(t - x) <= margin)
        if near:
            left.remove(near[0][1])
            count += 1
    return count


def f1(annotations: dict[str, list[int]], found: Sequence[int], margin: int = 5) -> float:
    """Recall averaged over annotators, precision against their union."""
    each = [set(points) | {0} for points in annotations.values()]
    ours, union = set(found) | {0}, set().union(*each)
    precision = hits(union, ours, margin) / len(ours)
    recall = float(np.mean([hits(points, ours, margin) / len(points) for points in each]))
    return 2 * precision * recall / (precision + recall)


def pelt(x: np.ndarray) -> Sequence[int]:
    """PELT by TCPDBench's defaults."""
    z = (x - x.mean()) / x.std(ddof=1)
    return partition(squares(z[:, None]), len(z), 3 * math.log(len(z)))


def binseg(x: np.ndarray, most: int = 5) -> Sequence[int]:
    """Binary segmentation by TCPDBench's defaults."""
    z = (x - x.mean()) / x.std(ddof=1)
    cost, segments, out = squares(z[:, None]), [(0, len(z))], []
    for _ in range(most):
        options = []
        for a, b in segments:
            places = np.arange(a + 1, b)
            if len(places):
                first = np.array([cost(np.array([a]), int(p))[0] for p in places])
                gain = cost(np.array([a]), b)[0] - first - cost(places, b)
                options.append((float(gain.max()), int(places[gain.argmax()]), a, b))
        if not options or max(options)[0] <= 3 * math.log(len(z)):
            break
        _, cut, a, b = max(options)
        out.append(cut)
        segments.remove((a, b))
        segments += [(a, cut), (cut, b)]
    return sorted(out)


def main() -> None:
    """Prints both tables."""
    sets = [s for s in load("tcpd") if s["n_dim"] == 1]
    series = []
    for s in sets:
        x = np.array(s["values"], dtype=float).reshape(-1)
        known = np.flatnonzero(np.isfinite(x))
        series.append(np.interp(np.arange(len(x)), known, x[known]))
    finders: dict[str, Finder] = {"never": lambda _: [], "BinSeg": binseg, "PELT": pelt}
    for penalty in (3.0, PENALTY, 5.0):
        name = "noria, default" if penalty == PENALTY else f"noria, penalty {penalty:g}"
        finders[name] = lambda x, p=penalty: [c.index for c in changes(x, penalty=p).found]
    print(f"TCPD, {len(sets)} univariate series\n| method | covering | F1 |\n| --- | --- | --- |")
    for name, finder in finders.items():
        told = [finder(x) for x in series]
        cover = np.mean([covering(len(x), s["annotations"], t) for s, x, t in zip(sets, series, told, strict=True)])
        score = np.mean([f1(s["annotations"], t) for s, t in zip(sets, told, strict=True)])
        print(f"| {name} | {cover:.3f} | {score:.3f} |")
    print("\nNAB, quiet series\n| series | rows | rhythm | changes |\n| --- | --- | --- | --- |")
    for s in load("nab"):
        if s["group"] == "artificialNoAnomaly":
            periods = [round(span / s["median_step_s"]) for span in (86_400, 7 * 86_400)]
            told = changes(s["values"], periods=periods)
            print(f"| {s['name'].split('/')[1]} | {s['n_obs']} | {told.period} | {len(told.found)} |")


if __name__ == "__main__":
    main()
