"""Changes of texts are drawn by a seed and keep what they promise."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.stats.criteria.made_up_rows import observed

from noria.stats.criteria import measure
from noria.stats.criteria.perturbing import PERTURBATIONS, perturb

TEXTS = ["How do I reset my VPN?", "printer", "", "Ich brauche ein neues Gerät", "12 34", "I can't log in"]


@given(
    texts=st.lists(st.text(), max_size=5), seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(sorted(PERTURBATIONS))
)
def test_any_text_can_be_changed_and_the_same_seed_changes_it_alike(texts, seed, kind):
    places, changed = perturb(kind, texts, seed)
    assert (places, changed) == perturb(kind, texts, seed)
    assert all(new != texts[place] for place, new in zip(places, changed, strict=True))


def test_a_text_is_changed_alike_whatever_stands_beside_it():
    alone = perturb("typos", TEXTS[:1], 4)[1]
    assert perturb("typos", TEXTS, 4)[1][0] == alone[0]


def test_what_means_nothing_keeps_the_words():
    assert perturb("upper_case", TEXTS[:1], 0)[1] == ["HOW DO I RESET MY VPN?"]
    assert perturb("no_signs", TEXTS[:1], 0)[1] == ["How do I reset my VPN"]
    assert perturb("spaces", ["my printer"], 0)[1][0].split() == ["my", "printer"]
    assert TEXTS[0] in perturb("courtesy", TEXTS[:1], 0)[1][0]
    assert perturb("longer", TEXTS[:1], 0)[1][0].endswith(TEXTS[0])


def test_a_phrase_is_replaced_once_and_not_what_replaced_it():
    assert perturb("paraphrase", ["How do I reset my PIN?"], 0)[1] == ["what is the way to reset our PIN?"]


def test_texts_without_a_phrase_to_replace_are_not_asked():
    assert perturb("paraphrase", ["printer"], 0) == ([], [])


def test_gibberish_has_the_letters_and_half_has_half_the_words():
    [mixed] = perturb("gibberish", ["reset my vpn"], 0)[1]
    assert sorted(mixed.replace(" ", "")) == sorted("resetmyvpn")
    assert perturb("halved", ["reset my vpn now"], 0)[1] == ["reset my"]


def test_an_agent_that_never_changes_its_mind_is_robust():
    seen = observed()
    rows = {kind: pairs.rows for kind, pairs in seen.perturbed.items()}
    same = {
        kind: type(seen.perturbed[kind])(
            places,
            [seen.predicted[i] for i in places],
            [seen.decision[i] for i in places],
            [float(seen.confidence[i]) for i in places],
        )
        for kind, places in rows.items()
    }
    found = measure(observed(perturbed=same), replicates=0).values
    for kind in ("typos", "upper_case", "paraphrase"):
        assert found[f"robustness.{kind}_same_intent"] == 1
        assert found[f"robustness.{kind}_same_decision"] == 1
        assert found[f"robustness.{kind}_loss"] == 0
    assert found["robustness.least_same_intent"] == 1
    assert found["robustness.half_less_sure"] == 1
