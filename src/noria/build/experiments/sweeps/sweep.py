"""Runs a sweep: whole generations of runs, each kept the moment it ends, resumable wherever it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.build.experiments.manifest import Code, keep_run
from noria.build.experiments.sweeps.plan import Plan
from noria.build.experiments.sweeps.runners import Runner
from noria.build.experiments.sweeps.study import Proposals, chosen
from noria.build.experiments.trial import Outcome, Task
from noria.errors import OutsideError, UsageError, nearest
from noria.records import DataVersion
from noria.records.experiments import ExperimentRun
from noria.stores.blobs import Blobs
from noria.stores.lake import Lake
from noria.stores.tracking.runs import RunLog

if TYPE_CHECKING:
    from optuna.trial import Trial


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a sweep keeps things, and what it is told by the outside.

    `now_ms`: UTC milliseconds. `tell`: a line for people, with the run just ended
    (None at the start).
    """

    lake: Lake
    blobs: Blobs
    log: RunLog
    code: Code
    encoder: str
    now_ms: Callable[[], int]
    tell: Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep is. `done` of `total` runs have ended, `failed` and `pruned` among them; `left_ms` to go."""

    done: int
    total: int
    failed: int
    pruned: int
    left_ms: int | None
    best: ExperimentRun | None


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep came to. `best`: of the finished runs by the first objective, None where there is none."""

    name: str
    runs: int
    finished: int
    pruned: int
    failed: int
    before: int
    best: ExperimentRun | None
    data: DataVersion


def sweep(plan: Plan, proposals: Proposals, runner: Runner, desk: Desk) -> Swept:
    """Runs what is left of a plan; called again after a crash, or with more `runs`, it goes on where it stopped.

    Raises:
        NotFound, UsageError: there is no such data; every run of the first generation failed.
        OutsideError: the disk is full; what had ended is kept.
    """
    state = _Sweep(plan, proposals, runner, desk)
    proposals.lease(desk.now_ms())
    try:
        while trials := proposals.generation():
            state.generation(trials)
    finally:
        runner.close()
        proposals.release()
    return state.result()


class _Sweep:
    def __init__(self, plan: Plan, proposals: Proposals, runner: Runner, desk: Desk) -> None:
        self._plan, self._proposals, self._runner, self._desk = plan, proposals, runner, desk
        self._data = self._pinned("examples", plan.data)
        self._articles = self._pinned("articles", plan.articles) if plan.articles else None
        self._known = {run.number: run for run in desk.log.runs(plan.name)}
        self._before, self._started_ms = len(self._known), desk.now_ms()
        self._desk.tell(self._progress())

    def generation(self, trials: Sequence[Trial]) -> None:
        """Runs what of a generation has not been run, then tells the study all of it in order of number."""
        ahead = [t for t in trials if t.number not in self._known]
        for rung, share in enumerate(self._plan.rungs):
            ahead = self._rung(ahead, rung, share)
        tasks = [self._task(t) for t in ahead]
        for place, outcome in self._outcomes(tasks):
            self._keep(tasks[place], self._measured(outcome), "finished")
        for trial in trials:
            run = self._known[trial.number]
            self._proposals.tell(trial.number, self._values(run), pruned=run.state == "pruned")
        if len(self._known) == len(trials) and all(r.state == "failed" for r in self._known.values()):
            raise UsageError(f"all of the first {len(trials)} runs failed. The first one said: {self._known[0].reason}")

    def result(self) -> Swept:
        states = [run.state for run in self._known.values()]
        counts = {s: states.count(s) for s in ("finished", "pruned", "failed")}
        return Swept(
            self._plan.name, len(states), counts["finished"], counts["pruned"], counts["failed"], self._before,
            self._best(), self._data,
        )  # fmt: skip

    def _rung(self, trials: list[Trial], rung: int, share: float) -> list[Trial]:
        """Those that may go on; the others are kept as pruned, with what they reached."""
        fresh = [t for t in trials if rung not in self._reached(t)]
        tasks = [self._task(t, share) for t in fresh]
        reached: dict[int, Outcome] = {}
        for place, outcome in self._outcomes(tasks):
            reached[fresh[place].number] = outcome
        for trial, task in zip(fresh, tasks, strict=True):
            outcome = reached[trial.number]
            value = outcome.metrics.get(self._plan.objectives[0].criterion)
            if outcome.reason or value is None:
                self._keep(task, self._measured(outcome), "failed")
            else:
                self._proposals.report(trial, value, rung)
        going = []
        for trial in trials:
            if trial.number in self._known:
                continue
            if self._proposals.passes(trial, rung):
                going.append(trial)
            elif trial.number in reached:
                self._keep(self._task(trial, share), reached[trial.number], "pruned")
            else:  # stopped just before a crash: what it reached is made again
                task = self._task(trial, share)
                for _, outcome in self._outcomes([task]):
                    self._keep(task, outcome, "pruned")
        return going

    def _reached(self, trial: Trial) -> set[int]:
        return {i for i in range(len(self._plan.rungs)) if trial.user_attrs.get(f"rung {i}")}

    def _outcomes(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Outcome]]:
        for place, result in self._runner.run([t.to_json() for t in tasks]):
            task = tasks[place]
            if result is None:
                why = "its worker process was killed twice (out of memory, perhaps)."
                yield place, Outcome(task.tag, task.number, reason=why)
                continue
            outcome = Outcome.from_bytes(result)
            if outcome.disk_full:
                raise OutsideError(
                    f"the disk is full ({outcome.reason}). {len(self._known)} runs of {self._plan.name} are kept; free "
                    f"space, then say: noria experiments resume {self._plan.name}",
                    retry_helps=True,
                )
            yield place, outcome

    def _keep(self, task: Task, outcome: Outcome, state: str) -> None:
        desk = self._desk
        run = keep_run(
            desk.blobs, task, outcome, desk.code, experiment=self._plan.name, state=state, time_ms=desk.now_ms()
        )
        desk.log.append(run)
        self._known[task.number] = run
        self._proposals.lease(desk.now_ms())
        desk.tell(self._progress())

    def _measured(self, outcome: Outcome) -> Outcome:
        """The outcome, failed where it lacks an objective."""
        lacks = [o.criterion for o in self._plan.objectives if o.criterion not in outcome.metrics]
        if outcome.reason or not lacks:
            return outcome
        why = f"the criterion {lacks[0]!r} cannot be measured here. {nearest(lacks[0], outcome.metrics)}"
        return Outcome(outcome.tag, outcome.number, reason=why)

    def _task(self, trial: Trial, share: float = 1.0) -> Task:
        settings = {**self._plan.fixed, **chosen(trial)}
        tag = tag_of(self._plan.name, trial.number)
        return Task(tag, trial.number, self._data, self._articles, settings, self._desk.encoder, share)

    def _values(self, run: ExperimentRun) -> list[float] | None:
        values = [run.metrics.get(o.criterion) for o in self._plan.objectives]
        known = [v for v in values if v is not None]
        return known if run.state == "finished" and len(known) == len(values) else None

    def _best(self) -> ExperimentRun | None:
        first = self._plan.objectives[0]
        sign = 1 if first.direction == "maximize" else -1
        able = [r for r in self._known.values() if r.state == "finished" and first.criterion in r.metrics]
        return max(able, key=lambda r: (sign * r.metrics[first.criterion], -r.number), default=None)

    def _progress(self) -> Progress:
        states = [run.state for run in self._known.values()]
        total, fresh = self._proposals.total, len(states) - self._before
        spent = self._desk.now_ms() - self._started_ms
        left = spent * (total - len(states)) // fresh if fresh else None
        return Progress(len(states), total, states.count("failed"), states.count("pruned"), left, self._best())

    def _pinned(self, kind: str, ref: str) -> DataVersion:
        """The version that the sweep began with, also when the table has grown since."""
        why = f"sweep {self._plan.name}"
        for pin in self._desk.lake.pins():
            if pin["why"] == why and pin["kind"] == kind:
                facts = {k: v for k, v in pin.items() if k != "why"}
                return DataVersion(**facts)  # type: ignore[arg-type]
        version = self._desk.lake.resolve(kind, ref)
        self._desk.lake.pin(version, why)
        return version


def tag_of(experiment: str, number: int) -> str:
    """`EXPERIMENT.NUMBER`, four digits."""
    return f"{experiment}.{number:04}"
