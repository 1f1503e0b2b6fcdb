"""Settled labels become examples with their provenance; original rows stay as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.stores.journal_records import label, task

from noria.build import extend_examples
from noria.errors import DataError
from noria.label import corrected, for_gate
from noria.label.corrections import learnt_labels, provenance, read_provenance
from noria.label.settling import Settling
from noria.records import Example, Judged
from noria.stores import Stores


def judged(number: int = 1, relevance="in_scope", intent="vpn", **fields) -> Judged:
    asked = task(f"t-{number}", f"p-{number}", **fields)
    said = label(f"l-{number}", asked.task_id, asked.prediction_id, relevance=relevance, intent=intent)
    settled = Settling()(asked, [said])
    assert settled is not None
    return Judged(asked, settled)


def test_labels_become_examples_of_what_the_query_was():
    """In scope: the right intent; new domain: out of scope until its intent is accepted; the rest: reserved intents."""
    rows = [
        judged(1), judged(2, "new_domain", "phone"), judged(3, "irrelevant", None), judged(4, "small_talk", None),
        judged(5, "in_scope", "gone"),
    ]  # fmt: skip
    assert [e.intent for e in corrected(rows, {"vpn"})] == ["vpn", "oos", "irrelevant", "small_talk"]
    assert [e.intent for e in corrected(rows, {"vpn"}, {"phone"})][1] == "phone"


def test_an_example_tells_task_annotators_prediction_and_release():
    [row] = corrected([judged(release="r7")], {"vpn"})
    assert (row.id, row.split, row.account) == ("label-t-1", "train", "acme")
    assert read_provenance(row.origin) == {
        "label": ("l-1",), "task": ("t-1",), "prediction": ("p-1",), "release": ("r7",), "annotator": ("ann",),
    }  # fmt: skip


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3), st.one_of(st.none(), st.text(min_size=1)))
def test_provenance_can_be_read_back_whatever_the_names(names, by):
    item = judged()
    item = replace(item, label=replace(item.label, label_ids=tuple(names), annotators=tuple(names), adjudicated_by=by))
    facts = read_provenance(provenance(item))
    assert facts is not None
    assert facts["label"] == ("+".join(names),)
    assert facts["annotator"] == tuple(names)
    assert facts.get("adjudicated_by") == ((by,) if by else None)


def test_what_was_learnt_is_told_from_origins_old_and_new():
    rows = [
        Example("a", "x", "vpn", origin="file.csv"), Example("b", "x", "vpn", origin="label:l-9"),
        *corrected([judged()], {"vpn"}),
    ]  # fmt: skip
    assert learnt_labels(rows) == {"l-9", "l-1"}
    assert read_provenance("file.csv") is None


def test_a_settlement_that_changed_takes_the_place_of_its_own_earlier_row_only(tmp_path):
    stores = Stores(
        lake=tmp_path / "lake", blobs=tmp_path / "blobs", journal=f"sqlite:///{tmp_path}/j.db",
        tracker=f"sqlite:///{tmp_path}/t.db", artifacts=tmp_path / "a",
    )  # fmt: skip
    original = Example("e1", "vpn is down", "vpn", "train", None, None, "file.csv")
    first = stores.lake.write_examples("desk", [original], mode="append", note={}, time_ms=1)
    extend = lambda rows: extend_examples(stores, "desk", rows, note={"source": "labels"}, time_ms=2)  # noqa: E731
    second = extend(corrected([judged()], {"vpn"}))
    third = extend(corrected([judged(1, "irrelevant", None)], {"vpn"}))
    intents = lambda at: {r.id: r.intent for r in stores.lake.examples("desk", at.version)[1]}  # noqa: E731
    assert intents(first) == {"e1": "vpn"}
    assert intents(second) == {"e1": "vpn", "label-t-1": "vpn"}
    assert intents(third) == {"e1": "vpn", "label-t-1": "irrelevant"}
    with pytest.raises(DataError, match="id of an original row"):
        extend([replace(original, intent="other", origin="label:l-1")])
    assert intents(third) == intents(stores.lake.resolve("examples", "desk"))
    stores.close()


def test_a_fixed_fifth_of_labels_is_kept_for_the_gate_and_none_that_explores():
    kept = [for_gate(judged(i)) for i in range(2000)]
    assert abs(sum(kept) / 2000 - 0.2) < 0.03
    assert kept == [for_gate(judged(i, "irrelevant", None)) for i in range(2000)]
    assert not any(for_gate(judged(i, purpose="explore")) for i in range(50))
