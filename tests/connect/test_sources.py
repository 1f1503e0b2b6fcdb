"""Sources give the same rows from every format, in bounded memory, and go on where they were."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from noria.connect.sources.files import FileSource
from noria.connect.sources.lines import blocks
from noria.connect.sources.sql import SqlSource
from noria.errors import UsageError
from noria.ports.source import Source

SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string())])
ROWS = [{"id": "1", "text": "Größe, „gut“\nzweite Zeile"}, {"id": "2", "text": "plain"}]


def as_csv():
    out = io.StringIO()
    writer = csv.DictWriter(out, ["id", "text"])
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue().encode()


def as_parquet():
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS, schema=SCHEMA), out)
    return out.getvalue()


def as_jsonl():
    return "".join(json.dumps(r) + "\n" for r in ROWS).encode()


def read(source, since=None, *, full=False):
    pages = list(source.pages(since, schema=SCHEMA, full=full))
    rows = [r for p in pages for r in (p.rows.to_pylist() if isinstance(p.rows, pa.Table) else map(dict, p.rows))]
    return rows, [b for p in pages for b in p.broken], pages[-1].cursor


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("name", "data"), [("a.jsonl", as_jsonl()), ("a.csv", as_csv()), ("a.parquet", as_parquet())])
def test_the_same_rows_come_from_every_format(tmp_path, name, data, zipped):
    (tmp_path / (name + ".gz" * zipped)).write_bytes(gzip.compress(data) if zipped else data)
    source = FileSource(str(tmp_path / "a.*"))
    assert isinstance(source, Source)
    assert read(source)[:2] == (ROWS, [])


def test_a_file_is_read_once_and_again_when_it_changes(tmp_path):
    source = FileSource(str(tmp_path / "*.jsonl"))
    (tmp_path / "a.jsonl").write_bytes(as_jsonl())
    rows, _, cursor = read(source)
    assert len(rows) == 2
    assert read(source, cursor)[0] == []
    (tmp_path / "a.jsonl").write_bytes(as_jsonl() + b'{"id": "3", "text": "new"}\n')
    assert len(read(source, cursor)[0]) == 3
    assert len(read(source, cursor, full=True)[0]) == 3


def test_no_file_and_an_unknown_format_are_told(tmp_path):
    with pytest.raises(UsageError, match="no file matches"):
        read(FileSource(str(tmp_path / "*.jsonl")))
    (tmp_path / "a.xlsx").write_bytes(b"")
    with pytest.raises(UsageError, match="unknown format"):
        read(FileSource(str(tmp_path / "*")))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(as_jsonl())[:20])
    with pytest.raises(UsageError, match="damaged"):
        read(FileSource(str(tmp_path / "b.*")))


def test_a_bad_csv_row_is_told_with_its_line(tmp_path):
    (tmp_path / "a.csv").write_text("id,text\n1,good\n2,too,many\n3,good\n")
    rows, broken, _ = read(FileSource(str(tmp_path / "a.csv")))
    assert [r["id"] for r in rows] == ["1", "3"]
    assert [(b.where, b.fault) for b in broken] == [("a.csv, line 3", "unreadable")]


@given(
    st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b), max_size=20), st.booleans(),
    st.integers(1, 60), st.integers(1, 50),
)  # fmt: skip
def test_lines_come_whole_and_numbered_or_are_told_as_too_long(lines, ends, block_bytes, limit):
    data = b"\n".join(lines) + b"\n" * (ends and bool(lines))
    seen, long = {}, {}
    for block in blocks(io.BytesIO(data), block_bytes=block_bytes, max_line_bytes=limit):
        long |= {number: length for number, length, _ in block.too_long}
        seen |= {n: line for n, line in enumerate(block.data.split(b"\n"), start=block.first_line) if line}
    assert seen == {n: line for n, line in enumerate(lines, start=1) if line and len(line) <= limit}
    assert long == {n: len(line) for n, line in enumerate(lines, start=1) if len(line) > limit}


@pytest.fixture
def database(tmp_path):
    url = f"sqlite:///{tmp_path / 'desk.db'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE tickets (id INTEGER, text TEXT, updated TEXT)")
        for n in range(1, 6):
            values = (n, f"text {n}", f"2024-01-0{n}T00:00:00Z")
            connection.exec_driver_sql("INSERT INTO tickets VALUES (?, ?, ?)", values)
    yield url, engine
    engine.dispose()


NOW_MS = 1_704_900_000_000  # 2024-01-10


def test_a_query_goes_on_at_its_cursor_with_overlap(database):
    url, engine = database
    source = SqlSource(url, "SELECT * FROM tickets", "updated", now_ms=NOW_MS)
    rows, _, cursor = read(source)
    assert [r["id"] for r in rows] == [1, 2, 3, 4, 5]
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO tickets VALUES (6, 'late commit', '2024-01-04T23:58:00Z')")
        connection.exec_driver_sql("INSERT INTO tickets VALUES (7, 'new', '2024-01-06T00:00:00Z')")
    assert [r["id"] for r in read(source, cursor)[0]] == [6, 5, 7]
    assert len(read(source, cursor, full=True)[0]) == 7


def test_a_stamp_from_the_future_does_not_hide_what_comes_after(database):
    url, engine = database
    source = SqlSource(url, "SELECT * FROM tickets", "updated", now_ms=NOW_MS)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO tickets VALUES (8, 'skewed clock', '2031-01-01T00:00:00Z')")
    _, _, cursor = read(source)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO tickets VALUES (9, 'after', '2024-01-09T00:00:00Z')")
    assert 9 in [r["id"] for r in read(source, cursor)[0]]


def test_a_bad_query_is_told_without_the_password(tmp_path):
    with pytest.raises(UsageError, match="semicolon"):
        SqlSource("sqlite://", "SELECT 1; DROP TABLE x")
    assert "hidden" not in SqlSource("postgresql://me:hidden@host/db", "SELECT 1").describe()
