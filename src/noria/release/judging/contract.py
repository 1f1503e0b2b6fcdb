"""The data contract: what judges a candidate must not have taught it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from noria.records import Check, Example

_WORDS = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Contract:
    """What was found.

    learnt: ids of basket rows whose text the candidate was trained on and the champion was not: they flatter it. fresh:
    the labels that may judge, for the candidate was not trained on them.
    """

    check: Check
    learnt: frozenset[str]
    fresh: tuple[Example, ...]


def data_contract(
    basket: Sequence[Example],
    fresh: Sequence[Example],
    trained: Sequence[Example],
    champion_trained: Sequence[Example],
    spent: Collection[str] = (),
) -> Contract:
    """Holds basket and fresh labels against the rows that candidate and champion were trained on.

    A basket row among the training rows breaks the contract. The same words in both do not (people ask the same thing
    again), but rows whose text is new to the candidate's training cannot prove anything for it. A label that was
    trained on, or that has judged before (`spent`), does not judge.

    Args:
        basket: the frozen basket.
        fresh: labelled production queries.
        trained: rows that the candidate's data holds; test rows among them are left out.
        champion_trained: the same of the champion.
        spent: ids of labels that must not judge again.
    """
    learning = [row for row in trained if row.split != "test"]
    ids = {row.id for row in learning} | {row.origin for row in learning if row.origin}
    texts = {words_of(row.text) for row in learning}
    known = {words_of(row.text) for row in champion_trained if row.split != "test"}
    inside = [row.id for row in basket if row.id in ids]
    seen = [row for row in basket if words_of(row.text) in texts]
    learnt = frozenset(row.id for row in seen if words_of(row.text) not in known)
    judging = tuple(
        row for row in fresh if row.id not in ids and (row.origin or row.id) not in ids and row.id not in spent
    )
    figures = {"basket": len(basket), "inside": len(inside), "seen": len(seen), "newly_learnt": len(learnt),
               "fresh": len(judging), "fresh_left_out": len(fresh) - len(judging)}  # fmt: skip
    if inside:
        sentence = (
            f"Data contract: {len(inside)} of {len(basket)} basket rows are among the training rows "
            f"({', '.join(sorted(inside)[:3])}); a model cannot be judged by what taught it."
        )
        return Contract(Check("data contract", False, sentence, figures), learnt, judging)
    sentence = (
        f"Data contract: no basket row was trained on; the texts of {len(seen)} of {len(basket)} occur in the training "
        f"data, {len(learnt)} of them newly; {len(judging)} of {len(fresh)} fresh labels may judge."
    )
    return Contract(Check("data contract", True, sentence, figures), learnt, judging)


def words_of(text: str) -> str:
    """A text without case, signs, accents' encodings and spacing: what two people would call the same text.

    A text without any word is kept as it is.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_WORDS.findall(folded)) or folded.strip()
