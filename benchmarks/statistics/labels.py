"""Production quality from few labels: bias, coverage and width of every metric over traffic of several shapes.

Draws labels again and again from made-up weeks whose truth is known, by the design and the estimators that Noria runs,
and beside them by simple random draws and by the usual queue, most uncertain first; writes the tables of
docs/benchmarks-statistics.md.

    python benchmarks/statistics/labels.py                           # 2,000 repeats, written into the page
    python benchmarks/statistics/labels.py --repeats 100 --show      # a look
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from noria.monitor.shares import METRICS, Traffic, Verdicts, estimates
from noria.stats import wilson
from noria.stats.design import Proxy, chances, features, fit_proxy, uncertainty

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks-statistics.md"
SIZES = (200, 500, 1_000, 2_000)
GOAL = {200: 9.5, 500: 6.0, 1_000: 4.3, 2_000: 3.0}
N = 50_000
WEEKS = 20
FOLDS = 5
SEED = 20_261_125
BEGIN, END = "<!-- labels: begin -->", "<!-- labels: end -->"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """Made-up traffic of a week. sharp: how well the agent knows when it is right; hard, new: by day, 0 to 6."""

    name: str
    told: str
    sharp: float
    hard: Callable[[Floats], Floats]
    new: Callable[[Floats], Floats]
    seen: float = 2.0
    sizes: tuple[int, ...] = SIZES


def _weekday(day: Floats) -> Floats:
    return np.where(day >= 5, 0.35, 0.1)


def _level(share: float) -> Callable[[Floats], Floats]:
    return lambda day: np.full(len(day), share)


SHAPES = (
    Shape("weekday mix", "harder queries at the weekend", 1.35, _weekday, _level(0.04)),
    Shape("drift in mix", "hard queries rise from 5 % to 40 % within the week", 1.35, lambda d: 0.05 + 0.05 * d,
          _level(0.04)),
    Shape("rare new domain", "1 % new domain, 4 % from the fourth day on, half seen by the scope score", 1.35,
          _level(0.17), lambda d: np.where(d >= 3, 0.04, 0.01), 1.2),
    Shape("good predictor", "as weekday mix; the agent knows well when it is right", 2.6, _weekday,
          _level(0.04), sizes=(1_000,)),
    Shape("weak predictor", "as weekday mix; the agent hardly knows when it is right", 0.8, _weekday,
          _level(0.04), sizes=(1_000,)),
)  # fmt: skip


@dataclass(frozen=True)
class Week:
    """All predictions of a week with their truth."""

    traffic: Traffic
    truth: Verdicts
    confidence: Floats

    def said(self, drawn: npt.NDArray[np.intp], chance: Floats) -> Verdicts:
        t = self.truth
        return Verdicts(chance, *(getattr(t, k)[drawn] for k in OUTCOMES))


OUTCOMES = ("right", "in_scope", "new_domain", "irrelevant", "small_talk", "helped", "judged")


def week(shape: Shape, rng: np.random.Generator, *, usual: bool = False) -> Week:
    """A week of N predictions; `usual`: a past one, without what is new in this shape."""
    day = rng.random(N) * 7
    hard = rng.random(N) < (np.full(N, 0.17) if usual else shape.hard(day))
    kind = rng.random(N)
    new = kind < (np.full(N, 0.03) if usual else shape.new(day))
    irrelevant, small_talk = (kind > 0.97), (kind > 0.95) & (kind <= 0.97)
    in_scope = ~(new | irrelevant | small_talk)
    scope = rng.standard_normal(N) + shape.seen * in_scope
    # What decides whether the predicted intent is right; the agent sees it with an error that it does not know.
    ease = 2.35 - 1.5 * hard + shape.sharp * rng.standard_normal(N)
    right = in_scope & (rng.random(N) < 1 / (1 + np.exp(-ease)))
    confidence = 1 / (1 + np.exp(-(0.85 * ease - 1.2 * ~in_scope + 0.4 * rng.standard_normal(N))))
    answered = (confidence > 0.45) & (scope > -0.2)
    helped = rng.random(N) < np.where(answered & right, 0.95, np.where(small_talk, 0.5, 0.1))
    judged = rng.random(N) < 0.9
    speaks = rng.random(N) < np.where(helped, 0.08, 0.16)
    thumb = np.where(speaks, np.where(helped, 1.0, -1.0), 0.0)
    known = features(confidence, scope, thumb, answered)
    traffic = Traffic(known, answered, rng.integers(FOLDS, size=N))
    flags = (right, in_scope, new, irrelevant, small_talk, helped & judged, judged)
    return Week(traffic, Verdicts(np.ones(N), *(f.astype(float) for f in flags)), confidence)


def truth_of(w: Week) -> dict[str, float]:
    """Every metric of all predictions of a week."""
    t, given = w.truth, w.traffic.answered.astype(float)
    return {
        "success": (given * t.right).sum() / t.in_scope.sum(),
        "coverage": (given * t.in_scope).sum() / t.in_scope.sum(),
        "preciseness": (given * t.right).sum() / (given * (1 - t.small_talk)).sum(),
        "helpfulness": t.helped.sum() / t.judged.sum(),
        "new_domain": t.new_domain.mean(),
        "irrelevant": t.irrelevant.mean(),
    }


def designed(past: Proxy, w: Week, size: int) -> Floats:
    """The chances of the design, with expectations from labels of another week."""
    right, in_scope = past.expect(w.traffic.features)
    return chances(np.maximum(w.traffic.answered * uncertainty(right), uncertainty(in_scope)), size)


def shares(answered: npt.NDArray[np.bool_], said: Verdicts) -> dict[str, tuple[int, int]]:
    """Successes and trials of every metric."""
    inside, given = said.in_scope > 0, answered & (said.small_talk == 0)
    n = len(answered)
    return {
        "success": (int((answered & (said.right > 0)).sum()), int(inside.sum())),
        "coverage": (int((answered & inside).sum()), int(inside.sum())),
        "preciseness": (int((given & (said.right > 0)).sum()), int(given.sum())),
        "helpfulness": (int(said.helped.sum()), int(said.judged.sum())),
        "new_domain": (int(said.new_domain.sum()), n),
        "irrelevant": (int(said.irrelevant.sum()), n),
    }


def repeats(shape: Shape, count: int, seed: int) -> Iterator[tuple[str, int, str, float, float, float, float]]:
    """(way, labels, metric, truth, value, low, high) of every repeat."""
    rng = np.random.default_rng([SEED, seed])
    past_week = week(shape, rng, usual=True)
    old = rng.choice(N, 1_000, replace=False)
    past = fit_proxy(
        past_week.traffic.features[old], np.array([past_week.truth.right[old], past_week.truth.in_scope[old]])
    )
    for _ in range(WEEKS):
        w = week(shape, rng)
        truth = truth_of(w)
        queue = np.argsort(np.abs(past.expect(w.traffic.features)[0] - 0.5), kind="stable")
        for size in shape.sizes:
            pi = designed(past, w, size)
            for _ in range(count // WEEKS):
                drawn = np.flatnonzero(rng.random(N) < pi)
                for name, e in estimates(w.traffic, drawn, w.said(drawn, pi[drawn]), 0.95).items():
                    yield "design", size, name, truth[name], e.value, e.low, e.high
                plain = rng.integers(N, size=size)
                for name, (k, n) in shares(w.traffic.answered[plain], w.said(plain, np.ones(size))).items():
                    r = wilson(k, n)
                    yield "plain", size, name, truth[name], r.value, r.low, r.high
            for name, (k, n) in shares(w.traffic.answered[queue[:size]], w.said(queue[:size], np.ones(size))).items():
                r = wilson(k, n)
                yield "queue", size, name, truth[name], r.value, r.low, r.high


Row = tuple[float, float, float, float]
Summary = dict[tuple[str, int, str], Row]


def summary(task: tuple[int, int]) -> Summary:
    """(way, labels, metric) → truth, bias, coverage, width in points or percent, mean over the repeats of a shape."""
    index, count = task
    rows: dict[tuple[str, int, str], list[Row]] = {}
    for way, size, name, truth, value, low, high in repeats(SHAPES[index], count, index):
        rows.setdefault((way, size, name), []).append(
            (100 * truth, 100 * (value - truth), 100.0 * (low <= truth <= high), 100 * (high - low))
        )
    means = {key: np.array(found).mean(axis=0).tolist() for key, found in rows.items()}
    return {key: (m[0], m[1], m[2], m[3]) for key, m in means.items()}


def table(shape: Shape, found: Summary) -> list[str]:
    """One shape as a Markdown table."""
    heads = [f"{size:,} labels" for size in shape.sizes]
    lines = [
        f"**{shape.name[0].upper()}{shape.name[1:]}**: {shape.told}.",
        "",
        f"| metric | truth | {' | '.join(heads)} | queue, {shape.sizes[-1]:,}: bias, coverage |",
        f"| --- | --- | {' | '.join('---' for _ in heads)} | --- |",
    ]
    for name in METRICS:
        cells = []
        for size in shape.sizes:
            (_, bias, covered, width), plain = found["design", size, name], found["plain", size, name]
            cells.append(f"{bias:+.2f} · {covered:.1f} · **{width:.2f}** ({plain[3]:.2f})")
        _, bias, covered, _ = found["queue", shape.sizes[-1], name]
        lines.append(
            f"| {name.replace('_', ' ')} | {found['design', shape.sizes[0], name][0]:.1f} | {' | '.join(cells)} "
            f"| {bias:+.1f}, {covered:.0f} |"
        )
    return [*lines, ""]


def claims(every: list[Summary], count: int) -> list[str]:
    """What was asked of the design, and what came out, in sentences."""
    rows = [(SHAPES[i], key, row) for i, found in enumerate(every) for key, row in found.items() if key[0] == "design"]
    worst = max(rows, key=lambda r: abs(r[2][1]))
    covered = sorted(row[2] for _, _, row in rows)
    outside = [f"{s.name}, {k[2].replace('_', ' ')} at {k[1]:,} ({row[2]:.1f})" for s, k, row in rows
               if not 93.5 <= row[2] <= 97]  # fmt: skip
    widest = {size: max(row[3] for s, k, row in rows if k[1:] == (size, "success") and s.sizes == SIZES)
              for size in SIZES}  # fmt: skip
    met = all(widest[size] <= GOAL[size] for size in SIZES)
    goals, got = (", ".join(f"{d[size]:.1f}" for size in SIZES) for d in (GOAL, widest))
    queue = [row[1] for found in every for key, row in found.items() if key[0] == "queue" and key[2] == "success"]
    noise = 1.96 * 2.5 / np.sqrt(count)
    bias = (
        f"- Bias under 0.2 points: {'yes' if abs(worst[2][1]) < 0.2 else 'no'}, the largest is {worst[2][1]:+.2f} "
        f"({worst[0].name}, {worst[1][2].replace('_', ' ')} at {worst[1][1]:,} labels); by chance alone up to about "
        f"{noise:.2f} at 200 labels."
    )
    coverage = (
        f"- Coverage of 95 % intervals between 93.5 and 97 %: {len(rows) - len(outside)} of {len(rows)} figures, from "
        f"{covered[0]:.1f} to {covered[-1]:.1f} (by chance alone ±1)"
        + (f"; outside: {', '.join(outside)}." if outside else ".")
    )
    width = (
        f"- Width of success at 200, 500, 1,000 and 2,000 labels at most {goals} points: {'yes' if met else 'no'}, the "
        f"widest of the first three shapes are {got}."
    )
    warning = (
        f"- The plain mean over the queue is wrong by {min(queue):+.0f} to {max(queue):+.0f} points of success, and "
        "none of its intervals comes near the truth."
    )
    return [bias, coverage, width, warning]


def page(every: list[Summary], count: int, seconds: float) -> str:
    """What is written into the page between its marks."""
    lines = [*claims(every, count), ""]
    for shape, found in zip(SHAPES, every, strict=True):
        lines += table(shape, found)
    lines.append(
        f"{count:,} repeats over {WEEKS} made-up weeks of {N:,} predictions each, seed {SEED}; {seconds / 60:.0f} "
        "minutes on two shared cores."
    )
    return "\n".join(lines)


def main() -> None:
    """Runs all shapes in two processes and writes the page."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--repeats", type=int, default=2_000)
    ask.add_argument("--show", action="store_true", help="print instead of writing the page")
    asked = ask.parse_args()
    count = max(asked.repeats // WEEKS, 1) * WEEKS
    began = time.perf_counter()
    with ProcessPoolExecutor(2) as pool:
        every = list(pool.map(summary, [(i, count) for i in range(len(SHAPES))]))
    text = page(every, count, time.perf_counter() - began)
    if asked.show:
        print(text)
        return
    old = PAGE.read_text(encoding="utf-8")
    before, after = old.split(BEGIN)[0], old.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")
    print(f"{PAGE.name} written: {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
