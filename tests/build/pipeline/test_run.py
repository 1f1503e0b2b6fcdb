"""One run of a feed after another: what is read, kept, set aside, deleted, and that a rebuild gives the same."""

from __future__ import annotations

import random

import pyarrow.compute as pc
import pytest
from tests.build.pipeline.made_up_feed import COLUMNS, Desk, feed, source, ticket, write

from noria.build import run_feed
from noria.build.pipeline.receipts import receipts
from noria.errors import UsageError
from noria.stores.lake import Lake


def rows_of(lake, receipt, kind):
    version = getattr(receipt, kind)
    if version is None:
        return {}
    return {row["id"]: row for row in lake.read_table(kind, "tickets", version.version)[1].to_pylist()}


def same_tables(one, other):
    return [(v.rows, v.sha256) for v in (one.clean, one.quarantine)] == [
        (v.rows, v.sha256) for v in (other.clean, other.quarantine)
    ]


@pytest.mark.parametrize("near", ["mark", "reject"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_increments_make_the_same_tables_as_a_rebuild(tmp_path, seed, near):
    draw = random.Random(seed)
    made_up, lake, desk = feed(rules={"near": near, "near_similarity": 0.6}), Lake(tmp_path), {}
    for day in range(1, 9):
        for number in range(len(desk), len(desk) + 25):
            desk[f"t{number}"] = ticket(number, day, number % 5)
        for number in draw.sample(range(len(desk)), 4):
            desk[f"t{number}"] = ticket(number, day, day)
        desk.update({f"t{n}": ticket(n, day, day, n="many") for n in draw.sample(range(len(desk)), 1)})
        gone = draw.sample(sorted(desk), 2) if day % 4 == 0 else []
        last = run_feed(
            lake, made_up, Desk({k: v for k, v in desk.items() if k not in gone}), time_ms=day, full=bool(gone)
        )
        assert last.status == "published"
    again = run_feed(lake, made_up, None, time_ms=99, rebuild=True)
    assert same_tables(last, again)
    assert dict(last.reasons) == dict(again.reasons)
    assert last.clean.rows + last.quarantine.rows == sum(last.counts[k] for k in ("clean_rows", "quarantine_rows"))


def test_a_second_run_changes_nothing_and_says_so(tmp_path):
    write(tmp_path / "in", "a.jsonl", [ticket(n, 1) for n in range(30)])
    lake = Lake(tmp_path / "lake")
    first = run_feed(lake, feed(), source(tmp_path / "in"), time_ms=1)
    second = run_feed(lake, feed(), source(tmp_path / "in"), time_ms=2)
    assert (first.status, second.status) == ("published", "unchanged")
    assert (second.clean, second.quarantine, second.raw) == (first.clean, first.quarantine, first.raw)
    assert [r.run for r in receipts(lake, "tickets")] == [1, 2]


def test_the_counts_of_a_receipt_add_up(tmp_path):
    write(tmp_path / "in", "a.jsonl", [*(ticket(n, 2) for n in range(20)), ticket(3, 2), {"id": "x", "n": "no"}])
    lake = Lake(tmp_path / "lake")
    run_feed(lake, feed(), source(tmp_path / "in"), time_ms=1)
    write(tmp_path / "in", "b.jsonl", [ticket(1, 1, 5), ticket(2, 3, 5), ticket(4, 2), ticket(50, 3)], tail="{half\n")
    done = run_feed(lake, feed(), source(tmp_path / "in"), time_ms=2)
    assert {k: done.counts[k] for k in ("read", "new", "changed", "unchanged", "stale", "repeated", "broken")} == {
        "read": 5, "new": 2, "changed": 1, "unchanged": 1, "stale": 1, "repeated": 0, "broken": 1,
    }  # fmt: skip
    assert done.clean.rows + done.quarantine.rows == 23
    assert sum(done.reasons.values()) == done.quarantine.rows


def test_an_older_version_of_a_row_never_replaces_a_newer_one(tmp_path):
    lake = Lake(tmp_path)
    run_feed(lake, feed(), Desk({"t1": ticket(1, 5, subject="the newer subject")}), time_ms=1)
    run_feed(lake, feed(), Desk({"t1": ticket(1, 4, subject="an older subject")}), time_ms=2, full=True)
    done = run_feed(lake, feed(), None, time_ms=3, rebuild=True)
    assert rows_of(lake, done, "clean")["t1"]["text"].startswith("the newer subject")


def test_a_full_refresh_finds_what_was_deleted_and_a_row_may_come_back(tmp_path):
    desk = {f"t{n}": ticket(n, 1, subject=f"something of its own {n * n}") for n in range(10)}
    lake = Lake(tmp_path)
    run_feed(lake, feed(), Desk(desk), time_ms=1)
    gone = run_feed(lake, feed(), Desk({k: v for k, v in desk.items() if k != "t4"}), time_ms=2, full=True)
    assert gone.counts["deleted"] == 1
    assert "t4" not in rows_of(lake, gone, "clean") | rows_of(lake, gone, "quarantine")
    back = run_feed(lake, feed(), Desk(desk), time_ms=3, full=True)
    assert back.counts["new"] == 1
    assert "t4" in rows_of(lake, back, "clean") | rows_of(lake, back, "quarantine")


def test_a_refresh_is_due_after_its_days(tmp_path):
    day = 86_400_000
    desk, lake = {f"t{n}": ticket(n, 1) for n in range(10)}, Lake(tmp_path)
    weekly = feed(full_refresh_days=7)
    run_feed(lake, weekly, Desk(desk), time_ms=0)
    del desk["t3"]
    early = run_feed(lake, weekly, Desk(desk), time_ms=6 * day)
    due = run_feed(lake, weekly, Desk(desk), time_ms=7 * day)
    assert (early.full, due.full, due.counts["deleted"]) == (False, True, 1)


def test_half_a_source_does_not_empty_the_table(tmp_path):
    desk, lake = {f"t{n}": ticket(n, 1) for n in range(10)}, Lake(tmp_path)
    careful = feed(contract={"max_deleted_share": 0.2, "max_quarantine_share": 0.9})
    first = run_feed(lake, careful, Desk(desk), time_ms=1)
    half = run_feed(lake, careful, Desk(dict(list(desk.items())[:5])), time_ms=2, full=True)
    assert half.status == "refused"
    assert "misses 5 of 10 rows" in half.message
    assert half.clean == first.clean


def test_a_broken_contract_publishes_nothing_and_the_next_run_heals(tmp_path):
    strict = feed(contract={"allowed": {"label": ["hardware", "access"]}, "max_quarantine_share": 0.9})
    desk = {f"t{n}": ticket(n, 1, subject=f"number {n} is special {n * 7}") for n in range(10)}
    lake = Lake(tmp_path)
    good = run_feed(lake, strict, Desk(desk), time_ms=1)
    desk["t11"] = ticket(11, 2, subject="a subject that nobody else has written", cat="aliens")
    bad = run_feed(lake, strict, Desk(desk), time_ms=2)
    assert bad.status == "refused"
    assert "'t11' ('aliens')" in bad.message
    assert (bad.clean, bad.quarantine) == (good.clean, good.quarantine)
    assert lake.resolve("clean", "tickets") == good.clean
    desk["t11"] = ticket(11, 3, subject="a subject that nobody else has written", cat="access")
    healed = run_feed(lake, strict, Desk(desk), time_ms=3)
    assert healed.status == "published"
    assert rows_of(lake, healed, "clean")["t11"]["label"] == "access"


def test_too_many_rows_in_quarantine_are_refused(tmp_path):
    strict = feed(contract={"max_quarantine_share": 0.1})
    desk = {f"t{n}": ticket(n, 1, subject=f"one of a kind {n * n}", cat="access") for n in range(20)}
    lake = Lake(tmp_path)
    assert run_feed(lake, strict, Desk(desk), time_ms=1).status == "published"
    desk |= {f"e{n}": ticket(n, 2, id=f"e{n}", subject="!", body="?") for n in range(5)}
    refused = run_feed(lake, strict, Desk(desk), time_ms=2)
    assert "5 of 25 rows (20.0%) would be in quarantine, the limit is 10.0%" in refused.message


@pytest.mark.parametrize("rebuild", [True, False])
def test_a_value_that_must_be_unique_and_is_not_is_refused(tmp_path, rebuild):
    strict = feed(contract={"unique": ["n"], "max_quarantine_share": 0.9})
    desk = {f"t{n}": ticket(n, 1, subject=f"one of a kind {n * n}", cat="access") for n in range(9)}
    lake = Lake(tmp_path)
    assert run_feed(lake, strict, Desk(desk), time_ms=1).status == "published"
    desk["t9"] = ticket(9, 2, subject="quite another thing", n=4, cat="access")
    refused = run_feed(lake, strict, Desk(desk), time_ms=2, rebuild=rebuild)
    assert (refused.status, "1 values come twice: 4" in refused.message) == ("refused", True)
    desk["t4"] = ticket(4, 3, subject="the other gives way", n=40, cat="access")
    assert run_feed(lake, strict, Desk(desk), time_ms=3, rebuild=rebuild).status == "published"


def test_other_rules_clean_everything_anew(tmp_path):
    desk, lake = {f"t{n}": ticket(n, 1, body="see <b>this</b>") for n in range(5)}, Lake(tmp_path)
    run_feed(lake, feed(), Desk(desk), time_ms=1)
    raw = run_feed(lake, feed(rules={"html": False}), None, time_ms=2)
    assert raw.status == "published"
    assert all("<b>" in r["text"] for r in rows_of(lake, raw, "clean").values())


def test_personal_data_reaches_no_table(tmp_path):
    row = ticket(1, 1, body="write to jane.doe@example.com or call +49 170 1234567", requester="jane.doe@example.com",
                 other="jane.doe@example.com")  # fmt: skip
    broken = '{"id": "t2", "body": "jane.doe@example.com'
    write(tmp_path / "in", "a.jsonl", [row], tail=broken)
    lake = Lake(tmp_path / "lake")
    run_feed(lake, feed(), source(tmp_path / "in"), time_ms=1)
    for kind in ("raw", "clean", "quarantine"):
        table = lake.read_table(kind, "tickets")[1]
        assert "jane" not in str(table.to_pylist())
        assert "1234567" not in str(table.to_pylist())
    clean = lake.read_table("clean", "tickets")[1]
    assert clean["redacted"].to_pylist() == [2]
    assert pc.max(pc.utf8_length(clean["requester"])).as_py() == 16


def test_what_was_not_declared_is_kept_as_json(tmp_path):
    lake = Lake(tmp_path)
    done = run_feed(lake, feed(), Desk({"t1": ticket(1, 1, priority=3, tags=["a"])}), time_ms=1)
    assert lake.read_table("raw", "tickets")[1]["more"].to_pylist() == ['{"priority": 3, "tags": ["a"]}']
    assert done.counts["undeclared"] == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"key": "nothing"}, "key names 'nothing'"),
        ({"columns": COLUMNS | {"n": "number"}}, "has the type 'number'"),
        ({"texts": []}, "texts is empty"),
        ({"updated": "cat"}, "must be of type time"),
        ({"colums": {}}, "Did you mean 'columns'"),
        ({"rules": {"near": "sometimes"}}, "none of mark, reject, off"),
        ({"contract": {"most": {"label": 3}}}, "not numbers"),
        ({"contract": {"required": ["nowhere"]}}, "names 'nowhere'"),
    ],
)
def test_a_feed_that_does_not_fit_together_is_refused(change, said):
    with pytest.raises(UsageError, match=said):
        feed(**change)
