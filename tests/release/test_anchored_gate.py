"""The gate on labels: against the anchor, slice by slice, each refusal in one sentence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.release.made_up_agents import Scripted, rows, texts

from noria.errors import UsageError
from noria.records import Example, Verdict
from noria.release import GatePolicy
from noria.release.gate import Field, judge
from noria.release.judging.contract import data_contract, words_of
from noria.release.policy import slices_of
from noria.release.standing import Standing

BASKET = rows(400, None, "basket")
ACME, BOLT = rows(600, "acme"), rows(200, "bolt")
FRESH = ACME + BOLT
STANDING = Standing(champion="r0002", anchor="r0001", cycle=4, order=("r0001", "r0002"))


def verdict_on(candidate: Scripted, champion: Scripted, *, anchor: Scripted | None = None, fresh: Any = None,
               best: Any = None, **policy: Any) -> Verdict:  # fmt: skip
    against = Field(STANDING, anchor, best or {})  # type: ignore[arg-type]
    return judge(candidate, champion, BASKET, FRESH if fresh is None else fresh,  # type: ignore[arg-type]
                 GatePolicy(**policy), against=against)  # fmt: skip


def test_a_deliberately_worse_model_is_refused_in_one_sentence() -> None:
    """Wrong on a tenth of the labels, though as good on the old basket."""
    verdict = verdict_on(Scripted(texts(FRESH, 0.1)), Scripted())
    assert verdict.kind == "refuse"
    assert verdict.reason == "Fresh labels (800 pairs): -10.0 points against the champion; it must not fall."


def test_better_overall_but_worse_for_one_protected_account_is_refused() -> None:
    """The sentence names the account and the bound; without protection the same model goes live."""
    champion = Scripted(texts(ACME, 0.2))
    candidate = Scripted(texts(BOLT, 0.15))
    assert verdict_on(candidate, champion).kind == "promote"
    verdict = verdict_on(candidate, champion, protected=["account"])
    assert verdict.kind == "refuse"
    assert verdict.reason.startswith("Account bolt (200 pairs): -15.0 against the anchor r0001, at least -2")
    assert verdict.reason.endswith("a loss of 10.0 % or more must not be.")


def test_a_protected_account_is_watched_on_the_basket_too() -> None:
    """A proved loss of one account on the frozen basket is refused although the basket as a whole gains."""
    basket = rows(300, "acme", "b") + rows(150, "bolt", "b")
    champion, candidate = Scripted(texts(basket[:300], 0.2)), Scripted(texts(basket[300:], 0.06))
    verdict = judge(candidate, champion, basket, [], GatePolicy(protected=["account"]))  # type: ignore[arg-type]
    assert verdict.kind == "refuse"
    assert verdict.reason.startswith("Account bolt on the frozen basket (150 pairs): -6.0 points")


def test_small_losses_do_not_add_up() -> None:
    """As good as the champion, but the anchor is twelve points better: refused, however often it is tried."""
    worn = texts(FRESH, 0.12)
    verdict = verdict_on(Scripted(worn), Scripted(worn), anchor=Scripted())
    assert verdict.kind == "refuse"
    assert "+0.0 points against the champion, -12.0 against the anchor r0001" in verdict.reason


def test_too_few_labels_hold_and_say_how_many_are_lacking() -> None:
    """Enough labels to be asked, too few for the margin: the number that would settle it."""
    mixed = Scripted(texts(FRESH, 0.05)), Scripted(texts(FRESH, 0.05, start=400))
    verdict = verdict_on(*mixed, fresh_margin=0.03)
    assert verdict.kind == "hold"
    assert "not enough labels yet to rule out a loss of 3.0 %: about " in verdict.reason
    lacking = verdict.evidence["gate"]["lines"][0]["lacking"]
    assert lacking > 100
    assert f"about {lacking} more would settle it" in verdict.reason


@pytest.mark.parametrize(("n", "kind"), [(10, "hold"), (60, "hold"), (150, "promote")])
def test_where_labels_are_required_few_are_not_enough(n, kind) -> None:
    """Too few to be asked, too few for any bound, and enough."""
    verdict = verdict_on(Scripted(), Scripted(), fresh=ACME[:n], require_fresh=True)
    assert verdict.kind == kind
    assert verdict_on(Scripted(), Scripted(), fresh=ACME[:n]).kind == "promote"
    assert (str(30 - n) in verdict.reason) == (n < 30)


def test_few_labels_can_still_refuse() -> None:
    """Sixty labels bound nothing, but scoring lower on them is refused."""
    verdict = verdict_on(Scripted(texts(ACME[:60], 0.1)), Scripted(), fresh=ACME[:60])
    assert verdict.kind == "refuse"
    assert "it must not fall" in verdict.reason


def test_the_anchor_moves_on_a_proof_only() -> None:
    """Ten points better moves it, half a point better does not; what is refused never does."""
    assert verdict_on(Scripted(), Scripted(texts(FRESH, 0.1))).evidence["gate"]["moves_anchor"]
    assert not verdict_on(Scripted(), Scripted(texts(FRESH, 0.005))).evidence["gate"]["moves_anchor"]
    better = Scripted(texts(BOLT, 0.3))
    refused = verdict_on(better, Scripted(texts(ACME, 0.4)), protected=["account"])
    fallen = verdict_on(Scripted(texts(BASKET, 0.1)), Scripted(texts(FRESH, 0.1)))
    assert refused.kind == fallen.kind == "refuse"
    assert not refused.evidence["gate"]["moves_anchor"]
    assert not fallen.evidence["gate"]["moves_anchor"]


def test_a_slice_is_not_worn_down_below_its_best_ever() -> None:
    """Level with the anchor, sixteen points below what this account once had."""
    worn = Scripted(texts(BOLT, 0.16))
    standing = Standing("r0003", "r0002", 5, best={"account bolt": "r0001"}, order=("r0001", "r0002", "r0003"))
    against = Field(standing, worn, {"r0001": Scripted()})  # type: ignore[arg-type,dict-item]
    verdict = judge(worn, worn, BASKET, FRESH, GatePolicy(protected=["account"]), against=against)  # type: ignore[arg-type]
    assert verdict.kind == "refuse"
    assert verdict.reason == (
        "Account bolt (200 pairs): -16.0 points against its best ever, r0001; at most 15.0 % may be lost in all."
    )


def test_own_margins_of_slices_are_kept() -> None:
    """A stricter margin for one account holds where the common one lets pass."""
    candidate, champion = Scripted(texts(BOLT, 0.02)), Scripted(texts(BOLT, 0.02, start=50))
    assert verdict_on(candidate, champion, protected=["account"]).kind == "promote"
    verdict = verdict_on(candidate, champion, protected=["account"], margins={"account bolt": 0.02})
    assert verdict.kind == "hold"
    assert verdict.reason.startswith("Account bolt")


# --- Data contract --------------------------------------------------------------------------------------------------


def test_a_model_trained_on_the_basket_is_refused() -> None:
    """By the row's id: the sentence names rows."""
    taught = [Example(BASKET[0].id, "anything", "vpn", "train")]
    contract = data_contract(BASKET, [], taught, [])
    verdict = judge(Scripted(), Scripted(), BASKET, [], GatePolicy(), contract=contract)  # type: ignore[arg-type]
    assert verdict.kind == "refuse"
    assert "1 of 400 basket rows are among the training rows (basketNone-0)" in verdict.reason


def test_a_model_that_learnt_the_texts_of_the_basket_proves_nothing_by_them() -> None:
    """New ids, same words in other spelling: the rows are left out of the bound, and none is left to prove anything."""
    champion = Scripted(texts(BASKET, 0.3))
    taught = [Example(f"t{i}", f"  {row.text.upper()}!", "vpn", "train") for i, row in enumerate(BASKET)]
    contract = data_contract(BASKET, [], taught, [])
    assert len(contract.learnt) == 400
    verdict = judge(Scripted(), champion, BASKET, [], GatePolicy(), contract=contract)  # type: ignore[arg-type]
    assert verdict.kind == "hold"
    known = data_contract(BASKET, [], taught, taught)
    assert not known.learnt
    assert judge(Scripted(), champion, BASKET, [], GatePolicy(), contract=known).kind == "promote"  # type: ignore[arg-type]


def test_gains_on_learnt_texts_do_not_hide_a_fall_on_the_others() -> None:
    """Better on the texts it has learnt, worse on the rest: refused, and the sentence says where."""
    champion, candidate = Scripted(texts(BASKET[:200], 0.4)), Scripted(texts(BASKET[200:], 0.1))
    taught = [Example(f"t{i}", row.text, "vpn", "train") for i, row in enumerate(BASKET[:200])]
    contract = data_contract(BASKET, [], taught, [])
    verdict = judge(candidate, champion, BASKET, [], GatePolicy(), contract=contract)  # type: ignore[arg-type]
    assert verdict.kind == "refuse"
    assert "-10.0 on the 200 whose text it has not learnt since" in verdict.reason


def test_labels_that_were_trained_on_do_not_judge() -> None:
    """By id and by the label they come from; labels that have judged before stay out where that is asked."""
    labels = [Example(f"label-l{i}", f"text {i}", "vpn", "train", origin=f"label:l{i}") for i in range(4)]
    taught = [labels[0], Example("other", "x", "vpn", "train", origin="label:l1")]
    contract = data_contract(BASKET, labels, taught, [], spent={"label-l2"})
    assert contract.fresh == (labels[3],)
    assert "1 of 4 fresh labels may judge" in contract.check.sentence


@pytest.mark.parametrize(
    ("one", "other"), [("VPN  is down!", "vpn is down"), ("ﬁle", "file"), ("Straße", "STRASSE"), (" ?! ", "?!")]
)
def test_texts_that_people_would_call_the_same_are_the_same(one, other) -> None:
    """Case, signs, spacing and encodings do not tell texts apart."""
    assert words_of(one) == words_of(other)


def test_slices_hold_the_places_of_their_rows() -> None:
    """Rows without a value are in none."""
    mixed = [*rows(2, "b"), *rows(1, None), *rows(1, "a")]
    assert slices_of(mixed, ["account", "intent"]) == {
        "account a": [3],
        "account b": [0, 1],
        "intent vpn": [0, 1, 2, 3],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"protected": "account"},
        {"protected": ["acount"]},
        {"margin": 1.0},
        {"fresh_margin": -0.1},
        {"margins": {"account acme": 2}},
        {"level": 0.4},
        {"cycles": -1},
    ],
)
def test_settings_that_make_no_sense_are_told(wrong) -> None:
    """Each with what to write instead."""
    with pytest.raises(UsageError):
        GatePolicy(**wrong)


def test_gains_on_a_new_intent_do_not_pay_for_losses_on_known_ones() -> None:
    """The basket as a whole gains, but a loss on the intents that the champion knows is not ruled out: refused."""
    new = [replace(row, id=f"new-{row.id}", text=f"new {row.text}", intent="badge") for row in BASKET[:60]]

    class Wider(Scripted):
        intents = ("badge", "printer", "vpn")

        def answer_all(self, texts: Any, accounts: Any = None) -> list[Any]:
            answers = super().answer_all(texts)
            return [
                replace(a, intent="badge") if t.startswith("new ") else a for a, t in zip(answers, texts, strict=True)
            ]

    def verdict(lost: float) -> Verdict:
        candidate = Wider(texts(BASKET, lost))
        return judge(candidate, Scripted(), BASKET + new, [], GatePolicy())  # type: ignore[arg-type]

    assert verdict(0.0025).kind == "promote"
    refused = verdict(0.05)
    assert refused.basket_score > (refused.champion_basket_score or 0)
    assert refused.kind == "refuse"
    assert "without intents that are new to the champion (400 pairs): -5.0 points" in refused.reason
