"""A tracking server that is down loses nothing: runs wait on disk and are delivered once."""

from __future__ import annotations

import shutil

import pytest
from tests.build.experiments.made_up_sweeps import made_home, plan, run

from noria.app import wiring
from noria.app.home import open_home
from noria.app.wiring.experiments import run_log
from noria.build.experiments.delivery import deliver
from noria.records.experiments import ExperimentRun
from noria.stores import Stores


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    home = made_home(tmp_path_factory.mktemp("delivery") / "home")
    run(home, plan(runs=2))
    run_log(home).append(ExperimentRun("small.0002", "small", 2, "failed", 3, reason="it broke"))
    return home


@pytest.fixture
def home(swept, tmp_path):
    """A copy of which no server has heard."""
    shutil.copytree(swept.path, tmp_path / "home")
    return open_home(tmp_path / "home")


def with_tracker(home, uri: str) -> Stores:
    return Stores(
        lake=home.lake, blobs=home.blobs, journal=home.journal_url, tracker=uri, artifacts=home.tracker_artifacts
    )


def test_runs_wait_while_the_server_is_down_and_are_delivered_once_later(home):
    log = run_log(home)
    down = with_tracker(home, "http://127.0.0.1:9")
    count, why = deliver(down, log)
    assert count == 0
    assert "127.0.0.1" in why
    assert len(log.undelivered()) == 3

    stores = wiring.open_stores(home)
    assert deliver(stores, log) == (3, "")
    assert log.undelivered() == []
    assert deliver(stores, log) == (0, "")
    assert deliver(stores, log, log.runs()) == (3, "")  # told again, recorded once
    tracked = stores.tracker.runs("small")
    assert sorted(str(r["tag"]) for r in tracked) == ["small.0000", "small.0001", "small.0002"]
    stores.close()


def test_what_is_delivered_ties_code_data_settings_and_results(home):
    stores = wiring.open_stores(home)
    deliver(stores, run_log(home))
    found = {r["tag"]: r for r in stores.tracker.runs("small")}["small.0001"]
    kept = run_log(home).get("small.0001")
    assert found["metrics"] == pytest.approx(dict(kept.metrics))
    assert found["params"]["svm_c"] == str(kept.settings["svm_c"])
    assert len(found["params"]["code.sha256"]) == 64
    assert len(found["params"]["code.archive"]) == 64
    stores.close()
