"""A memory of fitted parts changes no bit of an agent, and every setting that a part reads is part of its key."""

from __future__ import annotations

import dataclasses

import pytest
from tests.agent.made_up import ARTICLES, examples
from tests.agent.toy_encoder import ToyEncoder

from noria.agent import Recipe, fit, pack
from noria.agent.components import member_maker
from noria.agent.heads import remembered
from noria.agent.heads.intent import Lesson, training_set
from noria.agent.heads.ngrams import Ngrams
from noria.errors import UsageError
from noria.stores.tracking.fits import FitCache


class Counting(FitCache):
    """Counts what is found and what is fitted."""

    found = fitted = 0

    def get(self, key):
        kept = super().get(key)
        self.found += kept is not None
        return kept

    def put(self, key, figures, arrays):
        self.fitted += 1
        super().put(key, figures, arrays)


@pytest.fixture
def memory(tmp_path):
    return Counting(tmp_path / "fits")


CHANGES = [
    {}, {"svm_c": 2.0}, {"seed": 3}, {"char_max_n": 4}, {"word_min_df": 2}, {"dense_c": 3.0}, {"layers": "last"},
    {"neighbour_reach": 0.2}, {"neighbour_axes": 4, "all_layers_from": 0}, {"class_balance": "none"},
    {"answer_at": 0.7},
]  # fmt: skip


def test_an_agent_is_the_same_with_and_without_a_memory_whatever_was_fitted_before(memory):
    for changes in CHANGES:
        recipe = Recipe.from_dict(changes)
        plain = pack(fit(examples(), ARTICLES, recipe, ToyEncoder()))
        assert pack(fit(examples(), ARTICLES, recipe, ToyEncoder(), memory=memory)) == plain
        assert pack(fit(examples(), ARTICLES, recipe, ToyEncoder(), memory=memory)) == plain
    assert memory.found > memory.fitted


def test_a_setting_that_concerns_no_fitted_part_costs_no_fit(memory):
    fit(examples(), ARTICLES, Recipe(), ToyEncoder(), memory=memory)
    before = memory.fitted
    fit(examples(), ARTICLES, Recipe(answer_at=0.9, max_false_rejects=0.1), ToyEncoder(), memory=memory)
    assert memory.fitted == before


def test_one_changed_member_is_fitted_anew_and_the_others_are_not(memory):
    fit(examples(), ARTICLES, Recipe(), ToyEncoder(), memory=memory)
    before = memory.fitted
    fit(examples(), ARTICLES, Recipe(neighbour_reach=0.3), ToyEncoder(), memory=memory)
    trainings = before / 5  # each has a vocabulary, a matrix and three members
    assert memory.fitted - before == trainings


class Watched:
    """A recipe that remembers which settings were read."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe, self.read = recipe, set()

    def __getattr__(self, name: str):
        self.read.add(name)
        return getattr(self.recipe, name)


@pytest.mark.parametrize("name", sorted(set(remembered.READS) - {"tuned"}))  # that one: tests/agent/test_accurate.py
@pytest.mark.parametrize("changes", CHANGES)
def test_a_member_reads_no_setting_that_its_key_leaves_out(name, changes):
    recipe = Recipe.from_dict(changes)
    rows = _rows(recipe)
    watched = Watched(recipe)
    made = member_maker(name).train(rows, watched)  # type: ignore[arg-type]
    member_maker(name).load(made.stored(), rows.classes, watched)  # type: ignore[arg-type]
    assert watched.read <= set(remembered.READS[name])


def test_the_vocabulary_reads_no_setting_that_its_key_leaves_out():
    watched = Watched(Recipe())
    Ngrams.learn(["a b", "b c"], watched).matrix(["a"])  # type: ignore[arg-type]
    assert watched.read <= set(remembered.NGRAM_SETTINGS)


def test_a_member_of_another_package_is_keyed_by_every_setting():
    rows = _rows(Recipe())
    keys = {remembered.member_key("theirs", rows, Recipe(answer_at=x)) for x in (0.3, 0.4)}
    assert len(keys) == 2
    other = dataclasses.replace(rows, texts=("x", *rows.texts[1:]))
    assert remembered.member_key("theirs", other, Recipe(answer_at=0.3)) not in keys
    with pytest.raises(UsageError, match="theirs"):
        remembered.member_of("theirs", rows, Recipe(), None)


def test_a_damaged_part_is_fitted_again(memory, tmp_path):
    plain = pack(fit(examples(), ARTICLES, Recipe(), ToyEncoder(), memory=memory))
    for path in (tmp_path / "fits").glob("*/*"):
        path.write_bytes(path.read_bytes()[:-20])
    assert pack(fit(examples(), ARTICLES, Recipe(), ToyEncoder(), memory=memory)) == plain


def test_a_folder_that_cannot_be_written_fails_no_fit(tmp_path):
    (tmp_path / "file").write_text("")
    fit(examples(), ARTICLES, Recipe(), ToyEncoder(), memory=FitCache(tmp_path / "file" / "fits"))


def test_the_least_recently_used_parts_go_when_there_is_too_much(tmp_path):
    import os

    import numpy as np

    memory = FitCache(tmp_path, max_bytes=3000)
    for n in range(4):
        memory.put(f"{n:064}", {"n": n}, {"x": np.zeros(100)})
        os.utime(tmp_path / "00" / f"{n:064}", (n, n))
    assert memory.get("0".zfill(64)) is not None  # used now
    memory.trim()
    left = [n for n in range(4) if memory.get(f"{n:064}") is not None]
    assert 0 in left
    assert 1 not in left


def _rows(recipe: Recipe):
    found = examples()
    classes = tuple(sorted({r.intent for r in found}))
    texts = tuple(r.text for r in found)
    encoder = ToyEncoder()
    lesson = Lesson(
        texts, tuple(classes.index(r.intent) for r in found), classes, learns_reject=False,
        vectors=encoder.encode(list(texts), "query"), sentence_dim=encoder.sentence_dim,
    )  # fmt: skip
    return training_set(lesson, Ngrams.learn(list(texts), recipe))
