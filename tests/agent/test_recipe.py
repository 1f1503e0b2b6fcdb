"""Settings of the agent."""

from __future__ import annotations

import json

import pytest

from noria.agent import Recipe
from noria.errors import UsageError


def test_a_recipe_survives_json():
    recipe = Recipe(seed=7, svm_c=2.0, gate="false_rejects", learn_from_articles=False)
    told = json.loads(json.dumps(recipe.to_dict()))
    assert Recipe.from_dict(told) == recipe
    assert list(told) == sorted(told)
    assert Recipe.from_dict({}) == Recipe()


def test_a_whole_number_is_a_number_and_gives_the_same_recipe():
    assert json.dumps(Recipe.from_dict({"svm_c": 1}).to_dict()) == json.dumps(Recipe(svm_c=1.0).to_dict())


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"max_false_reject": 0.1}, "Did you mean 'max_false_rejects'"),
        ({"answer_at": "high"}, "answer_at = 'high' is not a number"),
        ({"answer_at": 1.5}, "outside 0 to 1"),
        ({"answer_at": float("nan")}, "outside 0 to 1"),
        ({"seed": True}, "not a whole number"),
        ({"seed": 1.0}, "not a whole number"),
        ({"learn_from_articles": 1}, "not true or false"),
        ({"gate": "closed"}, "none of 'balance', 'false_rejects'"),
        ({"gate": ["balance"]}, "none of"),
        ({"char_min_n": 6}, "above char_max_n"),
    ],
)
def test_a_slip_is_named(given, complaint):
    with pytest.raises(UsageError, match=complaint):
        Recipe.from_dict(given)
