"""Learning a few rows at once."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
from tests.agent.made_up import ARTICLES, examples
from tests.agent.toy_encoder import ToyEncoder

from noria.agent import Recipe, fit, pack, refit, unpack
from noria.errors import DataError
from noria.records import IRRELEVANT, OOS, Example

ROWS = list(examples())
NEW = [
    Example(f"lift-{i}", text, "broken_lift")
    for i, text in enumerate(
        (
            "the lift is stuck",
            "the elevator does not move",
            "lift out of order",
            "the elevator doors stay shut",
            "nobody can use the lift",
        )
    )
]
KINDS = [("ngrams", None), ("default", ToyEncoder()), ("fast", ToyEncoder())]


@cache
def base(lineup):
    encoder = dict(KINDS)[lineup]
    return fit(ROWS, ARTICLES, Recipe(lineup=lineup, all_layers_from=40, neighbour_axes=20, table_axes=30), encoder)


@pytest.mark.parametrize("lineup", [k for k, _ in KINDS])
def test_a_new_intent_is_known_at_once_and_the_others_still_are(lineup):
    made = refit(base(lineup), ROWS, NEW)
    assert "broken_lift" in made.intents
    assert made.intent_model.classes == tuple(sorted({*base(lineup).intent_model.classes, "broken_lift"}))
    assert made.answer("is the elevator stuck").intent == "broken_lift"
    ours = [r for r in ROWS if r.intent not in (OOS, IRRELEVANT)]
    right = [made.answer(r.text).intent == r.intent for r in ours]
    assert sum(right) >= 0.97 * len(right)
    assert made.facts["warm_started_rows"] == len(NEW)
    assert made.scope == base(lineup).scope


@pytest.mark.parametrize("lineup", [k for k, _ in KINDS])
def test_corrections_are_taken_back(lineup):
    """A third of an intent's rows were labelled as another; the corrected ones are told right, and theirs stay."""
    wrong = [replace(r, intent="door_badge") if r.intent == "slow_laptop" and i % 3 else r for i, r in enumerate(ROWS)]
    recipe = Recipe(lineup=lineup, all_layers_from=40, neighbour_axes=20, table_axes=30)
    taught = fit(wrong, (), recipe, dict(KINDS)[lineup])
    corrected = [r for r, w in zip(ROWS, wrong, strict=True) if r != w]
    made = refit(taught, wrong, corrected)
    assert all(made.answer(r.text).intent == "slow_laptop" for r in corrected)
    assert made.answer("my badge is lost").intent == "door_badge"


@pytest.mark.parametrize("lineup", [k for k, _ in KINDS])
def test_the_same_change_gives_the_same_agent_which_can_be_packed_and_taught_again(lineup):
    made = refit(base(lineup), ROWS, NEW)
    files = pack(made)
    assert files == pack(refit(base(lineup), ROWS[::-1], NEW[::-1]))
    again = unpack(files, ToyEncoder())
    more = refit(again, ROWS + NEW, [Example("gym-1", "where is the gym", "gym"), Example("gym-2", "gym hours", "gym")])
    assert more.answer("where is the gym please").intent == "gym"
    assert more.answer("is the elevator stuck").intent == "broken_lift"


def test_rows_that_are_not_in_scope_teach_nothing_here():
    with pytest.raises(DataError, match="full fit"):
        refit(base("ngrams"), ROWS, [Example("1", "the price of rice", OOS)])
