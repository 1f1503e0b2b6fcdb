"""Intents with domains: their probability, and asking back by domain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.made_up import ARTICLES, examples

from noria.agent import Recipe, fit, pack, refit, unpack
from noria.agent.decision import Domains, ThresholdDecider, fit_domains
from noria.agent.fitting import domains_of
from noria.agent.protocols import Decided, Reading
from noria.records import RESERVED_INTENTS, SMALL_TALK, Example

CLASSES = ("badge", "desk", "laptop", "mouse", "screen", SMALL_TALK)
OF = {"badge": "building", "desk": "building", "laptop": "devices", "mouse": "devices", "screen": "devices"}
DOMAIN_OF = {
    "book_room": "building",
    "door_badge": "building",
    "printer_jam": "devices",
    "slow_laptop": "devices",
    "reset_password": "accounts",
}
ROWS = [replace(r, domain=DOMAIN_OF.get(r.intent)) for i, r in enumerate(examples()) if i % 3 == 0]


def decider(limit, classes=CLASSES, of=OF):
    return ThresholdDecider(classes, 0.0, 0.1, Recipe(answer_at=0.5), Domains(of, limit))


def decide(by, probabilities):
    chance = np.array(probabilities)
    return by.decide(Reading(chance, int(chance.argmax()), 0.0, 1.0, blank=False, evidence=()), 1.0, 0.1)


def test_too_many_intents_of_two_domains_are_asked_about_by_domain():
    flat = [0.2, 0.15, 0.25, 0.2, 0.2, 0.0]
    asked = decide(decider(0.3), flat)
    assert asked == Decided("clarify", True, ("laptop", "badge"), {"domain_probability": pytest.approx(0.65)})
    assert decide(decider(0.4), flat).decision == "handoff"  # one domain is likely: its intents are too many
    plain = ThresholdDecider(CLASSES, 0.0, 0.1, Recipe(answer_at=0.5))
    assert decide(plain, flat) == Decided("handoff", in_scope=True)


def test_few_intents_are_offered_whatever_their_domains():
    assert decide(decider(0.01), [0.0, 0.0, 0.6, 0.4, 0.0, 0.0]).choices == ("laptop", "mouse")


def test_what_may_be_small_talk_or_has_no_domain_is_not_asked_about_by_domain():
    assert decide(decider(0.1), [0.15, 0.15, 0.1, 0.1, 0.1, 0.4]).choices == ()
    of = {k: v for k, v in OF.items() if k != "desk"}
    assert decide(decider(0.1, of=of), [0.2, 0.2, 0.2, 0.2, 0.2, 0.0]).choices == ()


@given(st.lists(st.floats(0.001, 1), min_size=6, max_size=6), st.floats(0, 1))
def test_probabilities_of_domains_sum_to_one_and_choices_are_of_different_domains(raw, limit):
    chance = np.array(raw) / sum(raw)
    by = decider(limit)
    assert by.domain_probabilities(chance).sum() == pytest.approx(1)
    choices = by._by_domain(chance)
    assert len({OF[c] for c in choices}) == len(choices) != 1


def test_the_right_domain_is_missed_in_the_promised_share_of_fresh_queries():
    dice = np.random.default_rng(2)

    def drawn(count):
        rows = dice.dirichlet(np.full(5, 0.4), count)
        rows = np.column_stack((rows, np.zeros(count)))
        return rows, [int(dice.choice(6, p=row)) for row in rows]

    missed = []
    for _ in range(100):
        rows, right = drawn(150)
        found = fit_domains(OF, CLASSES, list(rows), right, 0.05)
        rows, right = drawn(150)
        by = decider(found.choice)
        own = [by.domain_probabilities(row)[by._domain_of[target]] for row, target in zip(rows, right, strict=True)]
        missed.append(np.mean(np.array(own) < found.choice))
    assert 0.02 < np.mean(missed) <= 0.05 + 3 * np.std(missed) / 10


def test_one_domain_or_none_says_nothing():
    assert fit_domains({}, CLASSES, [], [], 0.02) is None
    assert fit_domains(dict.fromkeys(OF, "all"), CLASSES, [], [], 0.02) is None


def test_an_intents_domain_is_the_one_most_of_its_rows_tell():
    rows = [Example(str(i), "x", "a", domain=d) for i, d in enumerate(("two", "one", "one", "two", None))]
    assert domains_of([*rows, Example("z", "y", "b")]) == {"a": "one"}


def test_a_fitted_agent_tells_the_domain_keeps_it_when_packed_and_learns_one_with_a_new_intent():
    agent = fit(ROWS, ARTICLES, Recipe())
    assert agent.decider.domains.of == DOMAIN_OF
    answer = agent.answer("my badge is lost")
    assert answer.scores["probability"] <= answer.scores["domain_probability"] <= 1 + 1e-9
    again = unpack(pack(agent))
    texts = [r.text for r in examples()[::9]]
    assert again.answer_all(texts) == agent.answer_all(texts)
    assert again.decider.domains == agent.decider.domains
    new = [Example(f"lift-{i}", t, "lift", domain="building") for i, t in enumerate(("lift is stuck", "lift broke"))]
    assert refit(agent, ROWS, new).decider.domains.of == {**DOMAIN_OF, "lift": "building"}
    plain = fit([replace(r, domain=None) for r in ROWS], ARTICLES, Recipe())
    assert plain.decider.domains is None
    assert "domain_probability" not in plain.answer("my badge is lost").scores
    assert not RESERVED_INTENTS & agent.decider.domains.of.keys()
