"""Every setting of the agent, in one place; part of an experiment's identity."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from noria.errors import UsageError, nearest


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an agent is fitted and how it decides.

    `lineup`: which members have an opinion on the intent. `ngrams`: n-grams alone; `fast`: with a table of word
    vectors distilled from the encoder; `default`: with the encoder's vectors; `accurate`: with a fine-tuned encoder
    too (torch is needed to train it, not to serve; it takes minutes to hours, so train it by night). Without an encoder
    every line-up is `ngrams`.

    Parts of installed packages, by their entry point `SLOT.NAME` in the group `noria.components`; "" = ours: `member`
    (one more opinion on the intent), `scope`, `decision`, `retriever`, `ranker` (of our retriever).

    Features: `word_max_n` longest word n-gram; `char_min_n` to `char_max_n` character n-grams inside words; an n-gram
    counts when at least `word_min_df` or `char_min_df` texts have it; `learn_from_articles`: sentences of articles that
    all accounts may see are learnt as examples of the intents that the articles answer.

    Intents: `seed`, `svm_c` (soft margin: smaller = smoother), `class_balance` (`balanced`: rare intents weigh as much
    as frequent ones); `names_up_to`: the name of an intent with at most so many rows is learnt as a row of it.

    Vectors: `layers`: columns that the linear head learns from: those of the `last` layer, of `all`, or (`auto`) of all
    from `all_layers_from` learnt rows on. `dense_c`: smaller = smoother. `neighbour_reach`: cosine distance at which a
    neighbour's vote is worth 1/e; from `all_layers_from` rows on they lie on `neighbour_axes` main axes.
    `table_axes`: figures of a word in the table of the line-up `fast`. `tuning_epochs`: times that every row is seen
    while the encoder of the line-up `accurate` is fine-tuned.

    Scope: `min_oos_rows`: from so many out-of-scope and irrelevant rows on they are learnt from. `max_false_rejects`:
    largest share of in-scope queries that the gate may reject, on calibration rows. `gate`: `balance` rejects fewer
    where out-of-scope rows show that this serves more queries right, `false_rejects` uses up the share.
    `expected_oos_share`: share of traffic expected to be out of scope or irrelevant.

    Calibration: below `crossfit_below` training rows every one of them serves it by `calibration_folds` cross-fits;
    above, the validation rows do, or a fifth held out where there are too few of them.

    Decision: `answer_at` least confidence to answer; below, the user is asked where at most `max_choices` intents make
    a set that misses the right one in a share `clarify_miss` of in-scope queries.

    Articles: `articles_shown`; `bm25_k1`, `bm25_b`; `title_weight` times the title counts; `intent_bonus`: what a link
    to a certain intent is worth beside the best text match (1). `rank_for` `specific`: articles that are cited for
    nearly every question (at least `generic_share` of all, such as "clear the cache") come after all others.
    """

    lineup: Literal["fast", "default", "accurate", "ngrams"] = "default"
    member: str = ""
    scope: str = ""
    decision: str = ""
    retriever: str = ""
    ranker: str = ""
    seed: int = 0
    word_max_n: int = 2
    char_min_n: int = 2
    char_max_n: int = 5
    word_min_df: int = 1
    char_min_df: int = 2
    learn_from_articles: bool = True
    svm_c: float = 0.5
    class_balance: Literal["balanced", "none"] = "balanced"
    names_up_to: int = 20
    layers: Literal["auto", "last", "all"] = "auto"
    all_layers_from: int = 2000
    dense_c: float = 30.0
    neighbour_reach: float = 0.05
    neighbour_axes: int = 64
    table_axes: int = 256
    tuning_epochs: int = 3
    min_oos_rows: int = 20
    max_false_rejects: float = 0.04
    gate: Literal["balance", "false_rejects"] = "balance"
    expected_oos_share: float = 0.15
    crossfit_below: int = 2000
    calibration_folds: int = 3
    answer_at: float = 0.4
    clarify_miss: float = 0.02
    max_choices: int = 3
    articles_shown: int = 3
    bm25_k1: float = 1.2
    bm25_b: float = 0.75
    title_weight: int = 3
    intent_bonus: float = 2.0
    rank_for: Literal["specific", "all"] = "specific"
    generic_share: float = 0.04

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(f"recipe: {name} = {value!r} is outside {low:g} to {high:g}.")
        if self.char_min_n > self.char_max_n:
            raise UsageError(f"recipe: char_min_n = {self.char_min_n} is above char_max_n = {self.char_max_n}.")

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Recipe:
        """A recipe from a mapping; what it does not name keeps its default.

        Raises:
            UsageError: an unknown name (the nearest is offered), a wrong type, or a value outside its limits.
        """
        kinds = typing.get_type_hints(cls)
        names = [f.name for f in dataclasses.fields(cls)]
        for key in mapping:
            if key not in names:
                raise UsageError(f"recipe: unknown setting {key!r}. {nearest(str(key), names)}")
        return cls(**{key: _checked(key, value, kinds[key]) for key, value in mapping.items()})

    def to_dict(self) -> dict[str, Any]:
        """Every setting, in order of name; `from_dict` of it gives an equal recipe."""
        return dict(sorted(dataclasses.asdict(self).items()))


_LIMITS: dict[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),
    "word_max_n": (1, 5),
    "char_min_n": (1, 10),
    "char_max_n": (1, 10),
    "word_min_df": (1, 1000),
    "char_min_df": (1, 1000),
    "svm_c": (1e-6, 1e6),
    "names_up_to": (0, 1_000_000),
    "all_layers_from": (0, 1_000_000),
    "dense_c": (1e-6, 1e6),
    "neighbour_reach": (1e-3, 10),
    "neighbour_axes": (1, 100_000),
    "table_axes": (1, 100_000),
    "tuning_epochs": (1, 100),
    "min_oos_rows": (1, 1_000_000),
    "max_false_rejects": (0, 0.5),
    "expected_oos_share": (0.001, 0.9),
    "crossfit_below": (0, 1_000_000),
    "calibration_folds": (2, 20),
    "answer_at": (0, 1),
    "clarify_miss": (0, 0.5),
    "max_choices": (2, 10),
    "articles_shown": (0, 100),
    "bm25_k1": (0, 100),
    "bm25_b": (0, 1),
    "title_weight": (0, 100),
    "intent_bonus": (0, 1000),
    "generic_share": (0, 1),
}


def _checked(name: str, value: Any, kind: Any) -> Any:
    if typing.get_origin(kind) is Literal:
        allowed = typing.get_args(kind)
        if value not in allowed:
            raise UsageError(f"recipe: {name} = {value!r} is none of {', '.join(map(repr, allowed))}.")
        return value
    if isinstance(value, bool) is not (kind is bool):
        raise UsageError(f"recipe: {name} = {value!r} is not {_WORDS[kind]}.")
    if kind is float and isinstance(value, int):
        return float(value)
    if not isinstance(value, kind):
        raise UsageError(f"recipe: {name} = {value!r} is not {_WORDS[kind]}.")
    return value


_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
