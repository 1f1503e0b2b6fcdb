"""Is a challenger that is looked at every day judged rightly? Simulated histories; writes docs/benchmarks-stages.md."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np

from noria.stats.gating import log_wealth

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks-stages.md"
SEED, HISTORIES, DAYS, A_DAY, DISCORDANT = 20_260_101, 300, 90, 30, 0.08
MARGIN, ALPHA = 0.05, 0.05
DIFFERENCES = (0.02, 0.0, -0.02, -0.05, -0.08)
Verdict = tuple[str, int | None]


def pairs(rng: np.random.Generator, difference: float) -> np.ndarray:
    """Challenger - champion on the labelled queries of all days."""
    u = rng.random(DAYS * A_DAY)
    return np.where(u < (DISCORDANT + difference) / 2, 1, np.where(u < DISCORDANT, -1, 0))


def at_all_times(x: np.ndarray) -> Verdict:
    """Noria's rule: bets, looked at daily."""
    looks = np.arange(A_DAY - 1, len(x), A_DAY)
    better = np.maximum.accumulate(log_wealth(x, -MARGIN)) >= -math.log(ALPHA)
    passes = (better & (np.cumsum(x) >= 0))[looks]
    worse = (np.maximum.accumulate(log_wealth(-x, 0.0)) >= -math.log(ALPHA / 4))[looks]
    return first(passes, worse)


def plain(x: np.ndarray) -> Verdict:
    """The usual rule: 95 % intervals for one look, looked at daily."""
    n = np.arange(1, len(x) + 1)
    mean = np.cumsum(x) / n
    half = 1.645 * np.sqrt(np.maximum(np.cumsum(x * x) / n - mean**2, 1e-12) / n)
    looks = np.arange(A_DAY - 1, len(x), A_DAY)
    return first(((mean - half > -MARGIN) & (mean >= 0))[looks], (mean + half < 0)[looks])


def first(passes: np.ndarray, worse: np.ndarray) -> Verdict:
    """The first day on which anything is said; worse goes first."""
    for day in np.flatnonzero(passes | worse):
        return ("worse" if worse[day] else "passes"), int(day) + 1
    return "waits", None


def row(name: str, difference: float, said: list[Verdict]) -> str:
    """One line of the table."""
    days = [day for _, day in said if day is not None]
    shares = [100 * sum(kind == what for kind, _ in said) / len(said) for what in ("passes", "worse", "waits")]
    told = f"{np.median(days):.0f}" if days else ""
    return f"| {100 * difference:+.0f} | {name} | " + " | ".join(f"{share:.1f} %" for share in shares) + f" | {told} |"


def main() -> None:
    """Runs all histories and writes the page."""
    rng, started = np.random.default_rng(SEED), time.process_time()
    lines = []
    for difference in DIFFERENCES:
        histories = [pairs(rng, difference) for _ in range(HISTORIES)]
        lines.append(row("at all times", difference, [at_all_times(x) for x in histories]))
        lines.append(row("one look, daily", difference, [plain(x) for x in histories]))
    PAGE.write_text(f"""# Benchmark: a challenger that is looked at every day

Made by `python benchmarks/statistics/stages.py` ({HISTORIES} histories of {DAYS} days with {A_DAY} labelled pairs each,
seed {SEED}, {time.process_time() - started:.0f} s of processor time); do not edit it by hand. What the rules are:
[stages.md](stages.md).

Simulated. On {100 * DISCORDANT:.0f} % of the queries only one of the two is right; labels are drawn evenly; margin
{100 * MARGIN:.0f} points. "At all times": the bets by which Noria decides, alpha {100 * ALPHA:.0f} % for "passes" and a
quarter of it for "worse". "One look, daily": 95 % intervals that are right for one look, looked at each day until they
say something. Both pass only what is not below the champion so far. A challenger that loses the margin must not pass,
one that is as good must not be called worse: each in at most {100 * ALPHA:.0f} % of the histories.

| true difference, points | rule | passes | is called worse | still waits | day, median |
| --: | --- | --: | --: | --: | --: |
""" + "\n".join(lines) + "\n", encoding="utf-8")  # fmt: skip
    print(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
