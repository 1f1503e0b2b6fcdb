"""Changes of texts that should not, or should, change what an agent makes of them; seeded and pure.

Source: Ribeiro et al., ACL 2020 (CheckList): invariance and directional tests. The changes of words are for English;
on texts of other languages they do nothing, and what they left as it was is not asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np

Draw = np.random.Generator
Expectation = Literal["same", "reject", "less sure"]

_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {c: row[max(0, i - 1) : i] + row[i + 1 : i + 2] for row in _KEYS for i, c in enumerate(row)}
_OPENINGS = ("Hello, ", "Hi there, ", "Good morning, ", "Quick question: ", "Sorry to bother you, but ")
_ENDINGS = (" Thanks!", " Please help.", " Thank you in advance.", " I have been waiting for a while now.")
_SWAPS = (
    (r"\bhow do i\b", "what is the way to"),
    (r"\bhow can i\b", "how do i"),
    (r"\bi can't\b|\bi cannot\b", "i am not able to"),
    (r"\bi want to\b|\bi'd like to\b|\bi would like to\b", "i need to"),
    (r"\bi need to\b", "i have to"),
    (r"\bcan you\b", "could you"),
    (r"\bwhat's\b", "what is"),
    (r"\bwhat is\b", "can you tell me"),
    (r"\bi'm\b", "i am"),
    (r"\bdoesn't\b", "does not"),
    (r"\bdon't\b", "do not"),
    (r"\bplease\b", "kindly"),
    (r"\btell me\b", "let me know"),
    (r"\bmy\b", "our"),
)
_FILLER = (
    "I have read all the pages I could find on this and asked two colleagues, but nobody could tell me, "
    "so I hope that somebody can look into it when there is time. "
)


def typos(text: str, draw: Draw) -> str:
    """One letter in about twelve swapped with its neighbour, left out, doubled, or hit beside.

    Example:
        >>> typos('my printer is broken', np.random.default_rng(1))
        'my printerr is broken'
    """
    letters = list(text)
    for _ in range(max(1, len(text) // 12)):
        places = [i for i, c in enumerate(letters) if c.isalpha()]
        if not places:
            break
        i = places[int(draw.integers(len(places)))]
        kind = int(draw.integers(4))
        if kind == 0 and i + 1 < len(letters):
            letters[i], letters[i + 1] = letters[i + 1], letters[i]
        elif kind == 1:
            letters[i] = ""
        elif kind == 2:
            letters[i] *= 2
        else:
            beside = _BESIDE.get(letters[i].lower(), "")
            letters[i] = beside[int(draw.integers(len(beside)))] if beside else letters[i]
        letters = [c for part in letters for c in part]
    return "".join(letters)


def upper_case(text: str, _: Draw) -> str:
    """All in capitals.

    Example:
        >>> upper_case('my printer', np.random.default_rng(1))
        'MY PRINTER'
    """
    return text.upper()


def lower_case(text: str, _: Draw) -> str:
    """No capitals.

    Example:
        >>> lower_case('My VPN', np.random.default_rng(1))
        'my vpn'
    """
    return text.lower()


def no_signs(text: str, _: Draw) -> str:
    """No punctuation and no accents.

    Example:
        >>> no_signs("café, isn't it?", np.random.default_rng(1))
        'cafe isnt it'
    """
    plain = unicodedata.normalize("NFD", text)
    return re.sub(r"\s+", " ", re.sub(r"[^\w\s]", "", plain)).strip()


def spaces(text: str, draw: Draw) -> str:
    """Blanks at both ends and doubled inside.

    Example:
        >>> spaces('my printer', np.random.default_rng(1)).split()
        ['my', 'printer']
    """
    return "  " + "".join("  " if c == " " and draw.random() < 0.5 else c for c in text) + " \n"


def courtesy(text: str, draw: Draw) -> str:
    """A greeting before, thanks behind.

    Example:
        >>> courtesy('my printer', np.random.default_rng(1))
        'Good morning, my printer Thank you in advance.'
    """
    return _OPENINGS[int(draw.integers(len(_OPENINGS)))] + text + _ENDINGS[int(draw.integers(len(_ENDINGS)))]


def longer(text: str, _: Draw) -> str:
    """Two sentences that say nothing, before the request.

    Example:
        >>> longer('my printer', np.random.default_rng(1)).endswith('my printer')
        True
    """
    return _FILLER + text


def paraphrase(text: str, _: Draw) -> str:
    """Each phrase of a request that has one replaced by another of the same meaning, in order, each place once.

    Example:
        >>> paraphrase('How do I reset my PIN?', np.random.default_rng(1))
        'what is the way to reset our PIN?'
    """
    pattern = re.compile("|".join(f"({old})" for old, _ in _SWAPS), re.IGNORECASE)
    return pattern.sub(lambda found: _SWAPS[(found.lastindex or 1) - 1][1], text)


def gibberish(text: str, draw: Draw) -> str:
    """The letters of the text in any order: it means nothing, so there is nothing to answer.

    Example:
        >>> gibberish('my printer', np.random.default_rng(1))
        'emyipnr tr'
    """
    letters = [c for c in text if c.isalnum()]
    mixed = "".join(letters[i] for i in draw.permutation(len(letters)))
    return " ".join(mixed[i : i + 7] for i in range(0, len(mixed), 7))


def halved(text: str, _: Draw) -> str:
    """The first half of the words: what is left says less.

    Example:
        >>> halved('my printer is broken', np.random.default_rng(1))
        'my printer'
    """
    words = text.split()
    return " ".join(words[: len(words) // 2])


PERTURBATIONS: dict[str, tuple[Callable[[str, Draw], str], Expectation]] = {
    "typos": (typos, "same"),
    "upper_case": (upper_case, "same"),
    "lower_case": (lower_case, "same"),
    "no_signs": (no_signs, "same"),
    "spaces": (spaces, "same"),
    "courtesy": (courtesy, "same"),
    "longer": (longer, "same"),
    "paraphrase": (paraphrase, "same"),
    "gibberish": (gibberish, "reject"),
    "halved": (halved, "less sure"),
}


def perturb(kind: str, texts: Sequence[str], seed: int) -> tuple[list[int], list[str]]:
    """The texts that a change alters: their places and what they become; each text by its own draw.

    Args:
        kind: a name of `PERTURBATIONS`.
        texts: (n,).
        seed: of all draws.

    Example:
        >>> perturb("upper_case", ["VPN", "my printer"], seed=0)
        ([1], ['MY PRINTER'])
    """
    change = PERTURBATIONS[kind][0]
    number = list(PERTURBATIONS).index(kind)
    places, changed = [], []
    for place, text in enumerate(texts):
        new = change(text, np.random.default_rng([seed, number, place]))
        if new != text:
            places.append(place)
            changed.append(new)
    return places, changed
