"""An agent's thresholds are tuned with a promise, and become its settings."""

from __future__ import annotations

import json

import pytest
from tests.house import ARTICLES, WORDS, examples

from noria.agent import Recipe, fit, pack, unpack
from noria.build.operating import Tuned, Wanted, tune
from noria.records import OOS, Example
from noria.stats.selection.operating import NotEnoughRows, OperatingPoint

SIGNS = "abcdefghij"


def rows(n: int) -> list[Example]:
    """More queries than the house's own, made of its words with other words around them."""
    frames = ("{} again", "why {}", "the {} of my desk", "{} please", "about {}", "new {} for me")
    found = []
    for i in range(n):
        intent = list(WORDS)[i % 3]
        word = WORDS[intent][i % len(WORDS[intent])]
        said = Example(f"r{i}", f"{frames[i % 6].format(word)} {SIGNS[i % 10]}{i}", intent, "val")
        found.append(said if i % 8 else Example(f"r{i}", f"lunch {SIGNS[i % 10]} number {i}", OOS, "val"))
    return found


@pytest.fixture(scope="module")
def agent():
    return fit(examples(), ARTICLES, Recipe(lineup="ngrams"))


@pytest.fixture(scope="module")
def tuned(agent) -> Tuned:
    return tune(agent, rows(900))


def test_every_component_gets_its_point(tuned):
    assert set(tuned.points) == {"scope", "choice", "answer", "article"}
    assert all(isinstance(p, OperatingPoint) for p in tuned.points.values())
    assert "with 95 % certainty at least 90 %" in tuned.points["answer"].sentence


def test_the_agent_decides_by_the_points(agent, tuned):
    changed = tuned.applied(agent)
    assert changed.decider.thresholds == {
        "scope": tuned.points["scope"].threshold,
        "answer": tuned.points["answer"].threshold,
        "choice": tuned.points["choice"].threshold,
    }
    assert changed.answer("vpn").scope_score == pytest.approx(agent.answer("vpn").scope_score)
    again = unpack(pack(changed))
    assert again.decider.thresholds == changed.decider.thresholds


def test_on_rows_like_them_the_promise_holds(agent, tuned):
    others = [Example(r.id + "x", f"{r.text} so", r.intent, "test") for r in rows(900)]
    changed = tuned.applied(agent)
    given = [(r, a) for r in others if (a := changed.answer(r.text)).decision == "answer"]
    assert given
    assert sum(r.intent == a.intent for r, a in given) / len(given) >= 0.9


def test_the_settings_make_a_recipe(agent, tuned):
    recipe = tuned.recipe(agent.recipe)
    assert recipe.answer_at == tuned.points["answer"].threshold
    assert recipe.max_false_rejects == 0.04
    assert recipe.clarify_miss == 0.02


def test_few_rows_change_nothing_and_say_how_many_it_takes(agent):
    few = tune(agent, rows(40), Wanted(preciseness=0.99))
    assert all(isinstance(p, NotEnoughRows) for p in few.points.values())
    assert few.settings() == {}
    assert few.applied(agent).decider.thresholds == agent.decider.thresholds
    assert "needs about" in few.points["scope"].sentence


def test_points_and_curves_are_an_artefact(tuned):
    told = json.loads(json.dumps(tuned.to_dict()))
    assert told["points"]["answer"]["found"] is True
    assert [p["coverage"] for p in told["curves"]["answer"]] == sorted(p["coverage"] for p in told["curves"]["answer"])
