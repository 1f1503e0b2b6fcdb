"""Which intent: members that each have an opinion, fused late, with calibrated probabilities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from noria.agent.heads import foreign as foreign_rows
from noria.agent.heads.foreign import ForeignRows
from noria.agent.heads.fusion import Fusion
from noria.agent.heads.ngrams import Ngrams
from noria.agent.heads.remembered import Memory, matrix_of, member_of, ngrams_of
from noria.agent.members.svm import first_two
from noria.agent.members.tokens import TokenTable
from noria.agent.protocols import Floats, Floats32, Ints, Member, Query, Reading, TrainingSet
from noria.agent.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Raw:
    """The members' own figures for a text, before fusion.

    `logits`: (members, classes); `evidence`: figures for the scope model, see `FusedIntents.evidence_names`; `known`,
    `blank`: see Reading.
    """

    logits: Floats
    evidence: tuple[float, ...]
    known: float
    blank: bool


class FusedIntents:
    """An IntentModel of one or more members.

    Args:
        ngrams: the vocabulary; it also says what is known and what is blank.
        members: by name; the first is the n-grams' own.
        classes: sorted.
        fusion: how the members' logits become one.
        rejects: whether "not in scope" was learnt.
        table: makes the vectors of texts; None = they are given.
        foreign: rows that are out of scope, where they are listened to but not learnt.
    """

    def __init__(
        self,
        ngrams: Ngrams,
        members: Mapping[str, Member],
        classes: Sequence[str],
        fusion: Fusion,
        *,
        rejects: bool,
        table: TokenTable | None = None,
        foreign: ForeignRows | None = None,
    ) -> None:
        self.ngrams, self.fusion, self.rejects, self.table, self.foreign = ngrams, fusion, rejects, table, foreign
        self.members: Mapping[str, Member] = MappingProxyType(dict(members))
        self._members = tuple(members.values())
        self._classes = tuple(classes)
        names = [n for member in self._members for n in member.evidence_names]
        if rejects:
            names += [f"reject_{name}" for name in self.members]
        if foreign is not None:
            names.append(foreign_rows.NAME)
        self._names = tuple(names)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._classes

    @property
    def evidence_names(self) -> tuple[str, ...]:
        """Figures of each member; where "not in scope" was learnt, each member's logit of it; foreign rows."""
        return self._names

    def measure(self, text: str, vector: Floats32 | None = None, *, own: bool = False) -> Raw:
        """The raw figures of a text; `own`: it is one of the foreign rows, and is judged by the others alone."""
        if self.table is not None:
            vector = self.table.encode([text], "query")[0]
        query = Query(text, self.ngrams.vector(text), vector)
        count = len(self._classes)
        every = [member.logits(query) for member in self._members]
        evidence = [x for member, z in zip(self._members, every, strict=True) for x in member.evidence(query, z)]
        if self.rejects:
            evidence += [float(z[count]) for z in every]
        if self.foreign is not None and vector is not None:
            evidence.append(self.foreign.distance(vector, own=own))
        return Raw(np.array([z[:count] for z in every]), tuple(evidence), query.ngrams.known, query.ngrams.blank)

    def reading(self, raw: Raw) -> Reading:
        """The reading that raw figures of this or another model of the same classes and members amount to."""
        return self._reading(raw, self.fusion)

    def _reading(self, raw: Raw, fusion: Fusion) -> Reading:
        logits = fusion(list(raw.logits))
        top, first, _ = first_two(logits)
        powers = np.exp(logits - first)
        total = float(np.add.reduce(powers))
        # log-odds from the others' sum: exact even where the top probability rounds to 1
        others = total - 1.0
        if total <= 1.5:
            others = float(np.add.reduce(powers[:top]) + np.add.reduce(powers[top + 1 :]))
        return Reading(
            probabilities=powers / total,
            top=top,
            logit=-math.log(max(others, 1e-300)),
            known=raw.known,
            blank=raw.blank,
            evidence=raw.evidence,
        )

    def read(self, text: str, vector: Floats32 | None = None) -> Reading:
        return self.reading(self.measure(text, vector))

    def read_without_vector(self, text: str) -> Reading | None:
        """What the n-grams alone make of a text, with their own temperature; None where there are no n-grams."""
        ngrams = self.members.get("ngrams")
        if ngrams is None:
            return None
        query = Query(text, self.ngrams.vector(text), None)
        place = list(self.members).index("ngrams")
        alone = Fusion((1.0,), (self.fusion.temperatures[place],))
        raw = Raw(ngrams.logits(query)[None, : len(self._classes)], (), query.ngrams.known, query.ngrams.blank)
        return self._reading(raw, alone)

    def with_fusion(self, fusion: Fusion) -> FusedIntents:
        """The same members, fused otherwise."""
        return self._with(fusion, self.foreign)

    def with_foreign(self, foreign: ForeignRows | None) -> FusedIntents:
        """The same members, beside them rows that are out of scope."""
        return self._with(self.fusion, foreign)

    def _with(self, fusion: Fusion, foreign: ForeignRows | None) -> FusedIntents:
        return FusedIntents(
            self.ngrams, self.members, self._classes, fusion, rejects=self.rejects, table=self.table, foreign=foreign
        )


@dataclass(frozen=True, slots=True)
class Lesson:
    """Rows for an intent model; see `TrainingSet` for what they are."""

    texts: tuple[str, ...]
    targets: tuple[int, ...]
    classes: tuple[str, ...]
    learns_reject: bool
    vectors: Floats32 | None = None
    sentence_dim: int = 0
    encoder_files: Mapping[str, bytes] | None = None


def train(
    lesson: Lesson,
    members: Sequence[str],
    recipe: Recipe,
    table: TokenTable | None = None,
    memory: Memory | None = None,
) -> FusedIntents:
    """A model with equal weights, fitted on rows in the order given; needs two classes with rows.

    The vocabulary comes from the rows in scope alone, so that `known` tells foreign texts from familiar ones. With a
    memory the model is the same to the bit, and parts that were fitted before come from it.
    """
    reject = len(lesson.classes)
    inside = [text for text, target in zip(lesson.texts, lesson.targets, strict=True) if target != reject]
    ngrams = ngrams_of(inside, recipe, memory)
    rows = training_set(lesson, ngrams, matrix_of(ngrams, lesson.texts, recipe, memory))
    fitted = {name: member_of(name, rows, recipe, memory) for name in members}
    equal = Fusion((1 / len(fitted),) * len(fitted), (1.0,) * len(fitted))
    return FusedIntents(ngrams, fitted, lesson.classes, equal, rejects=lesson.learns_reject, table=table)


def training_set(lesson: Lesson, ngrams: Ngrams, matrix: tuple[Floats32, Ints, Ints] | None = None) -> TrainingSet:
    """The rows with their n-grams (`matrix`, where it is there already)."""
    return TrainingSet(
        texts=lesson.texts,
        targets=lesson.targets,
        classes=lesson.classes,
        learns_reject=lesson.learns_reject,
        matrix=ngrams.matrix(lesson.texts) if matrix is None else matrix,
        n_grams=ngrams.size,
        vectors=lesson.vectors,
        sentence_dim=lesson.sentence_dim,
        encoder_files=lesson.encoder_files,
    )
