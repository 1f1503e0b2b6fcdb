"""The study that proposes settings: Optuna, asked so that a proposal hangs on the plan and on ended generations alone.

Each proposal has a seed of its own, made of the plan's seed and its number, and no run of its own generation has been
told when it is made. A sweep that was killed and resumed, or ran on more workers, therefore tries the same settings.
"""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.build.experiments.sweeps.plan import Axis, Plan
from noria.errors import OutsideError, StateError, UsageError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.storages import BaseStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial, Trial

_LEASE_MS = 10 * 60_000
"""A coordinator that has not been heard of for so long is taken for dead."""


@dataclass(frozen=True, slots=True)
class Coordinator:
    """The process that runs a sweep; workers do not count."""

    host: str
    pid: int

    def is_dead(self, *, seen_from: str) -> bool:
        """Whether its process is surely gone; on another host that cannot be seen."""
        if self.host != seen_from:
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return False


class Proposals:
    """The open study of a plan.

    Args:
        plan: what is tried.
        folder: where the journal file lies.
        who: this coordinator.

    Raises:
        UsageError: a study of that name has another plan. OutsideError: the database cannot be reached.
    """

    def __init__(self, plan: Plan, folder: Path, who: Coordinator) -> None:
        self._plan, self._who = plan, who
        self._distributions = {axis.name: _distribution(axis) for axis in plan.axes}
        self._grid = list(plan.grid()) if plan.sampler == "grid" else []
        self._storage = _storage(plan, folder)
        self._study = _open(plan, self._storage)
        identity = plan_identity(plan)
        known = self._study.user_attrs.get("plan")
        if known is None:
            self._study.set_user_attr("plan", identity)
        elif known != identity:
            raise UsageError(
                f"there is a sweep {plan.name!r} with another plan; give this one another name, or resume that one "
                "with the plan it began with (only runs may differ)."
            )

    @property
    def total(self) -> int:
        """How many runs there will be."""
        return min(self._plan.runs, len(self._grid)) if self._grid else self._plan.runs

    def lease(self, time_ms: int, *, take_over: bool = False) -> None:
        """Says that this coordinator is at work.

        Raises:
            StateError: another one is, as of less than ten minutes ago.
        """
        held = self._study.user_attrs.get("coordinator")
        if held and not take_over and time_ms - held["time_ms"] < _LEASE_MS:
            other = Coordinator(held["host"], held["pid"])
            if other != self._who and not other.is_dead(seen_from=self._who.host):
                raise StateError(
                    f"the sweep {self._plan.name!r} is being run by process {other.pid} of {other.host}; "
                    "wait for it, or say --take-over if you know that it is dead."
                )
        self._study.set_user_attr("coordinator", {**asdict(self._who), "time_ms": time_ms})

    def release(self) -> None:
        """Says that this coordinator has ended, and closes the storage."""
        self._study.set_user_attr("coordinator", None)
        if hasattr(self._storage, "engine"):
            self._storage.remove_session()
            self._storage.engine.dispose()

    def generation(self) -> list[Trial]:
        """The runs of the next generation that have not ended, or of the one that a crash interrupted; none at the end.

        Generations begin at whole multiples of their size, so that one that was interrupted is completed, not moved.
        """
        from optuna.trial import Trial, TrialState

        trials = self._study.get_trials(deepcopy=False)
        running = [t for t in trials if t.state == TrialState.RUNNING]
        known = sum(t.state != TrialState.WAITING for t in trials)
        size = self._plan.generation
        index = running[0].number // size if running else known // size
        open_ = [Trial(self._study, t._trial_id) for t in running]  # noqa: SLF001 - the way to hold a trial again
        open_ += [self._ask() for _ in range(known, min((index + 1) * size, self.total))]
        return sorted(open_, key=lambda t: t.number)

    def report(self, trial: Trial, value: float, rung: int) -> None:
        """What a run reached on a rung."""
        if rung not in self._frozen(trial.number).intermediate_values:
            trial.report(value, rung)

    def passes(self, trial: Trial, rung: int) -> bool:
        """Whether a run does well enough on a rung, beside others, to go on; decided once."""
        decided = trial.user_attrs.get(f"rung {rung}")
        if decided is None:
            decided = "stops" if trial.should_prune() else "passes"
            trial.set_user_attr(f"rung {rung}", decided)
        return bool(decided == "passes")

    def stopped_at(self, trial: Trial) -> int | None:
        """The rung that a run was stopped on, None where it goes on."""
        rungs = range(len(self._plan.rungs))
        return next((i for i in rungs if trial.user_attrs.get(f"rung {i}") == "stops"), None)

    def tell(self, number: int, values: Sequence[float] | None, *, pruned: bool = False) -> None:
        """How a run ended: its objectives, or None where it failed."""
        from optuna.trial import TrialState

        if self._frozen(number).state.is_finished():
            return
        if pruned:
            self._study.tell(number, state=TrialState.PRUNED)
        elif values is None:
            self._study.tell(number, state=TrialState.FAIL)
        else:
            self._study.tell(number, list(values))

    def _frozen(self, number: int) -> FrozenTrial:
        return self._study.get_trials(deepcopy=False)[number]

    def _ask(self) -> Trial:
        from optuna.trial import TrialState

        trials = self._study.get_trials(deepcopy=False)
        waiting = any(t.state == TrialState.WAITING for t in trials)
        number = len(trials) - waiting
        self._study.sampler = _sampler(self._plan, number)
        if self._grid and not waiting:
            self._study.enqueue_trial(dict(self._grid[number]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of experimental arguments, which we chose knowingly
            return self._study.ask(dict(self._distributions))


def plan_identity(plan: Plan) -> str:
    """Hex sha256 over what decides which settings are tried; the number of runs may grow."""
    told = (
        plan.name, plan.data, plan.articles, plan.seed, plan.sampler, plan.generation, plan.objectives, plan.rungs,
        plan.pruner, sorted(plan.fixed.items()), plan.axes,
    )  # fmt: skip
    return hashlib.sha256(repr(told).encode()).hexdigest()


def chosen(trial: Trial) -> Mapping[str, Any]:
    """The settings that were proposed."""
    return dict(sorted(trial.params.items()))


def _open(plan: Plan, storage: BaseStorage) -> Study:
    import optuna

    logging.getLogger("optuna").setLevel(logging.ERROR)
    try:
        return optuna.create_study(
            study_name=plan.name,
            storage=storage,
            sampler=_sampler(plan, 0),
            pruner=_pruner(plan),
            directions=[o.direction for o in plan.objectives],
            load_if_exists=True,
        )
    except ValueError as error:
        raise UsageError(f"the sweep {plan.name!r} has other objectives already: {error}") from error
    except Exception as error:
        if not type(error).__module__.startswith(("optuna.", "sqlalchemy.", "psycopg")) and not isinstance(
            error, OSError
        ):
            raise
        raise OutsideError(f"the study's storage cannot be used: {error}", retry_helps=True) from error


def _storage(plan: Plan, folder: Path) -> BaseStorage:
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    if plan.storage:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                return RDBStorage(plan.storage, heartbeat_interval=60, grace_period=_LEASE_MS // 1000)
            except Exception as error:
                if type(error).__module__.startswith(("sqlalchemy.", "psycopg", "optuna.")):
                    raise OutsideError(f"the study's storage cannot be used: {error}", retry_helps=True) from error
                raise
    folder.mkdir(parents=True, exist_ok=True)
    return JournalStorage(JournalFileBackend(str(folder / "study.log")))


def _sampler(plan: Plan, number: int) -> Any:
    import optuna

    seed = int.from_bytes(hashlib.sha256(f"{plan.seed} {number}".encode()).digest()[:4], "big")
    if plan.sampler == "tpe":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # those of the same generation are imagined to do badly, so that ten proposals are not ten times one
            return optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    return optuna.samplers.RandomSampler(seed=seed)


def _pruner(plan: Plan) -> Any:
    import optuna

    if not plan.rungs:
        return optuna.pruners.NopPruner()
    return optuna.pruners.PercentilePruner(50.0 if plan.pruner == "median" else 100 / 3, n_startup_trials=5)


def _distribution(axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if axis.choices:
        return CategoricalDistribution(axis.choices)
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log, step=int(axis.step or 1))
    return FloatDistribution(axis.low, axis.high, log=axis.log, step=axis.step)
