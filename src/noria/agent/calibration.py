"""Which rows are learnt and which show how far the learning can be trusted; no row does both in the same model."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from noria.agent.encoding import Encoder, files_of
from noria.agent.heads.foreign import ForeignRows
from noria.agent.heads.intent import FusedIntents, Lesson, Raw, train
from noria.agent.heads.remembered import Memory
from noria.agent.members.tokens import TokenTable
from noria.agent.protocols import Floats32
from noria.agent.recipe import Recipe
from noria.records import IRRELEVANT, OOS, RESERVED_INTENTS, Example

LEAST_VALIDATION_ROWS = 50
HELD_OUT = 5
"""One row in so many is held out where a single part is."""


@dataclass(frozen=True, slots=True)
class Division:
    """The rows of a fit, each list in order of id.

    `learn`: in scope and small talk. `foreign`: out of scope and irrelevant. `check`, `foreign_check`: validation rows
    of the same kinds, never learnt. `folds`: the part that each row of `learn` and `foreign` is in; parts are held out
    in turn, `rounds` of them. `learns_reject`: whether foreign rows are learnt.
    """

    learn: tuple[Example, ...]
    foreign: tuple[Example, ...]
    check: tuple[Example, ...]
    foreign_check: tuple[Example, ...]
    folds: dict[Example, int]
    rounds: int
    learns_reject: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """Raw figures of calibration rows: those in scope (and small talk) with their class numbers, and foreign ones."""

    inside: tuple[Raw, ...]
    targets: tuple[int, ...]
    outside: tuple[Raw, ...]


def divide(rows: Sequence[Example], recipe: Recipe) -> Division:
    """Divides rows (none of the test split) by what they are for.

    Validation rows are kept from learning when there are at least 50, and as many as intents; otherwise they are learnt
    as well. Below `crossfit_below` learnt rows each is held out once; above, a fifth is (each again where a fifth shows
    too little), or none beside validation rows.
    """
    ours = [r for r in rows if r.intent not in (OOS, IRRELEVANT)]
    others = [r for r in rows if r.intent in (OOS, IRRELEVANT)]
    learnt_intents = {r.intent for r in ours if r.split != "val"}
    check = [r for r in ours if r.split == "val" and r.intent in learnt_intents]
    in_scope = [r for r in check if r.intent not in RESERVED_INTENTS]
    if len(in_scope) < max(LEAST_VALIDATION_ROWS, len(learnt_intents - RESERVED_INTENTS)):
        check, foreign_check = [], []
    else:
        foreign_check = [r for r in others if r.split == "val"]
    kept = {id(r) for r in check} | {id(r) for r in foreign_check}
    learn, foreign = [r for r in ours if id(r) not in kept], [r for r in others if id(r) not in kept]
    small, least = len(learn) < recipe.crossfit_below, recipe.min_oos_rows
    count = recipe.calibration_folds if small else HELD_OUT
    folds = _folds(learn + foreign, count)
    if small or (not check and _usable(learn, folds) < LEAST_VALIDATION_ROWS):
        rounds, learns_reject = count, len(foreign) >= least
    elif check:
        rounds, learns_reject = 0, min(len(foreign), len(foreign_check)) >= least
    else:
        held = sum(folds[r] == 0 for r in foreign)
        rounds, learns_reject = 1, min(held, len(foreign) - held) >= least
    return Division(tuple(learn), tuple(foreign), tuple(check), tuple(foreign_check), folds, rounds, learns_reject)


class Vectors:
    """The encoder's vectors of the texts of a fit, each text encoded once."""

    def __init__(self, encoder: Encoder | TokenTable | None, texts: Iterable[str]) -> None:
        order = sorted(set(texts)) if encoder else []
        self._rows = encoder.encode(order, "query") if encoder else None
        self._places = {text: i for i, text in enumerate(order)}
        self.sentence_dim = encoder.sentence_dim if encoder else 0
        self.files = files_of(encoder)

    def of(self, texts: Sequence[str]) -> Floats32 | None:
        """(n, dim); None without an encoder."""
        return None if self._rows is None else self._rows[[self._places[text] for text in texts]]

    def one(self, text: str) -> Floats32 | None:
        """(dim,); None without an encoder."""
        return None if self._rows is None else self._rows[self._places[text]]


@dataclass(frozen=True, slots=True)
class Course:
    """What every model of a fit is taught by: passages (text, intent), classes, vectors, members, settings.

    `table`: what made the vectors, where no encoder did. `memory`: of parts fitted before.
    """

    passages: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]
    vectors: Vectors
    members: tuple[str, ...]
    recipe: Recipe
    table: TokenTable | None = None
    memory: Memory | None = None

    def train(
        self,
        learn: Iterable[Example],
        foreign: Iterable[Example],
        *,
        passages: Iterable[tuple[str, str]] | None = None,
        learns_reject: bool,
    ) -> FusedIntents:
        """A model of rows, passages (None = all) and, where they are learnt, foreign rows."""
        number = {intent: i for i, intent in enumerate(self.classes)}
        pairs = [(r.text, number[r.intent]) for r in learn]
        pairs += [(text, number[intent]) for text, intent in (self.passages if passages is None else passages)]
        if learns_reject:
            pairs += [(r.text, len(self.classes)) for r in foreign]
        texts = tuple(t for t, _ in pairs)
        lesson = Lesson(
            texts=texts,
            targets=tuple(n for _, n in pairs),
            classes=self.classes,
            learns_reject=learns_reject,
            vectors=self.vectors.of(texts),
            sentence_dim=self.vectors.sentence_dim,
            encoder_files=self.vectors.files,
        )
        return train(lesson, self.members, self.recipe, self.table, self.memory)


def listened_to(division: Division, vectors: Vectors, recipe: Recipe) -> ForeignRows | None:
    """The foreign rows as points, where there are enough of them, vectors, and no class of their own."""
    rows = division.foreign + division.foreign_check
    found = vectors.of([r.text for r in rows])
    if found is None or division.learns_reject or len(rows) < recipe.min_oos_rows:
        return None
    return ForeignRows.learn(found, recipe.neighbour_reach)


def measure(division: Division, course: Course, final: FusedIntents) -> Measured:
    """Figures of every calibration row by a model that did not learn it: the final one, or one fitted for that."""
    number = {intent: i for i, intent in enumerate(course.classes)}

    def of(model: FusedIntents, rows: Iterable[Example], *, own: bool = False) -> list[Raw]:
        return [model.measure(r.text, course.vectors.one(r.text), own=own) for r in rows]

    inside, targets = of(final, division.check), [number[r.intent] for r in division.check]
    outside = of(final, division.foreign_check, own=True)
    if not division.learns_reject:
        outside += of(final, division.foreign, own=True)
    for turn in range(division.rounds):
        rest = [r for r in division.learn if division.folds[r] != turn]
        known = {r.intent for r in rest}
        if len(known) < 2:
            continue
        others = [r for r in division.foreign if division.folds[r] != turn]
        of_known = [p for p in course.passages if p[1] in known]
        model = course.train(rest, others, passages=of_known, learns_reject=division.learns_reject)
        model = model.with_foreign(final.foreign)
        held = [r for r in division.learn if division.folds[r] == turn and r.intent in known]
        inside += of(model, held)
        targets += [number[r.intent] for r in held]
        if division.learns_reject:
            outside += of(model, [r for r in division.foreign if division.folds[r] == turn])
    return Measured(tuple(inside), tuple(targets), tuple(outside))


def _folds(rows: Sequence[Example], count: int) -> dict[Example, int]:
    """Each row's fold: rows of an intent go round the folds in order of the sha256 of their id."""
    by_intent: dict[str, list[Example]] = defaultdict(list)
    for row in rows:
        by_intent[row.intent].append(row)
    folds: dict[Example, int] = {}
    for intent, members in by_intent.items():
        # intents start at different folds, or small ones would all lack rows in the same
        start = int(digest(intent)[:8], 16)
        ordered = sorted(members, key=lambda r: (digest(r.id), r.text))
        folds |= {row: (start + rank) % count for rank, row in enumerate(ordered)}
    return folds


def _usable(learn: Sequence[Example], folds: Mapping[Example, int]) -> int:
    """How many rows of fold 0 have a sister elsewhere, from which their intent can be learnt."""
    rows = Counter(r.intent for r in learn)
    return sum(folds[r] == 0 and rows[r.intent] > 1 for r in learn)


def digest(text: str) -> str:
    """Sha256 of a text, hex: an order that has nothing to do with what it says."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
