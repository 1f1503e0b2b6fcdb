"""What the loop records of itself comes back as it was given."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from tests.stores.journal_records import same

from noria.errors import UsageError
from noria.records import Finding, Receipt, TurnReceipt

TURN = TurnReceipt(
    "turn-1",
    10,
    (
        Receipt("label.send", {"tasks": 40, "share": 0.5}, {"first": "t1"}, 1.25, ("few labels",)),
        Receipt("monitor", {"rate": math.nan}),
    ),
    "hold",
    None,
)
FINDING = Finding("f1", "success", 100, 50, 40, 60, 0.9, 0.7, "success fell from 0.90 to 0.70")


def test_a_turn_comes_back_as_it_was_given(journal):
    journal.add_turn(TURN)
    (back,) = journal.turns()
    assert same(back, TURN)
    assert isinstance(back.receipts[0].warnings, tuple)


def test_turns_come_newest_first(journal):
    for i in (2, 1, 3):
        journal.add_turn(replace(TURN, turn_id=f"turn-{i}", time_ms=i, verdict=None, release="r1"))
    assert [turn.turn_id for turn in journal.turns()] == ["turn-3", "turn-2", "turn-1"]
    assert [turn.turn_id for turn in journal.turns(limit=1)] == ["turn-3"]


def test_the_same_turn_again_is_no_fault_but_another_under_its_id_is(journal):
    journal.add_turn(TURN)
    journal.add_turn(TURN)
    with pytest.raises(UsageError, match=r"'turn-1'.*another verdict"):
        journal.add_turn(replace(TURN, verdict="promote"))
    assert len(journal.turns()) == 1


def test_findings_count_once_by_id_and_come_in_order_of_when_they_were_raised(journal):
    early = replace(FINDING, finding_id="f2", raised_ms=90, before=math.nan, after=math.inf)
    journal.add_findings([FINDING, early])
    journal.add_findings([replace(FINDING, sentence="seen again"), early])
    first, second = journal.findings()
    assert same(first, early)
    assert second == FINDING


def test_a_finding_placed_again_takes_the_place_of_the_first(journal):
    journal.add_findings([FINDING])
    placed = replace(
        FINDING, inception_ms=55, slice="account=acme", shape="gradual", others=(7, 9), provisional=False, agrees=True
    )
    journal.replace_findings([placed])
    assert journal.findings() == [placed]


def test_a_finding_of_another_metric_under_a_known_id_is_refused(journal):
    journal.add_findings([FINDING])
    with pytest.raises(UsageError, match="another metric"):
        journal.add_findings([replace(FINDING, metric="coverage")])


def test_state_is_kept_by_key_until_it_is_replaced(journal):
    assert journal.get_state("label.draw") is None
    journal.set_state("label.draw", {"until_ms": 5, "tokens": 0.1, "deep": [{"x": None}], "odd": -math.inf})
    journal.set_state("monitor", {})
    assert journal.get_state("label.draw") == {"until_ms": 5, "tokens": 0.1, "deep": [{"x": None}], "odd": -math.inf}
    journal.set_state("label.draw", {"until_ms": 6})
    assert journal.get_state("label.draw") == {"until_ms": 6}
    assert journal.get_state("monitor") == {}


def test_state_that_json_cannot_hold_is_refused(journal):
    with pytest.raises(UsageError, match="cannot keep a bytes"):
        journal.set_state("x", {"raw": b"1"})
