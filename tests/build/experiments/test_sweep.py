"""A sweep ends with the runs it was asked for, whatever breaks on the way, and tries the same however it is run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.build.experiments.made_up_sweeps import PLAN, made_home, plan, run, runs_of, tried

from noria.app import wiring
from noria.app.home import Home
from noria.app.wiring.experiments import proposals_of, run_log, work
from noria.build.experiments.sweeps import runners
from noria.build.experiments.sweeps.plan import Axis, Objective
from noria.build.experiments.sweeps.runners import InProcess, Processes
from noria.build.experiments.sweeps.study import Coordinator
from noria.errors import NotFound, OutsideError, StateError, UsageError
from noria.records.experiments import ExperimentRun

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path / "home")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home in which the small sweep has ended undisturbed."""
    home = made_home(tmp_path_factory.mktemp("swept") / "home")
    result = run(home, plan())
    assert (result.runs, result.finished, result.failed, result.before) == (6, 6, 0, 0)
    return home


class Interrupted(Exception):
    """Stands for a crash."""


class Crashing(InProcess):
    """Breaks off after so many tasks."""

    def __init__(self, home: Home, after: int) -> None:
        super().__init__(work, str(home.path))
        self.left = after

    def run(self, tasks):
        for done in super().run(tasks):
            if self.left == 0:
                raise Interrupted
            self.left -= 1
            yield done


class Counting(InProcess):
    """Remembers what it was asked."""

    def __init__(self, home: Home) -> None:
        super().__init__(work, str(home.path))
        self.asked: list[str] = []

    def run(self, tasks):
        self.asked += [json.loads(t)["tag"] for t in tasks]
        return super().run(tasks)


def test_each_run_logs_every_criterion_that_its_rows_can_tell(swept):
    runs = runs_of(swept)
    assert [r.tag for r in runs] == [f"small.{i:04}" for i in range(6)]
    assert all(len(r.metrics) > 100 for r in runs)
    assert {r.data for r in runs} == {"examples/desk@1"}


@pytest.mark.parametrize("after", [1, 3, 4, 5])
def test_a_sweep_that_broke_off_goes_on_and_tries_what_it_would_have_tried(home, swept, after):
    with pytest.raises(Interrupted):
        run(home, plan(), Crashing(home, after))
    assert len(runs_of(home)) == after
    rest = Counting(home)
    result = run(home, plan(), rest)
    assert (result.runs, result.before) == (6, after)
    assert len(rest.asked) == 6 - after  # nothing that had ended is run again
    assert tried(home) == tried(swept)


def test_a_sweep_that_has_ended_runs_nothing_and_may_be_given_more_runs(home):
    run(home, plan(runs=3))
    again = Counting(home)
    run(home, plan(runs=3), again)
    assert again.asked == []
    assert run(home, plan(runs=5), again).runs == 5
    assert again.asked == ["small.0003", "small.0004"]


@pytest.mark.slow
def test_processes_try_the_same_and_a_killed_coordinator_loses_nothing(home, swept):
    plan_file = home.path.parent / "plan.toml"
    plan_file.write_text(PLAN, encoding="utf-8")
    command = [sys.executable, "-m", "noria", "--home", str(home.path), "experiments"]
    started = subprocess.Popen([*command, "sweep", str(plan_file), "--workers", "2"], stderr=subprocess.DEVNULL)
    log = run_log(home)
    while not log.tags() and started.poll() is None:
        time.sleep(0.05)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    before = len(log.tags())
    assert before < 6, "the sweep was faster than the kill"
    done = subprocess.run(
        [*command, "resume", "small", "--workers", "2", "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["finished"] == 6
    tags = run_log(home).table([])["tag"]
    assert len(tags) == len(set(tags)) == 6
    assert tried(home) == tried(swept)


def test_two_coordinators_do_not_run_one_sweep_at_once(home):
    run(home, plan(runs=3))
    stores = wiring.open_stores(home)
    first = proposals_of(home, plan())
    first.lease(1_000_000)
    other = proposals_of(home, plan())
    other._who = Coordinator("elsewhere", 1)
    with pytest.raises(StateError, match="is being run by"):
        other.lease(1_000_001)
    other.lease(1_000_002, take_over=True)
    other.lease(9_000_000)
    stores.close()


def test_a_sweep_does_not_go_on_with_another_plan(home):
    run(home, plan(runs=3))
    with pytest.raises(UsageError, match="with another plan"):
        run(home, plan(seed=4))


def test_a_run_that_breaks_stops_no_other(home):
    axes = (Axis("char_min_n", choices=(2, 6)), Axis("char_max_n", choices=(3, 7)))
    result = run(home, plan(axes=axes, sampler="grid", runs=150))
    assert (result.runs, result.finished, result.failed) == (4, 3, 1)
    (broken,) = [r for r in runs_of(home) if r.state == "failed"]
    assert "char_min_n = 6 is above char_max_n = 3" in broken.reason
    assert run(home, plan(axes=axes, sampler="grid", runs=150), Counting(home)).failed == 1


def test_a_sweep_whose_first_runs_all_fail_stops_and_says_why(home):
    with pytest.raises(UsageError, match=r"all of the first 3 runs failed.*no member 'nothing'"):
        run(home, plan(fixed={"lineup": "ngrams", "member": "nothing"}))


def test_an_objective_that_cannot_be_measured_is_named(home):
    with pytest.raises(UsageError, match=r"'end_to_end.served' cannot be measured here"):
        run(home, plan(objectives=(Objective("end_to_end.served", "maximize"),)))


def test_data_that_do_not_exist_stop_a_sweep_before_it_begins(home):
    with pytest.raises(NotFound, match="Did you mean 'desk'"):
        run(home, plan(data="dsk"))
    with pytest.raises(UsageError, match="has no version 9"):
        run(home, plan(name="other", data="desk@9"))


def test_a_resumed_sweep_keeps_to_the_data_it_began_with(home):
    run(home, plan(runs=3))
    stores = wiring.open_stores(home)
    _, rows = stores.lake.examples("desk")
    stores.lake.write_examples("desk", rows[: len(rows) - 5], mode="replace", note={}, time_ms=2)
    run(home, plan(runs=4))
    assert {r.data for r in runs_of(home)} == {"examples/desk@1"}
    assert any(p["why"] == "sweep small" and p["version"] == 1 for p in stores.lake.pins())


def test_a_full_disk_stops_the_sweep_keeps_what_had_ended_and_says_how_to_go_on(home, monkeypatch):
    from noria.stores.tracking import runs

    real, calls = runs._append_whole, []

    def full_at_the_third(path, data):
        calls.append(path)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        real(path, data)

    monkeypatch.setattr(runs, "_append_whole", full_at_the_third)
    with pytest.raises(OutsideError, match=r"No space left.*then resume") as told:
        run(home, plan())
    assert told.value.retry_helps
    assert len(runs_of(home)) == 2
    assert run(home, plan()).runs == 6


def test_a_worker_that_finds_the_disk_full_stops_the_sweep(home):
    from noria.build.experiments.trial import Outcome

    class Full(InProcess):
        def run(self, tasks):
            yield 0, Outcome("small.0000", 0, reason="OSError: no space", disk_full=True).to_bytes()

    with pytest.raises(OutsideError, match=r"disk is full.*noria experiments resume small"):
        run(home, plan(), Full(work, ""))


def test_runs_that_do_badly_on_few_rows_are_stopped_there(home):
    pruned = plan(
        runs=16,
        generation=8,
        rungs=(0.3,),
        objectives=(Objective("decision.success", "maximize"),),
        axes=(Axis("answer_at", choices=(0.3, 0.35, 0.4, 1.0)),),
    )
    result = run(home, pruned)
    assert result.pruned > 0
    assert result.finished > 0
    assert result.runs == 16
    by_state = {r.state: r for r in runs_of(home)}
    assert by_state["pruned"].record != ""
    with pytest.raises(Interrupted):
        run(home, plan(name="again", **_fields(pruned)), Crashing(home, 11))
    run(home, plan(name="again", **_fields(pruned)))
    again = [(r.number, r.state, r.settings["answer_at"]) for r in runs_of(home, "again")]
    assert again == [(r.number, r.state, r.settings["answer_at"]) for r in runs_of(home)]


def _fields(one):
    return {n: getattr(one, n) for n in ("runs", "generation", "rungs", "objectives", "axes")}


def test_several_objectives_are_weighed_against_each_other(home):
    both = (Objective("intent.accuracy", "maximize"), Objective("calibration.ece", "minimize"))
    assert run(home, plan(objectives=both)).finished == 6


def test_random_search_tries_other_settings_than_another_seed(home):
    run(home, plan(sampler="random", runs=3))
    run(home, plan(sampler="random", runs=3, name="other", seed=9))
    assert [t[1:3] for t in tried(home)] != [t[1:3] for t in tried(home, "other")]


def test_a_study_in_a_database_tries_the_same_as_in_the_journal_file(home, swept, new_database):
    stored = plan(storage=new_database().replace("postgresql:", "postgresql+psycopg:"))
    with pytest.raises(Interrupted):
        run(home, stored, Crashing(home, 4))
    assert run(home, stored).before == 4
    assert tried(home) == tried(swept)


def test_a_database_that_cannot_be_reached_is_said_to_be_so(home):
    with pytest.raises(OutsideError, match="study's storage cannot be used"):
        run(home, plan(storage="postgresql+psycopg://nobody@127.0.0.1:9/none"))


def test_progress_counts_to_the_end_and_estimates_what_is_left(home):
    told: list = []
    run(home, plan(runs=3), tell=told)
    assert [p.done for p in told] == [0, 1, 2, 3]
    assert told[0].left_ms is None
    assert told[-1].left_ms == 0
    assert told[-1].best is not None


def die_once(place: str, task: str) -> bytes:
    """Kills its process the first time it gets a task, and always the task "cursed"."""
    seen = Path(place) / task
    if task == "cursed" or (task == "shy" and not seen.exists()):
        seen.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task.encode()


@pytest.mark.slow
def test_a_task_whose_worker_dies_is_tried_once_more_and_then_given_up(tmp_path):
    workers = Processes(die_once, str(tmp_path), 2)
    done = dict(workers.run(["plain", "shy", "cursed", "last"]))
    workers.close()
    assert done == {0: b"plain", 1: b"shy", 2: None, 3: b"last"}


@pytest.mark.real
def test_a_spark_cluster_tries_the_same_and_comes_to_the_same(home, swept, tmp_path):
    """Real executors of a local cluster, in JVMs and Python processes of their own."""
    site = next((ROOT / ".real" / "spark" / "lib").glob("python3*/site-packages/pyspark"), None)
    if site is None or shutil.which("java") is None:
        if os.environ.get("NORIA_REQUIRE_SPARK"):
            pytest.fail("no Spark in .real/spark, or no Java (NORIA_REQUIRE_SPARK is set)", pytrace=False)
        pytest.skip("no Spark: `make real` makes .real/spark, and Java is needed")
    for name in ("pyspark", "py4j"):  # these alone: everything else is our own environment's
        (tmp_path / "spark").mkdir(exist_ok=True)
        (tmp_path / "spark" / name).symlink_to(site.with_name(name))
    plan_file = tmp_path / "plan.toml"
    plan_file.write_text(PLAN, encoding="utf-8")
    command = [sys.executable, "-m", "noria", "--home", str(home.path), "experiments", "sweep", str(plan_file)]
    path = os.pathsep.join([str(tmp_path / "spark"), os.environ.get("PYTHONPATH", "")])
    place = {"SPARK_LOCAL_IP": "127.0.0.1", "PYTHONPATH": path, "SPARK_WORKER_DIR": str(tmp_path / "work")}
    spark = [*command, "--spark", "local-cluster[2,1,1024]", "--json"]
    done = subprocess.run(spark, env=os.environ | place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1])["finished"] == 6
    assert tried(home) == tried(swept)


def test_a_run_is_never_logged_twice(home):
    log = run_log(home)
    one = ExperimentRun("x.0000", "x", 0, "finished", 1)
    assert log.append(one)
    assert not log.append(one)
    assert runners.InProcess(work, "").close() is None
