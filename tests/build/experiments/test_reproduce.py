"""A run can be made again later, and where it does not come out the same the first place of difference is named."""

from __future__ import annotations

import dataclasses
import shutil
import sysconfig
import venv
from pathlib import Path

import pytest
from deltalake import DeltaTable
from tests.build.experiments.made_up_sweeps import made_home, plan, run

from noria.app import wiring
from noria.app.home import Home, open_home
from noria.app.wiring.experiments import run_log
from noria.build.experiments.manifest import read_manifest
from noria.build.experiments.reproduce import Copy, reproduce
from noria.errors import NotFound, StateError, UsageError
from noria.records import Example
from noria.stores.lake.care.erasures import erasure_note

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = made_home(tmp_path_factory.mktemp("swept") / "home")
    run(home, plan(runs=2))
    return home


@pytest.fixture
def home(swept: Home, tmp_path: Path) -> Home:
    """A copy that a test may spoil."""
    shutil.copytree(swept.path, tmp_path / "home")
    return open_home(tmp_path / "home")


def again(home: Home, tag: str = "small.0001", **how: object) -> Copy:
    stores = wiring.open_stores(home)
    try:
        return reproduce(stores, run_log(home).get(tag), home=home.path, **how)  # type: ignore[arg-type]
    finally:
        stores.close()


def test_a_run_is_identical_after_its_table_has_grown_and_been_vacuumed(home):
    stores = wiring.open_stores(home)
    _, rows = stores.lake.examples("desk")
    more = [Example(f"more-{i}", f"the vpn is slow today {i}", "vpn", "train") for i in range(20)]
    stores.lake.write_examples("desk", more, mode="append", note={}, time_ms=2)
    stores.lake.write_examples("desk", rows[:40], mode="replace", note={}, time_ms=3)
    pinned = [int(str(p["version"])) for p in stores.lake.pins() if p["name"] == "desk"]
    removed = DeltaTable(home.lake / "examples" / "desk").vacuum(
        retention_hours=0, enforce_retention_duration=False, keep_versions=pinned, full=True, dry_run=False
    )
    assert removed  # what no pin holds is gone
    stores.close()
    copy = again(home)
    assert copy.identical, copy.told()
    assert "identical" in copy.told()


def test_it_runs_on_the_archived_code_also_when_the_code_has_moved_on(home, monkeypatch):
    """The process apart gets the source of the archive, not ours: what we break here does not reach it."""
    monkeypatch.setenv("NORIA_REPRODUCE_PROBE", "1")
    broken = home.path.parent / "moved-on" / "noria"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise SystemExit('this is other code')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    assert again(home).identical


def test_a_changed_row_is_named_as_the_cause(home):
    stores = wiring.open_stores(home)
    _, rows = stores.lake.examples("desk")
    stores.close()
    shutil.rmtree(home.lake / "examples")
    changed = [dataclasses.replace(r, text="something else entirely") if r.id == "vpn-0" else r for r in rows]
    stores = wiring.open_stores(home)
    stores.lake.write_examples("desk", changed, mode="append", note={}, time_ms=1)
    stores.close()
    copy = again(home)
    assert copy.comparison is not None
    assert copy.comparison.cause == "data"
    assert "first in data" in copy.told()
    assert "desk@1 of 110 rows" in copy.told()


def test_a_run_on_data_of_which_a_person_was_erased_says_so(home):
    """Not merely that files are gone: why they are."""
    stores = wiring.open_stores(home)
    version, rows = stores.lake.examples("desk")
    note = erasure_note(1, [version], version)
    stores.lake.write_examples("desk", rows[1:], mode="replace", note=note, time_ms=86_400_000)
    DeltaTable(home.lake / "examples" / "desk").vacuum(
        retention_hours=0, enforce_retention_duration=False, dry_run=False
    )
    stores.close()
    copy = again(home)
    assert not copy.identical
    assert f"desk@{version.version} is gone" in copy.told()
    assert "held data of a requester who was erased on 1970-01-02" in copy.told()


def test_a_changed_seed_is_named_as_the_cause(home):
    copy = again(home, overrides={"seed": 7})
    assert copy.comparison is not None
    assert copy.comparison.cause == "settings"
    assert "recipe.seed: 0 → 7" in copy.told()


def test_a_changed_version_of_a_library_is_named_as_the_cause(home, tmp_path):
    """A real interpreter with all our packages, one of which says that it is another version."""
    folder = tmp_path / "other"
    venv.create(folder, with_pip=False, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    (packages / "ours.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    told = packages / "scipy-0.0.1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: scipy\nVersion: 0.0.1\n", encoding="utf-8")
    copy = again(home, python=str(folder / "bin" / "python"))
    assert copy.comparison is not None
    assert copy.comparison.cause == "environment"
    assert not copy.identical
    assert "package scipy: " in copy.told()
    assert "→ 0.0.1" in copy.told()
    assert copy.comparison.same_results  # it is the same scipy after all, and that is said too
    assert "results are equal all the same" in copy.told()


def test_changed_code_is_named_as_the_cause(home):
    stores = wiring.open_stores(home)
    one = run_log(home).get("small.0001")
    manifest, _ = read_manifest(stores.blobs, one)
    files = stores.blobs.get(manifest["code"]["archive"])
    stores.close()
    assert "source.tar" in files
    from noria.build.experiments.compare import compare

    other = {**manifest, "code": {**manifest["code"], "sha256": "0" * 64}}
    found = compare(manifest, other)
    assert found.cause == "code"
    assert found.same_results


def test_data_that_are_gone_are_said_to_be_gone(home):
    shutil.rmtree(home.lake / "examples" / "desk")
    copy = again(home)
    assert not copy.identical
    assert "examples desk@1 is gone" in copy.told()


def test_a_manifest_that_was_changed_is_not_believed(home):
    record = home.blobs / run_log(home).get("small.0001").record / "manifest.json"
    record.write_bytes(record.read_bytes().replace(b'"seed": 0', b'"seed": 1'))
    with pytest.raises(StateError, match="was changed after it was written"):
        again(home)


def test_a_run_that_does_not_exist_offers_the_nearest(home):
    with pytest.raises(NotFound, match=r"Did you mean 'small\.0001'"):
        again(home, "smal.0001")


def test_a_setting_that_does_not_exist_stops_the_copy_with_its_reason(home):
    from noria.errors import OutsideError

    with pytest.raises((OutsideError, UsageError), match="unknown setting 'sead'"):
        again(home, overrides={"sead": 7})
