"""`noria lake` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.app.noria_process import noria, noria_json

from noria.records import Example
from noria.stores.lake import Lake


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with three versions of an examples table, the first pinned, and a frozen basket of its test rows."""
    noria("init", str(tmp_path / "home"))
    lake = Lake(tmp_path / "home" / "lake")
    rows = [Example(str(n), f"text {n}", "vpn", split="test" if n > 7 else "train") for n in range(10)]
    facts = {"note": {"source": "it.csv"}, "time_ms": 1_700_000_000_000}
    first = lake.write_examples("it", rows, mode="append", **facts)
    lake.pin(first, "experiment it-v1")
    lake.write_examples("it", rows[:9], mode="replace", **facts)
    moved = Example("1", "text 1", "phone", split="train")
    new = Example("11", "text 11", "vpn", split="test")
    lake.write_examples("it", [moved, rows[0], *rows[2:], new], mode="replace", **facts)
    lake.pin(lake.write_examples("it-basket", rows[8:], mode="append", **facts), "frozen basket")
    return tmp_path / "home"


def test_what_changed_and_whence_it_comes(home: Path) -> None:
    told = noria_json("lake", "diff", "it", 1, 3, home=home)
    assert (told["added"], told["removed"], told["changed"]) == (1, 0, 1)
    assert told["moves"] == [{"from": "vpn", "to": "phone", "rows": 1}]
    assert "1 × vpn → phone" in noria("lake", "diff", "it", 1, 3, home=home)
    assert "examples/it@3" in noria("lake", "lineage", "it", home=home)
    assert [step["note"]["source"] for step in noria_json("lake", "lineage", "it@1", home=home)] == ["it.csv"]
    assert {p["why"] for p in noria_json("lake", "pins", home=home)} == {"experiment it-v1", "frozen basket"}
    assert "no version 9" in noria("lake", "diff", "it", 1, 9, home=home, code=2)


def test_verify_finds_what_is_damaged(home: Path) -> None:
    """A fault is told with its version, and scripts see it by the exit code."""
    assert "3 versions, 0 faults" in noria("lake", "verify", home=home)
    for path in (home / "lake" / "examples" / "it").glob("*.parquet"):
        path.write_bytes(b"")
    assert noria("lake", "verify", home=home, code=4) == ""


def test_a_vacuum_only_tells_unless_it_is_told_to(home: Path) -> None:
    """Young files stay anyway; fewer than a day to keep is refused."""
    assert "0 files would be removed" in noria("lake", "vacuum", home=home)
    assert noria_json("lake", "vacuum", "--yes", home=home)["removed"] is True
    assert "--keep-days" in noria("lake", "vacuum", "--keep-days", 0, home=home, code=2)
    assert noria_json("lake", "verify", home=home)["faults"] == 0


def test_the_restore_drill(home: Path, tmp_path: Path) -> None:
    assert "3 versions, 0 faults" in noria("lake", "restore-drill", tmp_path / "copy", home=home)
    assert Lake(tmp_path / "copy").examples("it", 1)[0] == Lake(home / "lake").examples("it", 1)[0]
    assert "not empty" in noria("lake", "restore-drill", tmp_path / "copy", home=home, code=2)


def test_a_basket_grows_by_decision_only(home: Path) -> None:
    """It takes new test rows when told to, refuses leaks and changes, and cannot be replaced."""
    lake = Lake(home / "lake")
    assert "1 rows of it@3 are not in it-basket" in noria("lake", "basket", "add", "it", "--why", "x", home=home)
    assert lake.resolve("examples", "it-basket").rows == 2
    told = noria_json("lake", "basket", "add", "it", "--why", "a quarter later", "--yes", home=home)
    assert (told["rows"], told["version"]["rows"]) == (1, 3)
    assert "nothing to add" in noria("lake", "basket", "add", "it", "--why", "x", home=home)
    assert lake.history("examples", "it-basket")[0]["note"] == {"source": "it@3", "why": "a quarter later"}
    assert {(p["name"], p["version"]) for p in lake.pins() if p["why"] == "frozen basket"} == {
        ("it-basket", 1), ("it-basket", 2),
    }  # fmt: skip
    facts = {"note": {}, "time_ms": 1}
    rows = lake.examples("it")[1]
    lake.write_examples("it", [*rows, Example("12", " TEXT  0", "vpn", split="test")], mode="replace", **facts)
    assert "'12' reads like '0'" in noria("lake", "basket", "add", "it", "--why", "x", "--yes", home=home, code=3)
    changed = [Example("8", "other", "vpn", split="test")]
    lake.write_examples("it", changed, mode="replace", **facts)
    assert "another content" in noria("lake", "basket", "add", "it", "--why", "x", "--yes", home=home, code=3)
    assert "no basket named" in noria("lake", "basket", "add", "it-basket", "--why", "x", home=home, code=2)
    with pytest.raises(Exception, match="is a frozen basket"):
        lake.write_examples("it-basket", changed, mode="replace", **facts)
    assert lake.examples("it-basket")[0].rows == 3
