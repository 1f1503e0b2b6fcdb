"""What is said in a group and hardly elsewhere."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

_WORD = re.compile(r"\w[\w'’-]*\w|\w")
# Closed classes of English; in other languages the background alone keeps such words out.
_EMPTY = frozenset(
    [
        "a",
        "about",
        "all",
        "am",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "but",
        "by",
        "can",
        "can't",
        "cannot",
        "could",
        "did",
        "do",
        "does",
        "doesn't",
        "don't",
        "for",
        "from",
        "get",
        "go",
        "got",
        "had",
        "has",
        "have",
        "how",
        "i",
        "i'd",
        "i'm",
        "i've",
        "if",
        "in",
        "into",
        "is",
        "it",
        "it's",
        "its",
        "just",
        "me",
        "my",
        "need",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "please",
        "so",
        "some",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "they",
        "this",
        "to",
        "up",
        "us",
        "want",
        "was",
        "we",
        "were",
        "what",
        "what's",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    ]
)
PRIOR = 500.0
"""Words that the background's shares count for."""


def key_phrases(
    group: Sequence[str], background: Sequence[str] | Counter[str], most: int = 3, *, least: float = 0.0
) -> tuple[str, ...]:
    """Words and pairs of words that tell a group from the rest, the most telling first.

    By the z score of the log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008); a text
    counts a phrase once. A phrase within a better one is left out, and so is one that a single text says.

    Args:
        group: its texts.
        background: texts of everything else; or the `phrase_counts` of everything, the group's own texts among them,
            where many groups are told from the same rest.
        most: how many.
        least: z score that a phrase must exceed.

    >>> key_phrases(["my badge is lost", "new badge please"], ["my vpn is down", "new laptop please"] * 5)
    ('badge',)
    """
    inside = phrase_counts(group)
    if isinstance(background, Counter):
        total, mass = background, background.total()
    else:
        total = phrase_counts(background)
        total.update(inside)
        mass = total.total()
    here = inside.total()
    there = mass - here
    scores: list[tuple[float, str]] = []
    for phrase, count in inside.items():
        if count < min(2, len(group)) or total[phrase] == mass:
            continue  # nobody says anything else: no odds
        prior = PRIOR * total[phrase] / mass
        rest = total[phrase] - count
        odds = np.log((count + prior) / (here + PRIOR - count - prior))
        odds -= np.log((rest + prior) / (there + PRIOR - rest - prior))
        scores.append((float(odds / np.sqrt(1 / (count + prior) + 1 / (rest + prior))), phrase))
    chosen: list[str] = []
    for score, phrase in sorted(scores, key=lambda s: (-s[0], -len(s[1]), s[1])):
        words = set(phrase.split())
        if len(chosen) == most or score <= least:
            break
        if not any(words & set(other.split()) for other in chosen):
            chosen.append(phrase)
    return tuple(chosen)


def phrase_counts(texts: Iterable[str]) -> Counter[str]:
    """How many of some texts say each word and pair of words.

    Example:
        >>> sorted(phrase_counts(["lost badge", "badge, badge"]).items())
        [('badge', 2), ('badge badge', 1), ('lost', 1), ('lost badge', 1)]
    """
    counts: Counter[str] = Counter()
    for text in texts:
        words = _WORD.findall(text.lower())
        phrases = {w for w in words if w not in _EMPTY}
        phrases |= {f"{a} {b}" for a, b in itertools.pairwise(words) if not {a, b} & _EMPTY}
        counts.update(phrases)
    return counts
