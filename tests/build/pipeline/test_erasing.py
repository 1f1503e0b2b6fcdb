"""A person's rows leave every table of a feed, older versions tell, and a purge takes them away."""

from __future__ import annotations

import pytest
from tests.build.pipeline.made_up_feed import COLUMNS, Desk, feed, ticket

from noria.build import run_feed
from noria.build.extract.conforming import pseudonym
from noria.build.pipeline.erasing import erase_person
from noria.errors import StateError, UsageError
from noria.stores.lake import Lake
from noria.stores.lake.care import verify

PERSON = "person3@example.com"
CODED = pseudonym(PERSON, "tickets")


def holds(lake, version):
    return CODED in lake.read_table(version.kind, version.name, version.version)[1]["requester"].to_pylist()


@pytest.fixture
def grown(tmp_path):
    """A lake after three runs, and what the tables of a desk that never knew the person would be."""
    lake, other = Lake(tmp_path / "lake"), Lake(tmp_path / "other")
    desk = {f"t{n}": ticket(n, 1) for n in range(60)}
    receipts = [run_feed(lake, feed(), Desk(desk), time_ms=1)]
    desk |= {f"t{n}": ticket(n, 2, 3) for n in range(40, 80)}
    desk["t10"] = ticket(10, 2, 3, requester="somebody.else@example.com")  # was the person's before
    receipts += [run_feed(lake, feed(), Desk(desk), time_ms=2)]
    rest = {k: r for k, r in desk.items() if r["requester"] != PERSON and k != "t10"}
    return lake, receipts, run_feed(other, feed(), Desk(rest), time_ms=3)


def test_what_is_left_is_what_it_would_be_had_the_person_never_been_there(grown):
    lake, (first, second), without = grown
    assert holds(lake, second.clean)
    done = erase_person(lake, feed(), PERSON, time_ms=4)
    assert done.rows["raw"] > 11
    assert done.rows["clean"] + done.rows["quarantine"] == 80 - without.clean.rows - without.quarantine.rows
    assert [v.sha256 for v in done.now[1:]] == [without.clean.sha256, without.quarantine.sha256]
    assert not any(holds(lake, version) for version in done.now)
    assert holds(lake, first.clean), "older versions stay until a vacuum"
    assert [c.fault for c in verify(lake) if c.fault] == []
    again = erase_person(lake, feed(), PERSON, time_ms=5)
    assert (again.rows, again.warnings) == ({"raw": 0, "clean": 0, "quarantine": 0}, ())


def test_pinned_versions_are_told_and_a_purge_takes_them_away(grown):
    lake, (first, _), _ = grown
    lake.pin(first.clean, "experiment fall")
    told = erase_person(lake, feed(), PERSON, time_ms=4)
    assert [(p["kind"], p["version"], p["why"]) for p in told.pinned] == [("clean", 1, "experiment fall")]
    assert "clean tickets@1 (experiment fall). --purge removes them" in " ".join(told.warnings)
    assert holds(lake, first.clean)
    erase_person(lake, feed(), "person2@example.com", time_ms=5, purge=True)
    assert lake.pins() == []
    with pytest.raises(StateError, match="cannot be read"):
        lake.read_table("clean", "tickets", 1)
    assert [c.fault for c in verify(lake) if c.fault] == []
    later = run_feed(lake, feed(), Desk({"t99": ticket(99, 9)}), time_ms=6)
    again = run_feed(lake, feed(), None, time_ms=7, rebuild=True)
    assert [v.sha256 for v in (later.clean, later.quarantine)] == [v.sha256 for v in (again.clean, again.quarantine)]


def test_a_feed_without_persons_says_so(tmp_path):
    plain = feed(columns={c: t for c, t in COLUMNS.items() if t != "person"})
    with pytest.raises(UsageError, match="no column of type person"):
        erase_person(Lake(tmp_path), plain, PERSON, time_ms=1)
