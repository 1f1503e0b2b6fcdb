"""Care of the lake: what changed, whence it comes, what may go, and what must stay readable."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.errors import NotFound, StateError, UsageError
from noria.records import DataVersion, Example
from noria.stores.lake import Lake, merging
from noria.stores.lake.care import diff, lineage, restore_drill, vacuum, verify

NOW = 1_700_000_000_000


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def now_ms() -> int:
    """The clock of the disk: what files and commits are dated with."""
    return time.time_ns() // 1_000_000


def put(lake: Lake, rows: dict[str, str], mode="replace", **more) -> DataVersion:
    table = pa.table({"id": pa.array(list(rows), pa.string()), "intent": pa.array(list(rows.values()), pa.string())})
    more = {"note": {}, "time_ms": NOW, "keys": ("id",)} | more
    return lake.write_table("raw", "tickets", table, mode=mode, **more).version


def files(lake: Lake) -> set[str]:
    return {path.name for path in Path(lake.objects.uri, "raw", "tickets").glob("*.parquet")}


# --- What changed ---------------------------------------------------------------------------------------------------

states = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("xyz"), min_size=1)


@settings(max_examples=30, deadline=None)
@given(before=states, after=states)
def test_a_diff_is_that_of_two_dictionaries(tmp_path_factory, before, after):
    lake = Lake(tmp_path_factory.mktemp("lake"))
    first = put(lake, before)
    second = put(lake, after, mode="merge", full=True)
    told = diff(lake, "raw", "tickets", first.version, second.version)
    same = before.keys() & after.keys()
    changed = {key for key in same if before[key] != after[key]}
    assert (told.old, told.new) == (first, second)
    assert {what: set(keys) for what, keys in told.shown.items()} == {
        "added": after.keys() - before.keys(), "removed": before.keys() - after.keys(), "changed": changed,
    }  # fmt: skip
    assert (told.added, told.removed, told.changed) == tuple(
        len(told.shown[w]) for w in ("added", "removed", "changed")
    )
    moves = {}
    for key in changed:
        moves[before[key], after[key]] = moves.get((before[key], after[key]), 0) + 1
    assert told.moves == moves
    back = diff(lake, "raw", "tickets", second.version, first.version)
    assert (back.added, back.removed, back.changed) == (told.removed, told.added, told.changed)


def test_a_diff_of_examples_tells_where_labels_went(lake):
    """The records' own tables are compared by their own key."""
    rows = [Example(f"{n}", f"text {n}", "vpn") for n in range(5)]
    lake.write_examples("it", rows, mode="append", note={}, time_ms=NOW)
    moved = [replace(rows[0], intent="phone"), replace(rows[1], text="other"), *rows[2:4], Example("9", "new", "vpn")]
    lake.write_examples("it", moved, mode="replace", note={}, time_ms=NOW)
    told = diff(lake, "examples", "it", 1, 2)
    assert (told.added, told.removed, told.changed) == (1, 1, 2)
    assert told.shown == {"added": ("9",), "removed": ("4",), "changed": ("0", "1")}
    assert told.moves == {("vpn", "phone"): 1}
    assert diff(lake, "examples", "it", 1, 2, label="text").moves == {("text 1", "other"): 1}
    with pytest.raises(UsageError, match="no column 'nothing'; it has id, text"):
        diff(lake, "examples", "it", 1, 2, label="nothing")
    with pytest.raises(UsageError, match="no version 3"):
        diff(lake, "examples", "it", 1, 3)


def test_a_diff_without_keys_and_of_other_programs_tables(lake):
    """Rows without keys are added or removed; a layout of another program is read as a whole."""
    for rows in (["a", "a", "b"], ["a", "c"]):
        lake.write_table("raw", "log", pa.table({"x": rows}), mode="replace", note={}, time_ms=NOW)
    told = diff(lake, "raw", "log", 1, 2)
    assert (told.added, told.removed, told.changed) == (1, 2, 0)
    path = Path(lake.objects.uri, "raw", "parted")
    for rows in (["a"], ["a", "b"], ["b", "c"]):
        write_deltalake(path, pa.table({"x": rows, "p": ["1"] * len(rows)}), mode="overwrite", partition_by="p")
    told = diff(lake, "raw", "parted", 1, 2)
    assert (told.added, told.removed) == (1, 1)


def test_a_diff_does_not_read_what_both_versions_have(lake):
    """The shared files could be gone, and it would not be noticed."""
    put(lake, {"a": "x"}, mode="merge")
    (shared,) = files(lake)
    put(lake, {"b": "x"}, mode="merge")
    Path(lake.objects.uri, "raw", "tickets", shared).unlink()
    assert diff(lake, "raw", "tickets", 1, 2).shown["added"] == ("b",)


# --- Whence it comes ------------------------------------------------------------------------------------------------


def test_lineage_leads_from_examples_back_to_the_sources(lake):
    """Each write names its source, code, counts and inputs; writes before a replacement no longer matter."""
    first = put(lake, {"old": "x"}, note={"source": "tickets-1.csv"})
    put(lake, {"a": "x"}, note={"source": "tickets-2.csv"}, code={"version": "1"})
    raw = put(lake, {"b": "y"}, mode="merge", note={"source": "tickets-3.csv"})
    clean = lake.write_table(
        "clean", "tickets", pa.table({"id": ["a"]}), mode="append", note={"rules": "7"}, time_ms=5, inputs=[raw]
    ).version
    steps = lineage(lake, clean)
    assert [(s.depth, s.version.kind, s.version.version, s.operation) for s in steps] == [
        (0, "clean", 1, "append"), (1, "raw", 3, "merge"), (1, "raw", 2, "replace"),
    ]  # fmt: skip
    assert [s.note for s in steps] == [{"rules": "7"}, {"source": "tickets-3.csv"}, {"source": "tickets-2.csv"}]
    assert (steps[0].inputs, steps[0].time_ms, steps[2].code) == ((raw,), 5, {"version": "1"})
    assert steps[1].counts == {"new": 1, "changed": 0, "deleted": 0, "same": 0}
    assert [s.version for s in lineage(lake, first)] == [first]
    with pytest.raises(NotFound):
        lineage(lake, replace(first, name="other"))


def test_an_input_that_is_gone_is_still_named(lake):
    gone = DataVersion("raw", "gone", 4, 1, "0" * 64)
    made = put(lake, {"a": "x"}, inputs=[gone])
    (step,) = lineage(lake, made)
    assert step.inputs == (gone,)


# --- What may go ----------------------------------------------------------------------------------------------------


def test_a_vacuum_keeps_what_is_pinned_and_the_latest(lake):
    """The pinned versions and the latest stay readable, others go, the history is whole, no version is added."""
    made = [put(lake, {"a": "x", "n": str(n)}, mode="merge") for n in range(6)]
    lake.pin(made[1], "experiment one")
    lake.pin(made[3], "experiment two")
    Path(lake.objects.uri, "raw", "tickets", "part-crashed.parquet").write_bytes(b"half")
    Path(lake.objects.uri, "raw", "tickets", ".part-x.parquet.1-2.part").write_bytes(b"half")
    (told,) = vacuum(lake, now_ms=now_ms() + 1, keep_hours=0)
    assert (told.kind, told.name, told.kept) == ("raw", "tickets", (2, 4, 6))
    assert len(files(lake)) > 3, "a dry run removes nothing"
    (done,) = vacuum(lake, now_ms=now_ms() + 1, keep_hours=0, dry_run=False)
    assert (done.files, done.size) == (told.files, told.size)
    assert {"part-crashed.parquet", ".part-x.parquet.1-2.part"} <= set(done.files)
    assert [lake.verify(made[n]) for n in (1, 3, 5)] == [True, True, True]
    for n in (0, 2, 4):
        with pytest.raises(StateError, match=r"cannot be read .*'noria lake vacuum'"):
            lake.verify(made[n])
    assert [v["version"] for v in lake.history("raw", "tickets")] == [6, 5, 4, 3, 2, 1]
    assert all(not checked.fault for checked in verify(lake))
    assert vacuum(lake, now_ms=now_ms() + 1, keep_hours=0)[0].files == ()
    assert put(lake, {"b": "x"}, mode="merge").version == 7


def test_a_vacuum_keeps_the_versions_of_the_last_hours(lake):
    """A version that was the latest within the retention stays, and files of a write that is under way."""
    made = [put(lake, {"n": str(n)}) for n in range(3)]
    Path(lake.objects.uri, "raw", "tickets", "part-underway.parquet").write_bytes(b"half")
    assert vacuum(lake, now_ms=now_ms(), keep_hours=1, dry_run=False)[0].files == ()
    assert all(lake.verify(version) for version in made)
    # Two hours later the same files are old enough, except what went out only now.
    for path in Path(lake.objects.uri, "raw", "tickets").glob("*.parquet"):
        os.utime(path, (1, 1))
    later = vacuum(lake, now_ms=now_ms(), keep_hours=1)[0]
    assert later.files == ("part-underway.parquet",)
    with pytest.raises(UsageError, match="fewer than 0"):
        vacuum(lake, now_ms=NOW, keep_hours=-1)


def test_a_pin_that_cannot_be_honoured_stops_the_vacuum(lake):
    """One damaged table is enough: nothing at all is removed."""
    lake.write_table("a", "fine", pa.table({"x": [1]}), mode="replace", note={}, time_ms=NOW)
    lake.write_table("a", "fine", pa.table({"x": [2]}), mode="replace", note={}, time_ms=NOW)
    put(lake, {"a": "x"})
    Path(lake.objects.uri, "raw", "tickets", "_delta_log", f"{1:020}.json").write_text("{")
    with pytest.raises(StateError):
        vacuum(lake, now_ms=now_ms() + 1, keep_hours=0, dry_run=False)
    assert lake.read_table("a", "fine", 1)[1].to_pylist() == [{"x": 1}]


# --- The traps of Delta ---------------------------------------------------------------------------------------------


def test_the_log_is_kept_from_the_first_version_on(lake):
    """Delta deletes log entries older than 30 days at every hundredth commit, unless the table says otherwise."""
    made = [put(lake, {"n": str(n)}) for n in range(99)]
    log = Path(lake.objects.uri, "raw", "tickets", "_delta_log")
    for entry in log.iterdir():
        os.utime(entry, (0, 0))
    made += [put(lake, {"n": str(n)}) for n in range(99, 104)]
    assert list(log.glob("*.checkpoint.parquet"))
    for n in (0, 50, 98, 103):
        assert lake.read_table("raw", "tickets", n + 1) == (made[n], pa.table({"id": ["n"], "intent": [str(n)]}))
    kept = DeltaTable(lake.place("raw", "tickets").uri).metadata().configuration
    assert kept["delta.enableExpiredLogCleanup"] == "false"
    assert kept["delta.logRetentionDuration"] == kept["delta.deletedFileRetentionDuration"] == "interval 36500 days"


def test_a_replacement_on_what_was_read_is_not_blind(lake):
    """Overwriting by path would lose the other's update; with the version that was read it is refused."""
    read = put(lake, {"n": "0"})
    put(lake, {"n": "1"}, expect=read)
    with pytest.raises(StateError, match="at version 2, not 1; read it again"):
        put(lake, {"n": "2"}, expect=read)
    assert lake.read_table("raw", "tickets")[1].to_pylist() == [{"id": "n", "intent": "1"}]


def test_version_0_holds_nothing(lake):
    """MLflow's Delta source takes version 0 for "no version": no data may ever be there."""
    made = put(lake, {"a": "x"})
    assert made.version == 1
    assert DeltaTable(lake.place("raw", "tickets").uri, version=0).count() == 0
    with pytest.raises(UsageError, match="no version 0; it has only version 1"):
        lake.read_table("raw", "tickets", 0)


# --- Proofs ---------------------------------------------------------------------------------------------------------


def test_verify_looks_at_every_pin_and_every_latest_version(lake):
    """A changed file, a missing one and a pin that says something else are told; the rest is fine."""
    made = [put(lake, {"n": str(n)}) for n in range(3)]
    lake.pin(made[0], "one")
    lake.pin(made[0], "two")
    told = {c.version.version: c for c in verify(lake)}
    assert {v: (c.why, c.fault) for v, c in told.items()} == {1: (("one", "two"), ""), 3: (("latest",), "")}
    place = lake.place("raw", "tickets")
    names = {v: merging.present_files(place.at(v), place.folder)[0].name for v in (1, 3)}
    folder = Path(place.uri)
    (folder / names[3]).write_bytes((folder / names[1]).read_bytes())
    (folder / names[1]).unlink()
    faults = {c.version.version: c.fault for c in verify(lake)}
    assert "cannot be read" in faults[1]
    assert "not what they were" in faults[3]


def test_the_restore_drill_proves_pins_and_latest_elsewhere(lake, tmp_path):
    """The copy is a lake by itself; what is missing from it, or was changed, is told."""
    made = [put(lake, {"n": str(n)}) for n in range(3)]
    lake.pin(made[0], "one")
    lake.write_examples("it", [Example("a", "text", "vpn")], mode="append", note={}, time_ms=NOW)
    done = restore_drill(lake, tmp_path / "copy")
    assert [c.fault for c in done.checked] == ["", "", ""]
    assert done.files == len([p for p in (tmp_path / "copy").rglob("*") if p.is_file()])
    copy = Lake(tmp_path / "copy")
    assert (copy.pins(), copy.tables()) == (lake.pins(), lake.tables())
    assert copy.history("raw", "tickets") == lake.history("raw", "tickets")
    with pytest.raises(StateError):
        copy.read_table("raw", "tickets", 2)
    with pytest.raises(UsageError, match="not empty"):
        restore_drill(lake, tmp_path / "copy")
    for path in (tmp_path / "lake" / "raw").rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:-1])
    again = restore_drill(lake, tmp_path / "again")
    assert {c.version.kind: bool(c.fault) for c in again.checked} == {"raw": True, "examples": False}
    for path in (tmp_path / "lake" / "raw").rglob("*.parquet"):
        path.unlink()
    with pytest.raises(StateError, match="is missing"):
        restore_drill(lake, tmp_path / "third")


def test_pins_are_plain_json(lake):
    """An administrator can read, and on purpose remove, a pin."""
    lake.pin(put(lake, {"a": "x"}), "experiment")
    (path,) = Path(lake.objects.uri, "_pins").iterdir()
    assert json.loads(path.read_bytes())["why"] == "experiment"
    path.unlink()
    assert lake.pins() == []
