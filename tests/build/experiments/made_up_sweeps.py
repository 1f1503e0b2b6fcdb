"""A home with a small table, and sweeps on it that take a moment a run."""

from __future__ import annotations

from pathlib import Path

from tests.house import examples

from noria.app import wiring
from noria.app.home import Home, create_home, open_home
from noria.app.wiring.experiments import proposals_of, run_log, sweep_desk, work
from noria.build.experiments.sweeps.plan import Plan, read_plan
from noria.build.experiments.sweeps.runners import InProcess, Runner
from noria.build.experiments.sweeps.sweep import Progress, Swept, sweep
from noria.records.experiments import ExperimentRun

PLAN = """
name = "small"
data = "desk"
runs = 6
generation = 3
seed = 3
[[objective]]
criterion = "intent.accuracy"
[fixed]
lineup = "ngrams"
[space]
svm_c = [0.1, 0.5, 2.0]
answer_at = { low = 0.2, high = 0.8 }
"""


def made_home(folder: Path) -> Home:
    create_home(folder)
    home = open_home(folder)
    stores = wiring.open_stores(home)
    stores.lake.write_examples("desk", examples(), mode="append", note={}, time_ms=1)
    stores.close()
    return home


def plan(**changes: object) -> Plan:
    import dataclasses

    return dataclasses.replace(read_plan(PLAN, "plan.toml"), **changes)  # type: ignore[arg-type]


def run(home: Home, what: Plan, runner: Runner | None = None, tell: list[Progress] | None = None) -> Swept:
    stores = wiring.open_stores(home)
    desk = sweep_desk(home, stores, ([] if tell is None else tell).append)
    try:
        return sweep(what, proposals_of(home, what), runner or InProcess(work, str(home.path)), desk)
    finally:
        stores.close()


def runs_of(home: Home, name: str = "small") -> list[ExperimentRun]:
    return run_log(home).runs(name)


def tried(home: Home, name: str = "small") -> list[tuple[str, object, object, object]]:
    """What each run tried and came to."""
    return [
        (r.tag, r.settings["svm_c"], r.settings["answer_at"], r.metrics["intent.accuracy"]) for r in runs_of(home, name)
    ]
