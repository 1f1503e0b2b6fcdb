"""A feed on a database: the same rows from SQLite and PostgreSQL, with each one's own types and clocks."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa
from tests.build.pipeline.made_up_feed import ticket

from noria.build import run_feed
from noria.build.pipeline.feed import Feed, feed_of
from noria.connect.sources.sql import SqlSource
from noria.errors import OutsideError, UsageError
from noria.ports.source import Source
from noria.stores.lake import Lake

NOW_MS = 1_709_300_000_000  # 2024-03-01
COLUMNS = {
    "id": "int", "subject": "text", "body": "text", "cat": "name", "requester": "person", "created": "time",
    "updated": "time", "urgent": "bool", "cost": "float",
}  # fmt: skip
FEED: Feed = feed_of("tickets", {
    "columns": COLUMNS, "key": "id", "texts": ["subject", "body"], "updated": "updated", "time": "created",
    "label": "cat", "contract": {"max_quarantine_share": 1.0}, "full_refresh_days": 0,
})  # fmt: skip
TABLE = sa.Table(
    "tickets", sa.MetaData(), sa.Column("id", sa.Integer), sa.Column("subject", sa.Text), sa.Column("body", sa.Text),
    sa.Column("cat", sa.String(40)), sa.Column("requester", sa.String(80)), sa.Column("urgent", sa.Boolean),
    sa.Column("cost", sa.Numeric(10, 2)), sa.Column("created", sa.DateTime(timezone=True)),
    sa.Column("updated", sa.DateTime(timezone=True)),
)  # fmt: skip


class Database:
    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
        TABLE.metadata.create_all(self.engine)

    def put(self, numbers: range, day: int) -> None:
        rows = []
        for n in numbers:
            made = ticket(n, day, n)
            times = {c: dt.datetime.fromisoformat(made[c]) for c in ("created", "updated")}
            times["updated"] += dt.timedelta(seconds=10 * n)
            shown = {c: made[c] for c in ("subject", "body", "cat", "requester")}
            rows.append({"id": n, **shown, **times, "urgent": n % 2 == 0, "cost": n / 4})
        with self.engine.begin() as connection:
            connection.execute(TABLE.delete().where(TABLE.c.id.in_(list(numbers))))
            connection.execute(TABLE.insert(), rows)

    def source(self, query: str = "SELECT * FROM tickets") -> SqlSource:
        return SqlSource(self.url, query, "updated", now_ms=NOW_MS)


@pytest.fixture
def database(new_database) -> Database:
    return Database(sa.make_url(new_database()).render_as_string(hide_password=False))


def test_a_database_is_read_by_cursor_and_wholly_for_what_was_deleted(database, tmp_path) -> None:
    lake = Lake(tmp_path)
    assert isinstance(database.source(), Source)
    database.put(range(12_000), 1)
    first = run_feed(lake, FEED, database.source(), time_ms=NOW_MS)
    assert first.counts["new"] == 12_000
    database.put(range(11_990, 12_030), 3)
    second = run_feed(lake, FEED, database.source(), time_ms=NOW_MS)
    assert (second.counts["new"], second.counts["changed"]) == (30, 10)
    assert second.counts["read"] < 100, "not much more than what changed"
    with database.engine.begin() as connection:
        connection.execute(TABLE.delete().where(TABLE.c.id < 5))
    third = run_feed(lake, FEED, database.source(), time_ms=NOW_MS, full=True)
    assert (third.counts["deleted"], third.clean.rows + third.quarantine.rows) == (5, 12_025)
    again = run_feed(lake, FEED, None, time_ms=NOW_MS, rebuild=True)
    assert [v.sha256 for v in (third.clean, third.quarantine)] == [v.sha256 for v in (again.clean, again.quarantine)]
    rows = {r["id"]: r for r in lake.read_table("raw", "tickets")[1].to_pylist()}
    assert (rows["6"]["urgent"], rows["6"]["cost"], rows["7"]["urgent"]) == (True, 1.5, False)
    assert rows["6"]["created"] == 1_704_614_400_000  # 2024-01-07T08:00:00Z


def test_a_database_that_is_away_and_a_wrong_query_are_told(database, tmp_path) -> None:
    lake = Lake(tmp_path)
    with pytest.raises(UsageError, match="no_such_table"):
        run_feed(lake, FEED, database.source("SELECT * FROM no_such_table"), time_ms=NOW_MS)
    away = sa.make_url(database.url)
    away = away.set(database="/no/such/folder/x.db") if away.drivername == "sqlite" else away.set(database="no_such_db")
    with pytest.raises(OutsideError) as caught:
        run_feed(lake, FEED, SqlSource(str(away), "SELECT 1 AS id", "id"), time_ms=NOW_MS)
    assert caught.value.retry_helps
