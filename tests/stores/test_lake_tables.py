"""Tables of any schema: written by key, bounded in memory, told by a hash that no order changes."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.errors import DataError, NotFound, OutsideError, StateError, UsageError
from noria.stores.lake import Lake, Written, incoming, merging, staging, writing
from noria.stores.lake.digest import as_hex, digests, total

NOW = 1_700_000_000_000
fresh_names = (f"t{number}" for number in itertools.count())
TICKETS = pa.table({"id": ["a", "b", "c"], "text": ["vpn", "printer", None], "n": [1, 2, 3]})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(tmp_path_factory.mktemp("lake"))


def put(lake: Lake, rows, mode="merge", name="tickets", **more) -> Written:
    more = {"note": {}, "time_ms": NOW, "keys": ("id",)} | more
    return lake.write_table("raw", name, rows, mode=mode, **more)


def content(lake: Lake, name="tickets", version=None):
    return sorted(lake.read_table("raw", name, version)[1].to_pylist(), key=str)


def table(rows: dict[str, str | None]) -> pa.Table:
    return pa.table(
        {"id": list(rows), "text": list(rows.values())}, pa.schema({"id": pa.string(), "text": pa.string()})
    )


def counts(written: Written) -> tuple[int, int, int, int]:
    return written.new, written.changed, written.deleted, written.unchanged


states = st.dictionaries(st.sampled_from("abcdefgh"), st.none() | st.sampled_from(["", "x", "y"]), max_size=8)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(states, st.booleans(), st.sets(st.sampled_from("abcdefgh"))), min_size=1, max_size=5))
def test_merges_are_what_a_dictionary_does(shared: Lake, steps) -> None:
    """New, changed, deleted and unchanged rows are counted as a plain dictionary counts them; the hash is the rows'."""
    name, model, version = next(fresh_names), {"z": "first"}, 1
    put(shared, table(model), name=name)
    for rows, full, named in steps:
        gone = named - rows.keys()
        written = put(
            shared, table(rows), name=name, full=full, deletes=pa.table({"id": pa.array(sorted(gone), pa.string())})
        )
        kept = {} if full else {k: v for k, v in model.items() if k not in gone}
        after = kept | rows
        expected = (
            len(rows.keys() - model.keys()),
            sum(model[k] != v for k, v in rows.items() if k in model),
            len(model.keys() - after.keys()),
            sum(model[k] == v for k, v in rows.items() if k in model),
        )
        assert counts(written) == expected
        version += any(expected[:3])
        model = after
        assert (written.version.version, written.version.rows) == (version, len(model))
        assert content(shared, name) == sorted(({"id": k, "text": v} for k, v in model.items()), key=str)
        assert shared.verify(written.version)
        assert shared.resolve("raw", name) == written.version


def test_the_hash_is_of_rows_not_of_their_order(lake: Lake) -> None:
    """Order of rows, of columns, of batches and columns of nulls alone do not change the hash; any value does."""
    one = put(lake, TICKETS, name="one").version
    other = TICKETS.take([2, 0, 1]).select(["n", "text", "id"]).append_column("empty", pa.nulls(3, pa.string()))
    assert put(lake, iter(other.to_batches(max_chunksize=1)), name="two").version.sha256 == one.sha256
    parts = [put(lake, TICKETS.slice(n, 1), name="three").version for n in range(3)]
    assert parts[-1].sha256 == one.sha256
    values = {as_hex(total(digests(batch))) for batch in variants()}
    assert len(values) == 7


def variants() -> Iterator[pa.RecordBatch]:
    """Rows that would be the same bytes if values were put side by side without their lengths."""
    for row in ({"a": "x", "b": "yz"}, {"a": "xy", "b": "z"}, {"a": "xyz", "b": None}, {"a": None, "b": "xyz"},
                {"a": "", "b": "xyz"}, {"a": "x", "c": "yz"}, {"a": "x", "b": "yz", "c": ["1"]}):  # fmt: skip
        yield pa.RecordBatch.from_pylist(
            [row], pa.schema({k: pa.list_(pa.string()) if isinstance(v, list) else pa.string() for k, v in row.items()})
        )


def test_every_type_is_kept_and_hashed(lake: Lake) -> None:
    """Types that Delta has not are kept as the nearest that holds every value, and written again nothing changes."""
    import datetime as dt
    from decimal import Decimal

    rows = pa.table({
        "id": pa.array(["a", "b"]).dictionary_encode(),
        "large": pa.array(["x", None], pa.large_string()),
        "unsigned": pa.array([2**32 - 1, 0], pa.uint32()),
        "time": pa.array([1_700_000_000_123, None], pa.timestamp("ms", "UTC")),
        "day": pa.array([dt.date(2024, 1, 2), None]),
        "price": pa.array([Decimal("1.50"), None]),
        "share": pa.array([0.0, float("nan")]),
        "flag": pa.array([True, None]),
        "raw": pa.array([b"\x00\xff", None]),
        "tags": pa.array([["b", "a"], None]),
        "nested": pa.array([{"k": [1]}, None]),
        "nothing": pa.nulls(2),
    })  # fmt: skip
    first = put(lake, rows)
    assert counts(put(lake, rows)) == (0, 0, 0, 2)
    made, back = lake.read_table("raw", "tickets")
    assert made == first.version
    assert lake.verify(made)
    got = sorted(back.to_pylist(), key=lambda row: row["id"])
    assert got[0]["unsigned"] == 2**32 - 1
    assert got[0]["time"] == dt.datetime(2023, 11, 14, 22, 13, 20, 123000, dt.UTC)
    assert (got[0]["price"], got[0]["tags"], got[0]["nested"]) == (Decimal("1.50"), ["b", "a"], {"k": [1]})
    again = rows.set_column(6, "share", pa.array([-0.0, float("nan")]))
    assert counts(put(lake, again)) == (0, 0, 0, 2)


def test_a_new_column_is_taken_on_and_an_old_one_may_be_left_out(lake: Lake) -> None:
    """The columns only grow: old rows have nothing in the new one, and their hash stays."""
    put(lake, TICKETS)
    second = put(lake, pa.table({"id": ["d"], "language": ["de"]}))
    assert counts(second) == (1, 0, 0, 0)
    rows = {row["id"]: row for row in content(lake)}
    assert rows["d"] == {"id": "d", "text": None, "n": None, "language": "de"}
    assert rows["a"]["language"] is None
    assert lake.read_table("raw", "tickets", 1)[1].column_names == ["id", "text", "n"]
    assert all(lake.verify(lake.resolve("raw", f"tickets@{n}")) for n in range(1, second.version.version + 1))
    assert lake.history("raw", "tickets")[1]["operation"] == "columns"


@pytest.mark.parametrize("column", [pa.array(["1"]), pa.array([1.5]), pa.array([2**40])])
def test_a_column_that_changes_its_type_is_refused(lake: Lake, column: pa.Array) -> None:
    """A number that turns to text, loses digits or does not fit is told with column and types; nothing is written."""
    first = put(lake, pa.table({"id": ["a"], "n": pa.array([1], pa.int32())})).version
    with pytest.raises(DataError, match=r"field 'n': the table keeps int32"):
        put(lake, pa.table({"id": ["b"], "n": column}))
    assert lake.resolve("raw", "tickets") == first
    assert counts(put(lake, pa.table({"id": ["b"], "n": pa.array([7], pa.int64())}))) == (1, 0, 0, 0)


def test_keys_are_whole_unique_and_stay(lake: Lake, tmp_path: Path) -> None:
    """An empty or double key, a missing key column, other keys than the table's: all refused, nothing written."""
    with pytest.raises(DataError, match=r"row 3, field 'id': the key 'a' comes twice"):
        put(lake, pa.table({"id": ["x", "y", "a", "a"]}).slice(0), keys=("id",))
    with pytest.raises(DataError, match=r"row 2, field 'id': the key is empty"):
        put(lake, pa.table({"id": ["x", None]}))
    with pytest.raises(DataError, match=r"field 'id': the key column is missing"):
        put(lake, pa.table({"text": ["x"]}))
    assert lake.tables() == []
    put(lake, TICKETS)
    with pytest.raises(UsageError, match="has the keys id, not text"):
        put(lake, TICKETS, keys=("text",))
    with pytest.raises(UsageError, match="needs keys"):
        put(lake, TICKETS, name="other", keys=())
    with pytest.raises(DataError, match="comes twice"):
        put(lake, TICKETS, deletes=pa.table({"id": ["a"]}))
    assert counts(put(lake, TICKETS, keys=())) == (0, 0, 0, 3)
    assert len(list((tmp_path / "raw" / "tickets").glob("*.parquet"))) == 1
    assert not list((tmp_path / "raw").glob("other/*.parquet"))


def test_keys_of_several_columns(lake: Lake) -> None:
    """Values of two columns that read the same side by side are two keys."""
    rows = pa.table({"a": ["x", "xy"], "b": ["yz", "z"], "text": ["1", "2"]})
    assert counts(put(lake, rows, keys=("a", "b"))) == (2, 0, 0, 0)
    changed = pa.table({"a": ["xy"], "b": ["z"], "text": ["3"]})
    assert counts(put(lake, changed, keys=("a", "b"))) == (0, 1, 0, 0)
    gone = put(lake, changed.slice(0, 0), keys=("a", "b"), deletes=pa.table({"a": ["x"], "b": ["yz"]}))
    assert counts(gone) == (0, 0, 1, 0)
    assert content(lake) == [{"a": "xy", "b": "z", "text": "3"}]


def test_append(lake: Lake) -> None:
    """With keys, equal rows change nothing and others are refused; without keys every row is added."""
    put(lake, TICKETS, mode="append")
    more = pa.concat_tables([TICKETS, pa.table({"id": ["d"], "text": ["x"], "n": [4]})])
    assert counts(put(lake, more, mode="append")) == (1, 0, 0, 3)
    with pytest.raises(DataError, match=r"row 1, field 'id': the key 'b' exists with different content"):
        put(lake, pa.table({"id": ["b"], "text": ["x"], "n": [2]}), mode="append")
    for rows in (3, 6):
        assert put(lake, TICKETS, mode="append", name="log", keys=()).version.rows == rows


def test_replace(lake: Lake) -> None:
    """The rows become the whole content; the same rows again are no new version; a table may become empty."""
    put(lake, TICKETS)
    assert counts(put(lake, TICKETS.slice(1), mode="replace")) == (2, 0, 3, 0)
    assert put(lake, TICKETS.slice(1).take([1, 0]), mode="replace").version.version == 2
    assert put(lake, TICKETS.slice(0, 0), mode="replace").version.rows == 0
    assert content(lake) == []
    assert len(content(lake, version=1)) == 3
    assert counts(put(lake, TICKETS)) == (3, 0, 0, 0)
    with pytest.raises(DataError, match="no rows"):
        put(lake, TICKETS.slice(0, 0), name="none")


def test_a_write_with_an_id_happens_once(lake: Lake) -> None:
    """A run that is repeated after it was killed adds nothing, and is told what the first one did."""
    first = put(lake, TICKETS, mode="append", keys=(), once="run-1")
    put(lake, TICKETS, mode="append", keys=(), once="run-2")
    assert put(lake, TICKETS, mode="append", keys=(), once="run-1") == first
    assert lake.resolve("raw", "tickets").rows == 6


def test_an_error_in_the_source_writes_nothing(lake: Lake, tmp_path: Path) -> None:
    """Neither rows nor files are left of a source that breaks off, or of a batch that a contract refuses."""

    def breaks() -> Iterator[pa.RecordBatch]:
        yield TICKETS.to_batches()[0]
        raise ValueError("gone")

    def refuses(batch: pa.RecordBatch) -> None:
        raise DataError([], "no")

    with pytest.raises(ValueError, match="gone"):
        put(lake, breaks())
    with pytest.raises(DataError, match="no"):
        put(lake, TICKETS, check=refuses)
    assert lake.tables() == []
    assert not list(tmp_path.rglob("*.parquet"))


def test_many_small_files_are_written_together(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Years of daily increments leave a handful of files, and every version stays what it was."""
    monkeypatch.setattr(merging, "_SMALL_FILES", 5)
    made = [put(lake, pa.table({"id": [f"{day}"], "text": ["x"]})).version for day in range(23)]
    assert len(DeltaTable(lake.place("raw", "tickets").uri).file_uris()) <= 5
    assert all(lake.verify(version) for version in made[::5])
    assert len(content(lake)) == 23


def test_large_tables_lie_in_files_of_bounded_size(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change touches only the file where its key lies."""
    monkeypatch.setattr(staging, "GROUP_ROWS", 100)
    monkeypatch.setattr(staging, "_FILE_ROWS", 200)
    monkeypatch.setattr(incoming, "_BATCH_ROWS", 50)
    ids = [f"{number:04}" for number in range(1000)]
    put(lake, pa.table({"id": ids, "text": ids}))
    before = set(DeltaTable(lake.place("raw", "tickets").uri).file_uris())
    assert len(before) == 5
    written = put(lake, pa.table({"id": ["0300", "0301"], "text": ["changed", "0301"]}))
    assert counts(written) == (0, 1, 0, 1)
    assert len(before & set(DeltaTable(lake.place("raw", "tickets").uri).file_uris())) == 4
    assert lake.verify(written.version)
    _, batches = lake.scan_table("raw", "tickets", columns=["text"], where="id = '0300'")
    assert pa.Table.from_batches(batches).to_pylist() == [{"text": "changed"}]


def test_reading(lake: Lake) -> None:
    """Versions, columns and kinds that are not there are told with what is."""
    put(lake, TICKETS)
    assert lake.read_table("raw", "tickets", columns=["n"])[1].column_names == ["n"]
    with pytest.raises(NotFound, match="Did you mean 'text'"):
        lake.read_table("raw", "tickets", columns=["texts"])
    with pytest.raises(UsageError, match="no version 2"):
        lake.read_table("raw", "tickets", 2)
    with pytest.raises(NotFound, match="Did you mean 'tickets'"):
        lake.read_table("raw", "ticket")
    with pytest.raises(UsageError, match="are records"):
        lake.write_table("examples", "x", TICKETS, mode="append", note={}, time_ms=NOW)
    with pytest.raises(UsageError, match="cannot name a table"):
        lake.write_table("../raw", "x", TICKETS, mode="append", note={}, time_ms=NOW)
    assert [t.kind for t in lake.tables()] == ["raw"]


def test_threads_merge_into_one_table(lake: Lake) -> None:
    """Writers that collide try again over what the other wrote: no row is lost, every count adds up."""
    put(lake, pa.table({"id": ["both"], "text": ["start"]}))
    barrier = threading.Barrier(4)

    def work(number: int) -> list[Written]:
        barrier.wait()
        return [put(lake, table({f"{number}-{n}": "x", "both": f"{number}-{n}"})) for n in range(5)]

    with ThreadPoolExecutor(4) as pool:
        done = [written for each in pool.map(work, range(4)) for written in each]
    assert all(counts(written) == (1, 1, 0, 0) for written in done)
    assert sorted(written.version.version for written in done) == list(range(2, 22))
    assert len(content(lake)) == 21
    assert all(lake.verify(written.version) for written in done)


def test_a_commit_whose_answer_got_lost_is_not_made_twice(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that commits and then says "somebody was faster", as a repeated request does, adds the rows once."""
    put(lake, TICKETS, mode="append", keys=())
    real = writing.commit_files

    def lost(*args, **kwargs) -> None:
        real(*args, **kwargs)
        monkeypatch.setattr(writing, "commit_files", real)
        raise CommitFailedError("the version exists already")

    monkeypatch.setattr(writing, "commit_files", lost)
    written = put(lake, TICKETS, mode="append", keys=())
    assert (written.version.version, written.version.rows) == (2, 6)
    assert len(content(lake)) == 6
    assert lake.verify(written.version)


def test_a_full_disk_leaves_nothing(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk refuses, there is an error and no rest; later the same write works."""
    first = put(lake, TICKETS).version

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutsideError, match="No space left"):
            put(lake, pa.table({"id": ["d"]}))
    assert lake.resolve("raw", "tickets") == first
    assert len(list((tmp_path / "raw" / "tickets").iterdir())) == 2
    assert put(lake, pa.table({"id": ["d"]})).version.rows == 4


def test_tables_that_others_laid_out_are_read_and_left_alone(lake: Lake, tmp_path: Path) -> None:
    """A partitioned table of another program is read with its facts counted from its rows, and is not changed."""
    from deltalake import write_deltalake

    path = tmp_path / "raw" / "theirs"
    write_deltalake(path, TICKETS.slice(0, 0))
    write_deltalake(path, TICKETS, mode="append")
    made = lake.resolve("raw", "theirs")
    assert (made.version, made.rows, made.sha256) == (1, 3, put(lake, TICKETS, name="ours").version.sha256)
    assert counts(put(lake, pa.table({"id": ["a"], "text": ["new"], "n": [1]}), name="theirs")) == (0, 1, 0, 0)
    parted = tmp_path / "raw" / "parted"
    write_deltalake(parted, TICKETS, partition_by="id")
    write_deltalake(parted, TICKETS, mode="append")
    with pytest.raises(StateError, match="partitions"):
        put(lake, TICKETS, name="parted")
