"""Sides of clean rows: nothing leaks, no row ever changes its side, and a leak publishes nothing."""

from __future__ import annotations

import random

import pytest
from tests.build.pipeline.made_up_feed import WORDS, Desk, feed, ticket

from noria.build import run_feed
from noria.build.pipeline.erasing import erase_person
from noria.errors import UsageError
from noria.stats.splitting import SplitRow, leaks
from noria.stores.lake import Lake

SPLIT = {"groups": ["requester"], "val_share": 0.3, "test_share": 0.3}
NEAR = {"near_similarity": 0.6}
NEARER = {"near_similarity": 0.75}


def desk_of(upto, day=1, seed=1):
    """Tickets of 40 people; every third nearly repeats another's."""
    draw, desk = random.Random(seed), {}
    bodies = [" ".join(draw.choice(WORDS) for _ in range(30)) for _ in range(25)]
    for n in range(upto):
        body = bodies[n % 25] + f" {n}" if n % 3 == 0 else " ".join(draw.choice(WORDS) for _ in range(30))
        who = f"person{draw.randrange(40)}@example.com"
        desk[f"t{n}"] = ticket(n, day, body=body, subject=f"number {n}", requester=who)
    return desk


def sides_of(lake, receipt):
    return {r["id"]: r["side"] for r in lake.read_table("splits", "tickets", receipt.splits.version)[1].to_pylist()}


def leaking(lake, receipt):
    rows = lake.read_table("clean", "tickets", receipt.clean.version)[1].to_pylist()
    near = {r["id"]: r["near_of"] for r in rows}

    def root(i):
        return root(near[i]) if near[i] else i

    told = [SplitRow(r["id"], r["time_ms"], (("near", root(r["id"])), ("who", r["requester"]))) for r in rows]
    return leaks(told, sides_of(lake, receipt))


def test_days_of_new_rows_leak_nothing_and_move_no_row(tmp_path):
    lake, made_up, before = Lake(tmp_path), feed(split=SPLIT, rules=NEAR), {}
    for day in range(1, 6):
        done = run_feed(lake, made_up, Desk(desk_of(60 * day, day)), time_ms=day)
        assert done.status == "published", done.message
        now = sides_of(lake, done)
        assert set(now) == set(lake.read_table("clean", "tickets")[1]["id"].to_pylist())
        assert {i: now[i] for i in before} == before
        assert leaking(lake, done) == []
        before = now
    assert {"train", "val", "test"} <= set(before.values())
    assert done.counts["side_test"] == list(before.values()).count("test") > 10
    assert run_feed(lake, made_up, None, time_ms=9, rebuild=True).splits == done.splits
    assert (
        len(lake.read_table("clean", "tickets")[1].filter(lake.read_table("clean", "tickets")[1]["near_of"].is_valid()))
        > 10
    )


def alike_later(folder, made_up):
    """A lake with two unlike rows on two sides, and a desk that now has an older row which both nearly repeat."""

    def row(n, body, who, day):
        created = f"2024-01-0{day}T00:00:00Z"
        return ticket(n, 1, subject="s", body=body, requester=who, created=created, cat="hardware")

    for seed in range(100):
        words = [f"{word}{n}" for n, word in enumerate(random.Random(seed).choices(WORDS, k=60))]
        desk = {"t1": row(1, " ".join(words[:50]), f"a{seed}@x.org", 2)}
        desk["t2"] = row(2, " ".join(words[10:]), f"b{seed}@x.org", 3)
        whole = {**desk, "t0": row(0, " ".join(words), "c@x.org", 1)}
        tried = Lake(folder / f"tried-{seed}")
        run_feed(tried, feed(rules=NEARER), Desk(whole), time_ms=1)
        near = {r["id"]: r["near_of"] for r in tried.read_table("clean", "tickets")[1].to_pylist()}
        if near == {"t0": None, "t1": "t0", "t2": "t0"}:
            lake = Lake(folder / f"lake-{seed}")
            first = run_feed(lake, made_up, Desk(desk), time_ms=1)
            sides = sides_of(lake, first)
            near = lake.read_table("clean", "tickets")[1]["near_of"].null_count
            if sides["t1"] != sides["t2"] and near == 2:
                return lake, first, whole
    pytest.fail("no such rows in a hundred")


def test_alike_rows_on_two_sides_publish_nothing_until_the_contract_allows_it(tmp_path):
    made_up = feed(split=SPLIT, rules=NEARER)
    lake, first, desk = alike_later(tmp_path, made_up)
    refused = run_feed(lake, made_up, Desk(desk), time_ms=2)
    assert refused.status == "refused"
    assert "near t0 has rows on several sides" in refused.message
    assert (refused.clean, refused.splits) == (first.clean, first.splits)
    allowed = feed(split=SPLIT, rules=NEARER, contract={"max_leaks": 3, "max_quarantine_share": 1.0})
    assert run_feed(lake, allowed, Desk(desk), time_ms=3).status == "published"


def test_other_settings_are_refused_and_an_erased_person_has_no_side(tmp_path):
    lake, made_up = Lake(tmp_path), feed(split=SPLIT)
    done = run_feed(lake, made_up, Desk(desk_of(60)), time_ms=1)
    with pytest.raises(UsageError, match="a row never changes its side"):
        run_feed(lake, feed(split=SPLIT | {"test_share": 0.4}), None, time_ms=2, rebuild=True)
    erased = erase_person(lake, made_up, "person3@example.com", time_ms=3)
    left = lake.read_table("splits", "tickets")[1]
    assert erased.rows["splits"] == done.splits.rows - len(left) > 0
    assert set(left["id"].to_pylist()) == set(lake.read_table("clean", "tickets")[1]["id"].to_pylist())


def test_a_group_that_is_no_column_is_told():
    with pytest.raises(UsageError, match=r"\[split\]: groups names 'account'"):
        feed(split={"groups": ["account"]})
