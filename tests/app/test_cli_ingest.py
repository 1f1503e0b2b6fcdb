"""`noria ingest` as a user runs it: draft a feed, run it, look at it, have it refused."""

from __future__ import annotations

import json

from tests.app.noria_process import noria, noria_json


def rows(n):
    return [
        {"id": f"t{i}", "body": f"The printer number {i} on floor {i * 7} does not print", "category": "hardware",
         "created_at": "2024-01-01T00:00:00Z", "updated_at": f"2024-01-{1 + i % 28:02}T00:00:00Z"}
        for i in range(n)
    ]  # fmt: skip


def test_a_feed_is_drafted_run_and_refused(tmp_path):
    home, inbox = tmp_path / "home", tmp_path / "in"
    inbox.mkdir()
    (inbox / "a.jsonl").write_text("\n".join(map(json.dumps, rows(50))))
    noria("init", home)
    noria("ingest", "add", "tickets", inbox / "*.jsonl", home=home)
    assert 'texts = ["body"]' in (home / "feeds" / "tickets.toml").read_text()
    done = noria_json("ingest", "run", "tickets", home=home)
    assert (done["status"], done["counts"]["new"], done["clean"]["rows"]) == ("published", 50, 50)
    (inbox / "b.jsonl").write_text("\n".join(["{broken"] * 20 + [f"{{broken {i}" for i in range(20)]))
    assert "limit is 2.0%" in noria("ingest", "status", "tickets", home=home) + noria(
        "ingest", "run", "tickets", home=home, code=3
    ) + noria("ingest", "status", "tickets", home=home)
    assert noria_json("ingest", "list", home=home)["tickets"]["status"] == "refused"
    assert noria_json("ingest", "status", "tickets", home=home)[0]["clean"]["rows"] == 50


def test_an_unknown_feed_names_the_known_ones(tmp_path):
    noria("init", tmp_path / "home")
    assert "noria ingest add" in noria("ingest", "run", "nothing", home=tmp_path / "home", code=2)


def test_a_person_is_erased_and_what_still_holds_the_rows_is_told(tmp_path):
    home, inbox = tmp_path / "home", tmp_path / "in"
    inbox.mkdir()
    named = [row | {"requester_email": f"p{n % 5}@example.com"} for n, row in enumerate(rows(50))]
    (inbox / "a.jsonl").write_text("\n".join(map(json.dumps, named)))
    noria("init", home)
    noria("ingest", "add", "tickets", inbox / "*.jsonl", home=home)
    file = home / "feeds" / "tickets.toml"
    lines = [
        'requester_email = "person"' if line.startswith("requester_email") else line
        for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(lines) + "\n")
    noria("ingest", "run", "tickets", home=home)
    (done,) = noria_json("ingest", "erase", "p3@example.com", home=home)
    assert done["rows"] == {"raw": 10, "clean": 10, "quarantine": 0}
    told = noria("ingest", "erase", "p4@example.com", "--feed", "tickets", "--purge", home=home)
    assert "may still have the rows" in told
    assert noria_json("ingest", "status", "tickets", home=home)[0]["clean"]["rows"] == 30
