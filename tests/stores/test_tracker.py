"""The tracker: one whole run per tag, candidates that come back as they were, quietly."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from noria.errors import NotFound, OutsideError, StateError, UsageError
from noria.records import Candidate, DataVersion
from noria.stores import mlflow_client, tracker
from noria.stores.tracker import Tracker

NOW = 1_700_000_000_000
BANK = DataVersion("examples", "bank", 3, 10, "ab" * 32)
KB = DataVersion("articles", "kb", 1, 2, "cd" * 32)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tracking database with its schema and nothing else; to build it takes a second."""
    folder = tmp_path_factory.mktemp("tracker")
    mlflow_client.open_client(f"sqlite:///{folder / 'tracker.db'}", folder)
    return folder / "tracker.db"


@pytest.fixture
def runs(empty_database: Path, tmp_path: Path) -> Tracker:
    shutil.copy(empty_database, tmp_path / "tracker.db")
    return Tracker(f"sqlite:///{tmp_path / 'tracker.db'}", tmp_path / "artifacts")


def record(runs: Tracker, tag: str, **changes: object) -> str:
    what = {
        "experiment": "agent", "params": {"c": "1.5"}, "metrics": {"accuracy": 0.75},
        "data": [("train", BANK, "lake/bank")], "artifacts": {"manifest.json": b"{}"}, "time_ms": NOW,
    } | changes  # fmt: skip
    return runs.record(tag=tag, **what)  # type: ignore[arg-type]


def candidate(tag: str, run_id: str, created_ms: int = NOW) -> Candidate:
    return Candidate(
        tag=tag,
        run_id=run_id,
        bundle_sha256="ef" * 32,
        examples=BANK,
        articles=KB,
        recipe={"c": 1.5, "words": [1, 2], "text": "ü", "none": None},
        metrics={"accuracy": 0.75, "endless": float("inf")},
        created_ms=created_ms,
    )


def test_a_run_is_kept_whole(runs: Tracker, tmp_path: Path) -> None:
    """Parameters, metrics, data and artefacts of a run are where MLflow's own client finds them."""
    data = [("train", BANK, "lake/bank"), ("test", BANK, "lake/bank"), ("articles", KB, "lake/kb")]
    run_id = record(runs, "one", data=data)
    from mlflow.data import get_source
    from mlflow.tracking import MlflowClient

    run = MlflowClient(f"sqlite:///{tmp_path / 'tracker.db'}").get_run(run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "one")
    assert (run.info.start_time, run.info.end_time) == (NOW, NOW)
    assert (run.data.params, run.data.metrics) == ({"c": "1.5"}, {"accuracy": 0.75})
    assert run.data.tags["noria.tag"] == "one"
    assert run.data.tags["data.train"] == "examples/bank@3"
    assert run.data.tags["data.articles.sha256"] == KB.sha256
    assert run.data.tags["data.test.uri"] == "lake/bank"
    inputs = {i.dataset.name: i for i in run.inputs.dataset_inputs}
    assert set(inputs) == {"examples/bank", "articles/kb"}
    assert inputs["examples/bank"].dataset.digest == BANK.sha256[:36]
    assert [t.value for t in inputs["examples/bank"].tags] == ["train, test"]
    source = get_source(inputs["articles/kb"])
    assert (source.path, source.delta_table_version) == ("lake/kb", 1)
    folder = tmp_path / "artifacts" / run_id / "artifacts"
    assert run.info.artifact_uri == folder.as_uri()
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {"manifest.json": b"{}"}


def test_runs_newest_first(runs: Tracker) -> None:
    """The runs of an experiment are listed newest first, those of other experiments are not."""
    first = record(runs, "first", time_ms=NOW)
    second = record(runs, "second", time_ms=NOW + 5, metrics={}, params={})
    record(runs, "other", experiment="sweep")
    assert runs.runs("agent") == [
        {"tag": "second", "run_id": second, "time_ms": NOW + 5, "metrics": {}, "params": {}, "not_finite": ""},
        {"tag": "first", "run_id": first, "time_ms": NOW, "metrics": {"accuracy": 0.75}, "params": {"c": "1.5"},
         "not_finite": ""},
    ]  # fmt: skip
    assert runs.tags() == ["first", "other", "second"]
    with pytest.raises(NotFound, match="Did you mean 'agent'"):
        runs.runs("agnet")


def test_many_runs_are_all_listed(runs: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    """More runs than MLflow gives on one page are listed all the same."""
    monkeypatch.setattr(mlflow_client, "_PAGE", 2)
    tags = [f"t{number}" for number in range(5)]
    for tag in tags:
        record(runs, tag)
    assert runs.tags() == tags


def test_metrics_that_are_not_finite(runs: Tracker) -> None:
    """NaN and infinite metrics, which MLflow would change to other numbers, are named and left out."""
    metrics = {"a": 0.5, "b": float("nan"), "c": float("-inf")}
    record(runs, "one", metrics=metrics)
    (run,) = runs.runs("agent")
    assert (run["metrics"], run["not_finite"]) == ({"a": 0.5}, "b=nan, c=-inf")


def test_a_tag_is_used_once(runs: Tracker) -> None:
    """A second record with the same tag is refused, in another experiment too, and changes nothing."""
    record(runs, "one")
    with pytest.raises(UsageError, match="'one' is taken"):
        record(runs, "one", experiment="sweep")
    assert runs.tags() == ["one"]


def test_threads_race_for_a_tag(runs: Tracker, tmp_path: Path) -> None:
    """Of many that record one tag at once, exactly one gets it."""

    def race(_: int) -> str:
        try:
            return record(Tracker(f"sqlite:///{tmp_path / 'tracker.db'}", tmp_path / "artifacts"), "one")
        except UsageError:
            return ""

    with ThreadPoolExecutor(4) as pool:
        won = [run_id for run_id in pool.map(race, range(6)) if run_id]
    assert len(won) == 1
    assert [run["run_id"] for run in runs.runs("agent")] == won


def test_broken_off_run_is_no_run(runs: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk refuses an artefact, the run is marked as failed and its tag is free again."""

    def full(_path: Path, _data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tracker, "write_file", full)
        with pytest.raises(OutsideError, match="No space left"):
            record(runs, "one")
    assert runs.tags() == []
    with sqlite3.connect(tmp_path / "tracker.db") as database:
        assert database.execute("SELECT status FROM runs").fetchall() == [("FAILED",)]
    database.close()
    record(runs, "one")
    assert runs.tags() == ["one"]


def test_killed_run_is_no_run(runs: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was not brought to its end, not even to failure, is not found, and its tag is free again."""
    record(runs, "zero")
    client = runs._client
    with monkeypatch.context() as patch:
        patch.setattr(client, "set_terminated", lambda *_, **__: sys.exit("killed"))
        with pytest.raises(SystemExit):
            record(runs, "one")
    assert runs.tags() == ["zero"]
    run_id = record(runs, "one")
    assert [run["run_id"] for run in runs.runs("agent") if run["tag"] == "one"] == [run_id]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"params": {"p": "x" * 6001}}, "has 6001 characters"),
        ({"params": {"a:b*": "1"}}, "MLflow refuses"),
        ({"artifacts": {"../x": b""}}, "name an artefact"),
        ({"artifacts": {"candidate.json": b""}}, "name an artefact"),
        ({"data": [("train", BANK, ""), ("train", KB, "")]}, "may come once"),
    ],
)
def test_what_cannot_be_kept(runs: Tracker, changes: dict[str, object], words: str) -> None:
    """What MLflow would cut off or refuse is a usage error, and no run is left that could be found."""
    with pytest.raises(UsageError, match=words):
        record(runs, "one", **changes)
    assert runs.tags() == []


@pytest.mark.parametrize("tag", ["", "-x", "a b", "x' OR '1'='1", "ä", "a\n"])
def test_bad_tags(runs: Tracker, tag: str) -> None:
    """A tag that is not allowed is refused on writing and not found on reading."""
    with pytest.raises(UsageError, match="cannot be a tag"):
        record(runs, tag)
    record(runs, "good")
    with pytest.raises(NotFound):
        runs.candidate(tag)


def test_candidates_round_trip(runs: Tracker) -> None:
    """Candidates come back as they were, newest first; a run without one is no candidate."""
    old = candidate("old", record(runs, "old"), NOW)
    new = replace(candidate("new", record(runs, "new"), NOW + 1), articles=None)
    record(runs, "none")
    runs.put_candidate(new)
    runs.put_candidate(old)
    runs.put_candidate(old)
    assert (runs.candidate("old"), runs.candidate("new")) == (old, new)
    assert runs.candidates() == [new, old]
    with pytest.raises(NotFound, match="Did you mean 'new'"):
        runs.candidate("newe")
    with pytest.raises(NotFound, match="no candidate named 'none'"):
        runs.candidate("none")


def test_a_candidate_belongs_to_its_run(runs: Tracker) -> None:
    """A candidate without a run, of another run, or in place of another candidate is refused."""
    run_id = record(runs, "one")
    with pytest.raises(NotFound, match="Did you mean 'one'"):
        runs.put_candidate(candidate("ones", run_id))
    with pytest.raises(UsageError, match="is the tag of run"):
        runs.put_candidate(candidate("one", "0" * 32))
    kept = candidate("one", run_id)
    runs.put_candidate(kept)
    with pytest.raises(UsageError, match="another candidate"):
        runs.put_candidate(replace(kept, bundle_sha256="00" * 32))
    assert runs.candidate("one") == kept


def test_changed_or_missing_candidate(runs: Tracker, tmp_path: Path) -> None:
    """A candidate's file that was changed or lost is a state error that names the file."""
    run_id = record(runs, "one")
    runs.put_candidate(candidate("one", run_id))
    file = tmp_path / "artifacts" / run_id / "artifacts" / "candidate.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "bundle_sha256": "00" * 32}))
    with pytest.raises(StateError, match=r"candidate\.json was changed"):
        runs.candidate("one")
    file.unlink()
    with pytest.raises(StateError, match=r"candidate\.json cannot be read"):
        runs.candidates()


def test_moved_home(runs: Tracker, tmp_path: Path) -> None:
    """A home that was moved keeps its candidates, and new runs go to where it is now."""
    kept = candidate("one", record(runs, "one"))
    runs.put_candidate(kept)
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("tracker.db", "artifacts"):
        (tmp_path / name).rename(moved / name)
    there = Tracker(f"sqlite:///{moved / 'tracker.db'}", moved / "artifacts")
    assert there.candidate("one") == kept
    run_id = record(there, "two")
    assert (moved / "artifacts" / run_id / "artifacts" / "manifest.json").exists()
    assert not (tmp_path / "artifacts").exists()


def test_database_of_another_mlflow(runs: Tracker, tmp_path: Path) -> None:
    """A database whose schema this MLflow does not know is a state error that says what to do."""
    with sqlite3.connect(tmp_path / "tracker.db") as database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    database.close()
    with pytest.raises(StateError, match=r"another version of MLflow.*mlflow db upgrade"):
        record(runs, "one")


def test_damaged_database(runs: Tracker, tmp_path: Path) -> None:
    """A file that is no database is told as trouble of the outside system, with its name."""
    (tmp_path / "tracker.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(OutsideError, match=r"tracker\.db"):
        runs.tags()


QUIET = """
import sys, threading
from pathlib import Path
from noria.stores.tracker import Tracker
started = []
threading.Thread.start = lambda self: started.append(self.name)  # MLflow reports usage from a thread
runs = Tracker("sqlite:///home/tracker.db", "home/artifacts")
assert (runs.tags(), runs.candidates()) == ([], [])
assert not Path("home").exists() and "mlflow" not in sys.modules
runs.record(experiment="agent", tag="one", params={}, metrics={"a": 1}, data=[], artifacts={"x.txt": b"x"}, time_ms=1)
print(runs.tags(), started)
"""


def test_first_use_is_quiet(tmp_path: Path) -> None:
    """Looking into an empty home makes nothing; the first record prints nothing, reports nothing, leaves no litter."""
    # The marks of a CI job would turn telemetry off by themselves.
    keep = {"PATH", "HOME", "PYTHONPATH", "TMPDIR"}
    environment = {k: v for k, v in os.environ.items() if k in keep}
    command = [sys.executable, "-c", QUIET]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "['one'] []\n", "")
    assert [p.name for p in tmp_path.iterdir()] == ["home"]
    made = {str(p.relative_to(tmp_path / "home")) for p in (tmp_path / "home").rglob("*") if p.is_file()}
    assert {Path(name).name for name in made} == {"tracker.db", "x.txt", ".open.lock", ".record.lock"}


def test_a_registered_model_has_a_version_for_each_run_and_its_alias_moves(runs: Tracker) -> None:
    record(runs, "bank.0001")
    record(runs, "bank.0002")
    assert runs.registered("bank", "best") is None
    assert runs.register("bank", "bank.0001", "best", "ab" * 32) == 1
    assert runs.register("bank", "bank.0002", "best", "cd" * 32) == 2
    assert runs.registered("bank", "best") == "bank.0002"
    assert runs.register("bank", "bank.0001", "best", "ab" * 32) == 1
    assert runs.registered("bank", "best") == "bank.0001"
    with pytest.raises(NotFound, match=r"bank\.0001"):
        runs.register("bank", "bank.001", "best", "")


def test_a_run_carries_its_notes_as_tags_and_is_known_by_its_tag(runs: Tracker) -> None:
    run_id = record(runs, "bank.0001", notes={"noria.state": "pruned", "empty": ""})
    tags = runs._client.get_run(run_id).data.tags
    assert tags["noria.state"] == "pruned"
    assert "empty" not in tags
    assert runs.has("bank.0001")
    assert not runs.has("bank.0002")
