"""The lake: versions that stay, keys that stay unique, writers that do not lose each other's rows."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.errors import DataError, NotFound, StateError, UsageError
from noria.records import RELEVANCES, SPLITS, Article, DataVersion, Example, StreamRow
from noria.stores.lake import Lake
from noria.stores.lake.delta import Place, commits
from noria.stores.lake.kinds import ARTICLES, EXAMPLES, KINDS
from noria.stores.objects.local import LocalObjects

NOW = 1_700_000_000_000
ROWS = [Example("b", "how do I pay", "pay"), Example("a", "hello", "small_talk", split="test", account="acme")]

fresh_names = (f"t{number}" for number in itertools.count())
any_text = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\x00\x1b\n\u2028\ufeff\U0001f600"))
)
keys = any_text.filter(bool)
maybe = st.none() | any_text
examples = st.builds(Example, keys, any_text, any_text, st.none() | st.sampled_from(SPLITS), maybe, maybe, any_text)
example_lists = st.lists(examples, min_size=1, max_size=5, unique_by=lambda row: row.id)
article_lists = st.lists(
    st.builds(Article, keys, any_text, any_text, st.lists(any_text, max_size=3).map(tuple), maybe, maybe),
    min_size=1, max_size=5, unique_by=lambda row: row.article_id,
)  # fmt: skip
times = st.integers(-(2**63), 2**63 - 1)
stream_lists = st.lists(
    st.builds(
        StreamRow, keys, times, any_text, any_text, maybe, maybe, st.none() | st.sampled_from(RELEVANCES), any_text
    ),
    min_size=1, max_size=5, unique_by=lambda row: row.id,
)  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake(tmp_path_factory.mktemp("lake"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


def write(
    lake: Lake, rows: list[Example], mode: Literal["append", "replace"] = "append", expect: DataVersion | None = None
) -> DataVersion:
    return lake.write_examples("bank", rows, mode=mode, note={"why": "test"}, time_ms=NOW, expect=expect)


def by_id(rows: list[Example]) -> list[Example]:
    return sorted(rows, key=lambda row: row.id)


@settings(max_examples=40, deadline=None)
@given(rows=example_lists)
def test_examples_round_trip(shared: Lake, rows: list[Example]) -> None:
    """Examples of any text come back as they were, in order of id; written again they change nothing."""
    name = next(fresh_names)
    made = shared.write_examples(name, rows, mode="append", note={}, time_ms=NOW)
    assert made == DataVersion("examples", name, 1, len(rows), EXAMPLES.sha256(rows))
    assert shared.examples(name) == (made, by_id(rows))
    assert shared.write_examples(name, rows[::-1], mode="append", note={}, time_ms=NOW + 1) == made
    assert len(shared.history("examples", name)) == 1
    assert shared.verify(made)


@settings(max_examples=25, deadline=None)
@given(articles=article_lists, stream=stream_lists)
def test_articles_and_streams_round_trip(shared: Lake, articles: list[Article], stream: list[StreamRow]) -> None:
    """Articles come back in order of id, a stream in order of time and then id."""
    name = next(fresh_names)
    made = shared.write_articles(name, articles, mode="append", note={}, time_ms=NOW)
    assert shared.articles(name) == (made, sorted(articles, key=lambda row: row.article_id))
    told = shared.write_stream(name, stream, mode="append", note={}, time_ms=NOW)
    assert shared.stream(name) == (told, sorted(stream, key=lambda row: (row.time_ms, row.id)))
    assert (made.kind, told.kind) == ("articles", "streams")


@settings(max_examples=20, deadline=None)
@given(writes=st.lists(st.tuples(st.sampled_from(["append", "replace"]), example_lists), min_size=2, max_size=5))
def test_old_versions_stay(shared: Lake, writes: list[tuple[Literal["append", "replace"], list[Example]]]) -> None:
    """Whatever is written later, every version still holds what it held, and the present is what the writes say."""
    name = next(fresh_names)
    held: dict[int, tuple[DataVersion, list[Example]]] = {}
    model: dict[str, Example] = {}
    for mode, rows in writes:
        clash = mode == "append" and any(model.get(row.id, row) != row for row in rows)
        if clash:
            with pytest.raises(DataError, match="different content"):
                shared.write_examples(name, rows, mode=mode, note={}, time_ms=NOW)
            continue
        made = shared.write_examples(name, rows, mode=mode, note={}, time_ms=NOW)
        model = (model if mode == "append" else {}) | {row.id: row for row in rows}
        held[made.version] = (made, by_id(list(model.values())))
    assert sorted(held) == list(range(1, len(held) + 1))
    for version, (made, rows) in held.items():
        assert shared.examples(name, version) == (made, rows)
        assert shared.resolve("examples", f"{name}@{version}") == made
        assert shared.verify(made)
    assert shared.resolve("examples", name) == held[len(held)][0]


@pytest.mark.parametrize("field", ["id", "text", "intent", "account", "origin"])
def test_half_a_character(lake: Lake, field: str) -> None:
    """A lone surrogate, which no file can hold, is a data error that names row, field and place; nothing is written."""
    bad = replace(ROWS[1], **{field: "ab\ud83d"})
    with pytest.raises(DataError) as caught:
        write(lake, [ROWS[0], bad])
    (problem,) = caught.value.problems
    assert (problem.file, problem.row, problem.field) == ("examples/bank", 2, field)
    assert "U+D83D) at position 2" in problem.message
    assert lake.tables() == []


def test_rows_that_cannot_be_kept(lake: Lake) -> None:
    """Wrong types, empty keys and double keys are all told at once, and nothing is written."""
    rows = [Example("", "x", "y"), Example("a", cast("str", None), "y"), Example("a", "x", cast("str", 5))]
    with pytest.raises(DataError) as caught:
        write(lake, rows)
    told = [(p.row, p.field, p.message) for p in caught.value.problems]
    assert told == [
        (1, "id", "the key is empty."),
        (2, "text", "must be text, not NoneType."),
        (3, "intent", "must be text, not int."),
        (3, "id", "the key 'a' comes twice (first in row 2); keys must be unique."),
    ]
    with pytest.raises(DataError, match="does not fit into 64 bits"):
        lake.write_stream("s", [StreamRow("a", 2**63, "acme", "x")], mode="append", note={}, time_ms=NOW)
    article = Article("a", "t", "b", ("\udfff",))
    with pytest.raises(DataError, match=r"row 1, field 'intents'.*half a character"):
        lake.write_articles("kb", [article], mode="append", note={}, time_ms=NOW)
    assert lake.tables() == []


def test_append_never_changes_a_row(lake: Lake) -> None:
    """An append with other content for a known key is refused as a whole; with mode "replace" the new rows win."""
    first = write(lake, ROWS)
    changed = replace(ROWS[0], intent="pay_bill")
    with pytest.raises(DataError, match=r"key 'b' exists with different content(.|\n)*--update") as caught:
        write(lake, [Example("c", "new", "pay"), changed])
    assert [p.row for p in caught.value.problems] == [2]
    assert lake.resolve("examples", "bank") == first
    second = write(lake, [changed], "replace")
    assert lake.examples("bank") == (second, [changed])
    assert lake.examples("bank", 1) == (first, by_id(ROWS))


def test_append_adds_only_what_is_new(lake: Lake) -> None:
    """Known rows of an append change nothing, new ones are added in one version; the facts are of the whole table."""
    write(lake, ROWS[:1])
    both = write(lake, ROWS)
    assert (both.version, both.rows, both.sha256) == (2, 2, EXAMPLES.sha256(ROWS))
    assert write(lake, []) == both


def test_canonical_hash(lake: Lake) -> None:
    """The hash is sha256 over JSON lines in order of id, keys sorted, None left out: any program can check it."""
    lines = [
        '{"account":"acme","id":"a","intent":"small_talk","origin":"","split":"test","text":"hello"}',
        '{"id":"b","intent":"pay","origin":"","text":"how do I pay"}',
    ]
    assert write(lake, ROWS).sha256 == hashlib.sha256("".join(f"{line}\n" for line in lines).encode()).hexdigest()


def test_replace_with_nothing_and_table_of_nothing(lake: Lake) -> None:
    """A table can be emptied by a new version, but not be made of nothing."""
    with pytest.raises(DataError, match="no rows"):
        write(lake, [])
    assert lake.tables() == []
    write(lake, ROWS)
    assert write(lake, [], "replace").rows == 0
    assert lake.examples("bank")[1] == []
    assert lake.examples("bank", 1)[1] == by_id(ROWS)


def test_expected_version(lake: Lake) -> None:
    """A write on the strength of what was read is refused when the table has moved on since."""
    first = write(lake, ROWS)
    second = write(lake, ROWS[:1], "replace", expect=first)
    with pytest.raises(StateError, match="at version 2, not 1"):
        write(lake, ROWS, "replace", expect=first)
    assert lake.resolve("examples", "bank") == second


@pytest.mark.parametrize("name", ["", "Bank", "_bank", "a/b", "..", "a b", "a" * 65, "bänk", "a\n"])
def test_bad_names(lake: Lake, tmp_path: Path, name: str) -> None:
    """A name that is not allowed is a usage error on writing, and cannot be found on reading."""
    with pytest.raises(UsageError, match="cannot name a table"):
        lake.write_examples(name, ROWS, mode="append", note={}, time_ms=NOW)
    with pytest.raises(NotFound):
        lake.examples(name)
    assert list(tmp_path.iterdir()) == []


def test_references(lake: Lake) -> None:
    """NAME is the latest version, NAME@VERSION that one; what does not exist is told with what does."""
    first, second = write(lake, ROWS[:1]), write(lake, ROWS)
    assert (lake.resolve("examples", "bank"), lake.resolve("examples", "bank@1")) == (second, first)
    assert lake.resolve("examples", second.ref) == second
    with pytest.raises(NotFound, match="Did you mean 'bank'"):
        lake.resolve("examples", "bnak")
    with pytest.raises(NotFound):
        lake.resolve("articles", "bank")
    for version in (0, 3):
        with pytest.raises(UsageError, match=f"no version {version}; it has versions 1 to 2"):
            lake.resolve("examples", f"bank@{version}")
        with pytest.raises(UsageError, match="versions 1 to 2"):
            lake.examples("bank", version)
    for ref in ("bank@", "bank@x", "bank@-1", "bank@1@2", "bank@²"):
        with pytest.raises(UsageError, match="NAME@VERSION"):
            lake.resolve("examples", ref)
    with pytest.raises(NotFound, match="no tickets table named 'bank'"):
        lake.resolve("tickets", "bank")


def test_tables_and_history(lake: Lake) -> None:
    """The tables are listed at their latest version, the history tells every version, newest first."""
    assert lake.tables() == []
    first, second = write(lake, ROWS[:1]), write(lake, ROWS, "replace")
    told = lake.write_stream("all", [StreamRow("q", NOW, "acme", "hi")], mode="append", note={}, time_ms=NOW)
    assert lake.tables() == [second, told]
    assert lake.history("examples", "bank") == [
        {"version": v.version, "time_ms": NOW, "rows": v.rows, "sha256": v.sha256, "note": {"why": "test"},
         "operation": operation}
        for v, operation in ((second, "replace"), (first, "append"))
    ]  # fmt: skip


def test_version_0_is_no_data(lake: Lake, tmp_path: Path) -> None:
    """A table that a crash left between creation and first write is not there for readers, and can still be written."""
    DeltaTable.create(tmp_path / "examples" / "bank", schema=EXAMPLES.schema)
    assert lake.tables() == []
    with pytest.raises(NotFound):
        lake.examples("bank")
    assert write(lake, ROWS).version == 1


def test_105_commits_keep_version_1(lake: Lake, tmp_path: Path) -> None:
    """More commits than a checkpoint interval, most older than Delta's retention: every version stays readable."""
    log = tmp_path / "examples" / "bank" / "_delta_log"
    made = [write(lake, [Example(str(number), "text", "pay")], "replace") for number in range(90)]
    for number in range(90, 105):  # the checkpoint comes in here
        for entry in log.iterdir():
            os.utime(entry, (0, 0))
        made.append(write(lake, [Example(str(number), "text", "pay")], "replace"))
    assert list(log.glob("*.checkpoint.parquet"))
    for number in (0, 1, 50, 98, 104):
        assert lake.examples("bank", number + 1) == (made[number], [Example(str(number), "text", "pay")])
    assert [v["sha256"] for v in lake.history("examples", "bank")] == [v.sha256 for v in reversed(made)]


def test_texts_stay_out_of_the_log(lake: Lake, tmp_path: Path) -> None:
    """No text gets into Delta's log, so that erasing a person's data means rewriting data files only."""
    write(lake, [Example("a", "my card 4111 is lost", "lost_card")])
    logs = [p.read_text() for p in (tmp_path / "examples" / "bank" / "_delta_log").glob("*.json")]
    assert len(logs) == 2
    assert not any("4111" in log for log in logs)


def test_verify_notices_other_content(lake: Lake, tmp_path: Path) -> None:
    """Data files that were exchanged on disk no longer match the hash of their version; missing ones are told."""
    table = tmp_path / "examples" / "bank"
    first = write(lake, [Example("a", "one", "pay")])
    (old,) = table.glob("*.parquet")
    second = write(lake, [Example("a", "two", "pay")], "replace")
    (new,) = set(table.glob("*.parquet")) - {old}
    old.write_bytes(new.read_bytes())
    assert not lake.verify(first)
    assert lake.verify(second)
    assert not lake.verify(replace(second, rows=2))
    old.unlink()
    with pytest.raises(StateError, match=r"version 1 of the table .* cannot be read"):
        lake.verify(first)
    assert lake.resolve("examples", "bank@1") == first


def test_damaged_log(lake: Lake, tmp_path: Path) -> None:
    """A damaged log is a state error that names the table."""
    write(lake, ROWS)
    (tmp_path / "examples" / "bank" / "_delta_log" / f"{1:020}.json").write_text("{")
    with pytest.raises(StateError, match="bank cannot be opened"):
        lake.examples("bank")


def test_commits_of_other_programs(lake: Lake, tmp_path: Path) -> None:
    """A version that another program wrote has its facts counted from its rows, and Noria goes on from it."""
    write(lake, ROWS[:1])
    write_deltalake(tmp_path / "examples" / "bank", EXAMPLES.to_arrow(ROWS[1:]), mode="append")
    assert lake.resolve("examples", "bank") == DataVersion("examples", "bank", 2, 2, EXAMPLES.sha256(ROWS))
    newest = lake.history("examples", "bank")[0]
    assert (newest["version"], newest["rows"], newest["note"], newest["operation"]) == (2, None, {}, "WRITE")
    assert write(lake, [*ROWS, Example("c", "x", "pay")]).version == 3
    assert [v["version"] for v in lake.history("examples", "bank")] == [3, 2, 1]


def test_history_behind_the_back(lake: Lake, tmp_path: Path) -> None:
    """A commit that comes in while a table is open does not shift the versions that are told (delta-rs does)."""
    first = write(lake, ROWS[:1])
    opened = DeltaTable(tmp_path / "examples" / "bank")
    second = write(lake, ROWS)
    told = {c.version: c.facts.get("sha256") for c in commits(opened)}
    assert (told[1], told[2]) == (first.sha256, second.sha256)


def test_pins(lake: Lake, tmp_path: Path) -> None:
    """A pin is kept once per reason with what it pins; a version that is not there cannot be pinned."""
    assert lake.pins() == []
    first, second = write(lake, ROWS[:1]), write(lake, ROWS)
    for version, why in (
        (second, "experiment x"),
        (first, "experiment x"),
        (second, "experiment x"),
        (second, "basket"),
    ):
        lake.pin(version, why)
    pins = Lake(tmp_path).pins()
    assert [(p["version"], p["why"]) for p in pins] == [(1, "experiment x"), (2, "basket"), (2, "experiment x")]
    assert pins[0] == {
        "kind": "examples", "name": "bank", "version": 1, "rows": 1, "sha256": first.sha256, "why": "experiment x",
    }  # fmt: skip
    with pytest.raises(UsageError, match="no version 3"):
        lake.pin(replace(second, version=3), "x")
    with pytest.raises(StateError, match="does not hold"):
        lake.pin(replace(second, sha256=first.sha256), "x")
    assert len(list((tmp_path / "_pins").iterdir())) == 3


def test_threads_create_one_table(tmp_path: Path) -> None:
    """However many create a table at once, it is created once: version 0 stays the only one without data."""
    for number in range(8):
        path = tmp_path / str(number)
        barrier = threading.Barrier(4)

        def create(_: int, path: Path = path, barrier: threading.Barrier = barrier) -> int:
            barrier.wait()
            return Place(LocalObjects(path), "t").create(EXAMPLES.schema).version()

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(create, range(4))) == [0] * 4
        assert DeltaTable(path / "t").version() == 0


WRITER = """
import sys
from noria.records import Example
from noria.stores.lake import Lake
lake, writer = Lake(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(10):
    rows = [Example(f"{writer}-{number}", "text", "pay"), Example(f"both-{number}", "text", "pay")]
    lake.write_examples("bank", rows, mode="append", note={}, time_ms=0)
"""


def test_two_processes_lose_nothing(lake: Lake, tmp_path: Path) -> None:
    """Two processes that make and fill one table at once keep every row once, and each version tells its true facts."""
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    made, rows = lake.examples("bank")
    assert {r.id for r in rows} == {f"{w}-{n}" for w in ("one", "two", "both") for n in range(10)}
    assert (made.version, made.rows) == (20, 30)
    assert all(lake.verify(lake.resolve("examples", f"bank@{version}")) for version in range(1, 21))


def test_threads_replace_on_what_they_read(lake: Lake) -> None:
    """Read-modify-write by `expect` in several threads loses no step."""
    write(lake, [Example("count", "0", "pay")])

    def step(_: int) -> None:
        while True:
            at, rows = lake.examples("bank")
            try:
                write(lake, [replace(rows[0], text=str(int(rows[0].text) + 1))], "replace", expect=at)
            except StateError:
                continue
            return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(step, range(12)))
    assert lake.examples("bank")[1] == [Example("count", "12", "pay")]


def test_schemas_follow_the_records() -> None:
    """Each kind's columns are its record's fields, in their order: else values would get under wrong names."""
    for name, kind in KINDS.items():
        assert kind.kind == name
        assert tuple(kind.schema.names) == tuple(kind.make.__dataclass_fields__)
    assert ARTICLES.from_arrow(ARTICLES.to_arrow([])) == []


def test_metadata_is_plain_json(lake: Lake, tmp_path: Path) -> None:
    """The facts lie under `userMetadata` of the commit, where Spark and Databricks show them."""
    made = write(lake, ROWS)
    text = (tmp_path / "examples" / "bank" / "_delta_log" / f"{1:020}.json").read_text()
    info = json.loads(text.splitlines()[0])["commitInfo"]
    facts = json.loads(info["userMetadata"])
    assert (facts["rows"], facts["sha256"], facts["time_ms"], facts["note"]) == (2, made.sha256, NOW, {"why": "test"})


def test_a_table_made_before_a_field_came_to_be_is_read_and_written_on(tmp_path, monkeypatch):
    """The hash of the old rows stays what it was, since fields that are None are left out of it."""
    lake = Lake(tmp_path)
    old = Article("a", "Title", "body", ("mail",))
    columns = pa.schema([field for field in ARTICLES.schema if field.name != "audience"])
    with monkeypatch.context() as earlier:
        earlier.setattr("noria.stores.lake.lake.ARTICLES", replace(ARTICLES, schema=columns))
        before = lake.write_articles("kb", [old], mode="append", note={}, time_ms=0)
    assert lake.articles("kb") == (before, [old])
    new = Article("b", "Other", "body", audience=("agents", "staff"))
    lake.write_articles("kb", [new], mode="append", note={}, time_ms=1)
    assert lake.articles("kb")[1] == [old, new]
    assert lake.articles("kb", 1) == (before, [old])
    assert before.sha256 == ARTICLES.sha256([old])
