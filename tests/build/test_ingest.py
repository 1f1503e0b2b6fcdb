"""Files come into the lake whole or not at all, and every fault is told with its place."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.build import add_data
from noria.errors import DataError, NotFound, UsageError
from noria.stores.lake import Lake

ROWS = [
    {"id": "a", "text": "printer is jammed", "intent": "printer", "split": "train"},
    {"id": "b", "text": 'vpn fails\nagain, "quoted"', "intent": "vpn", "split": "dev"},
    {"id": "c", "text": "wo ist die Kantine? 🍜", "intent": "oos", "split": ""},
]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def as_jsonl(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(r) + "\n" for r in rows).encode()


def as_csv(rows: list[dict[str, str]]) -> bytes:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return sink.getvalue().encode()


def as_parquet(rows: list[dict[str, str]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def add(lake: Lake, path: Path, content: bytes, kind: str = "examples", **options: object):  # type: ignore[no-untyped-def]
    path.write_bytes(content)
    return add_data(lake, path, kind, name="it", time_ms=1, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("suffix", "encode"), [(".jsonl", as_jsonl), (".csv", as_csv), (".parquet", as_parquet)])
def test_every_format_gives_the_same_rows(lake: Lake, tmp_path: Path, suffix: str, encode, zipped: bool) -> None:  # type: ignore[no-untyped-def]
    """JSONL, CSV and Parquet, plain and gzipped, hold the same examples."""
    content = encode(ROWS)
    path = tmp_path / f"rows{suffix}{'.gz' if zipped else ''}"
    version, receipt = add(lake, path, gzip.compress(content) if zipped else content)
    _, rows = lake.examples("it")
    assert [(r.id, r.text, r.intent, r.split) for r in rows] == [
        ("a", "printer is jammed", "printer", "train"),
        ("b", 'vpn fails\nagain, "quoted"', "vpn", "val"),
        ("c", "wo ist die Kantine? 🍜", "oos", None),
    ]
    assert (version.version, version.rows, receipt.counts["good"]) == (1, 3, 3)


FAULTS = {
    "broken line": (b'{"id": "x", "text": "hello there", "intent": \n', 4, None, "broken line"),
    "empty text": (b'{"id": "x", "text": "   ", "intent": "vpn"}\n', 4, "text", "is empty"),
    "missing field": (b'{"id": "x", "intent": "vpn"}\n', 4, "text", "is missing"),
    "duplicate id": (b'{"id": "a", "text": "again", "intent": "vpn"}\n', 4, "id", "first used in row 1"),
    "unknown split": (b'{"id": "x", "text": "t", "intent": "vpn", "split": "hold"}\n', 4, "split", "train, val, test"),
    "not UTF-8": (b'{"id": "x", "text": "caf\xe9", "intent": "vpn"}\n', 4, None, "not UTF-8"),
    "not an object": (b"[1, 2]\n", 4, None, "not a JSON object"),
    "a number for a text": (b'{"id": "x", "text": 1.5, "intent": "vpn"}\n', 4, "text", "not text"),
    "half a surrogate": (b'{"id": "x", "text": "\\ud83d", "intent": "vpn"}\n', 4, "text", "surrogate"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_row_stops_the_whole_file_and_is_named(lake: Lake, tmp_path: Path, fault: str) -> None:
    """Nothing is half-imported; the message names file, row, field and the way out."""
    line, row, field, words = FAULTS[fault]
    with pytest.raises(DataError) as caught:
        add(lake, tmp_path / "rows.jsonl", as_jsonl(ROWS) + line)
    [problem] = caught.value.problems
    assert (problem.file, problem.row, problem.field) == ("rows.jsonl", row, field)
    assert words in problem.message
    assert "--quarantine" in str(caught.value)
    with pytest.raises(NotFound):
        lake.examples("it")


def test_quarantine_takes_the_good_rows_and_sets_the_bad_aside(lake: Lake, tmp_path: Path) -> None:
    """Every bad row stands in the quarantine file with its reason; counts add up."""
    bad = b"".join(line for line, *_ in FAULTS.values())
    aside = tmp_path / "aside.jsonl"
    version, receipt = add(lake, tmp_path / "rows.jsonl", as_jsonl(ROWS) + bad, quarantine=aside)
    kept = [json.loads(line) for line in aside.read_text().splitlines()]
    assert version.rows == 3
    assert len(kept) == len(FAULTS) == receipt.counts["quarantined"]
    assert all(k["message"] and k["row"] for k in kept)
    assert receipt.counts["read"] == receipt.counts["good"] + receipt.counts["quarantined"]
    with pytest.raises(UsageError, match="not overwritten"):
        add(lake, tmp_path / "rows.jsonl", as_jsonl(ROWS) + bad, quarantine=aside)


def test_a_missing_column_names_what_the_file_has(lake: Lake, tmp_path: Path) -> None:
    """A file without a required column says so once, and how to name another column."""
    with pytest.raises(DataError, match=r"'intent'.*the file has category, utterance(.|\n)*--map"):
        add(lake, tmp_path / "rows.csv", b"utterance,category\nhello,vpn\n", rename={"text": "utterance"})


def test_renamed_columns_are_read(lake: Lake, tmp_path: Path) -> None:
    """--map reads a field from another column, also when a column of the field's name exists."""
    content = b"utterance,category,text\nvpn down,vpn,ignored\n"
    add(lake, tmp_path / "rows.csv", content, rename={"text": "utterance", "intent": "category"})
    assert lake.examples("it")[1][0].text == "vpn down"


def test_a_renamed_column_that_is_absent_is_told(lake: Lake, tmp_path: Path) -> None:
    """A slip in --map names the columns there are."""
    with pytest.raises(UsageError, match="no column 'utterence'; it has intent, utterance"):
        add(lake, tmp_path / "rows.csv", b"utterance,intent\nhi,vpn\n", rename={"text": "utterence"})


def test_an_intent_outside_the_declared_ones_is_a_fault(lake: Lake, tmp_path: Path) -> None:
    """The first file declares the intents; another one needs --extend-scope."""
    add(lake, tmp_path / "rows.jsonl", as_jsonl(ROWS))
    more = as_jsonl([{"id": "n", "text": "new phone", "intent": "vpm"}])
    with pytest.raises(DataError, match=r"outside the declared intents.*Did you mean 'vpn'.*--extend-scope"):
        add(lake, tmp_path / "more.jsonl", more)
    version, _ = add(lake, tmp_path / "more.jsonl", more, extend_scope=True)
    assert (version.version, version.rows) == (2, 4)


def test_adding_a_file_twice_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    """The same rows again make no version; a changed row needs --update."""
    first, _ = add(lake, tmp_path / "rows.jsonl", as_jsonl(ROWS))
    again, _ = add(lake, tmp_path / "rows.jsonl", as_jsonl(ROWS))
    assert again == first
    changed = as_jsonl([ROWS[0] | {"text": "printer is on fire"}])
    with pytest.raises(DataError, match="--update"):
        add(lake, tmp_path / "rows.jsonl", changed)
    updated, _ = add(lake, tmp_path / "rows.jsonl", changed, update=True)
    assert updated.rows == 3
    assert lake.examples("it")[1][0].text == "printer is on fire"
    assert lake.examples("it", 1)[1][0].text == "printer is jammed"


def test_streams_read_times_in_many_forms_and_sort(lake: Lake, tmp_path: Path) -> None:
    """ISO 8601 with or without zone and epoch seconds or milliseconds are the same instant."""
    times: list[object] = [
        "2026-01-05T09:00:00+01:00",
        "2026-01-05T08:00:00Z",
        "2026-01-05 08:00:00",
        1767600000,
        1767600000000,
    ]
    rows = [{"time": t, "text": f"q{i}", "account": "acme", "intent": "oos"} for i, t in enumerate(times)]
    add(lake, tmp_path / "s.jsonl", "".join(json.dumps(r) + "\n" for r in rows).encode(), "stream")
    _, stream = lake.stream("it")
    assert {r.time_ms for r in stream} == {1767600000000}
    assert {r.relevance for r in stream} == {"new_domain"}


@pytest.mark.parametrize("time", ["yesterday", "", None, True, "2026-13-01"])
def test_a_bad_time_is_a_fault(lake: Lake, tmp_path: Path, time: object) -> None:
    """What is no time is told with its row and field."""
    line = json.dumps({"time": time, "text": "t", "account": "a"}).encode()
    good = json.dumps({"time": 1767600000, "text": "t", "account": "a"}).encode()
    with pytest.raises(DataError) as caught:
        add(lake, tmp_path / "s.jsonl", good + b"\n" + line, "stream")
    assert [(p.row, p.field) for p in caught.value.problems] == [(2, "time")]


def test_articles_keep_their_links(lake: Lake, tmp_path: Path) -> None:
    """Intents of an article come as a list or with commas between."""
    content = b'{"article_id": 7, "title": "VPN", "body": "restart", "intents": ["vpn", "wifi"]}\n'
    content += b'{"article_id": "k8", "title": "Printer", "body": "paper", "intents": "printer, scan"}\n'
    add(lake, tmp_path / "a.jsonl", content, "articles")
    assert [(a.article_id, a.intents) for a in lake.articles("it")[1]] == [
        ("7", ("vpn", "wifi")),
        ("k8", ("printer", "scan")),
    ]


@pytest.mark.parametrize(
    ("cell", "readers"),
    [
        ('"agents, staff"', ("agents", "staff")),
        ('["agents"]', ("agents",)),
        ('""', None),
        ("null", None),
        ("[]", ()),
        ('" , "', ()),
    ],
)
def test_an_article_keeps_who_may_see_it(
    lake: Lake, tmp_path: Path, cell: str, readers: tuple[str, ...] | None
) -> None:
    """An empty cell leaves it to everybody; an empty list to nobody."""
    content = f'{{"article_id": "a", "title": "VPN", "body": "restart", "audience": {cell}}}\n'.encode()
    add(lake, tmp_path / "a.jsonl", content, "articles")
    assert [a.audience for a in lake.articles("it")[1]] == [readers]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("rows.xlsx", b"x", "unknown format"),
        ("rows", b"x", "unknown format"),
        ("rows.jsonl.gz", b"\x1f\x8bbroken", "damaged gzip"),
        ("rows.parquet", b"PAR1 not really", "not a readable Parquet"),
        ("rows.csv", "text,intent\nä,b\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_unreadable_files_are_told_in_one_sentence(
    lake: Lake, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    """A file that is not what its name says gives one clear message."""
    with pytest.raises(UsageError, match=words):
        add(lake, tmp_path / name, content)


def test_empty_and_absent_files(lake: Lake, tmp_path: Path) -> None:
    """An empty file holds no rows; an absent one does not exist."""
    with pytest.raises(DataError, match="holds no rows"):
        add(lake, tmp_path / "rows.jsonl", b"\n\n")
    with pytest.raises(DataError, match="holds no rows"):
        add(lake, tmp_path / "rows.csv", b"text,intent\n")
    with pytest.raises(UsageError, match="does not exist"):
        add_data(lake, tmp_path / "none.csv", "examples", name="it", time_ms=1)


def test_rows_without_ids_get_stable_ones(lake: Lake, tmp_path: Path) -> None:
    """The same file gives the same ids; two equal rows are two rows."""
    content = b"text,intent\nvpn down,vpn\nvpn down,vpn\nprinter,printer\n"
    first, _ = add(lake, tmp_path / "rows.csv", content)
    again, _ = add(lake, tmp_path / "rows.csv", content)
    assert first == again
    assert first.rows == 3


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["f.jsonl", "f.csv", "f.tsv", "f.parquet", "f.jsonl.gz"]))
def test_any_bytes_give_rows_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    """Whatever a file holds, reading ends in rows or in one of our errors."""
    folder = tmp_path_factory.mktemp("any")
    try:
        version, _ = add(Lake(folder / "lake"), folder / name, content)
    except (DataError, UsageError):
        assert not (folder / "lake" / "examples").exists()
    else:
        assert version.rows > 0
