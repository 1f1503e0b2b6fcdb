"""What to learn from next: the most telling that do not say the same twice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from noria.errors import UsageError
from noria.stats.intervals import as_numbers

_MOST = 500
_PAIRED = 300


def spread_out(score: npt.ArrayLike, texts: Sequence[str], size: int, alike: float = 0.5) -> list[int]:
    """Positions of up to `size` texts of high score in order of choice, each unlike those chosen before it.

    Two texts are alike where their words overlap by `alike` or more (shared ÷ all words). Among the 500 of the highest
    score it takes the highest that is like none before; where all are like one, it stops early. Ties go by position.

    Args:
        score: (n,), higher = more wanted.
        texts: (n,).
        size: how many at most.
        alike: limit of likeness, above 0 to 1.

    Raises:
        UsageError: different lengths, or limits that make no sense.

    Source: Carbonell, Goldstein (1998), maximal marginal relevance, with a limit instead of a price.

    Example:
        >>> spread_out([3, 2, 1], ["printer is broken", "printer is broken today", "no mail"], 2)
        [0, 2]
    """
    scores = as_numbers("score", score)
    if len(scores) != len(texts) or size < 0 or not 0 < alike <= 1:
        raise UsageError(f"{len(scores)} scores for {len(texts)} texts, {size} wanted, alike from {alike}.")
    chosen: list[int] = []
    words: list[frozenset[str]] = []
    for index in np.argsort(-scores, kind="stable")[:_MOST].tolist():
        if len(chosen) >= size:
            break
        mine = frozenset(texts[index].lower().split())
        if all(_overlap(mine, other) < alike for other in words):
            chosen.append(index)
            words.append(mine)
    return chosen


def company(texts: Sequence[str], alike: float = 0.3) -> npt.NDArray[np.int64]:
    """How many others (n,) each text shares words with: those of a new topic that comes up often have company.

    Only the first 300 are looked at, since it compares all pairs; the rest have none.

    Example:
        >>> company(["reset my badge", "my badge reset please", "hello"]).tolist()
        [1, 1, 0]
    """
    words = [frozenset(text.lower().split()) for text in texts[:_PAIRED]]
    counts = np.zeros(len(texts), dtype=np.int64)
    for i, mine in enumerate(words):
        for j in range(i):
            if _overlap(mine, words[j]) >= alike:
                counts[[i, j]] += 1
    return counts


def _overlap(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a | b else 1.0
