"""The best models of a sweep are fitted again, which memory makes cheap, and kept; the others can be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from noria.build.experiments.manifest import read_manifest
from noria.build.experiments.sweeps.plan import Plan
from noria.build.experiments.sweeps.runners import Runner
from noria.build.experiments.trial import Outcome, Task
from noria.errors import StateError
from noria.records import DataVersion
from noria.records.experiments import ExperimentRun

if TYPE_CHECKING:
    from noria.build.experiments.sweeps.sweep import Desk
    from noria.stores import Stores


def keep_best(stores: Stores, plan: Plan, desk: Desk, runner: Runner) -> list[ExperimentRun]:
    """Keeps the bundles of the best runs by the first objective, best first.

    Raises:
        StateError: a model did not come out the same, so it is not the one that was measured.
    """
    first = plan.objectives[0]
    sign = 1 if first.direction == "maximize" else -1
    able = [r for r in desk.log.runs(plan.name) if r.state == "finished" and first.criterion in r.metrics]
    best = sorted(able, key=lambda r: (-sign * r.metrics[first.criterion], r.number))[: plan.keep_models]
    wanted = [r for r in best if not stores.blobs.has(r.bundle_sha256)]
    tasks = [task_of(read_manifest(stores.blobs, run)[0], with_bundle=True).to_json() for run in wanted]
    for place, result in runner.run(tasks):
        run = wanted[place]
        outcome = None if result is None else Outcome.from_bytes(result)
        if outcome is None or outcome.bundle_sha256 != run.bundle_sha256:
            why = outcome.reason if outcome and outcome.reason else "it came out otherwise than when it was measured"
            raise StateError(
                f"the model of {run.tag} cannot be kept: {why}. Look at it: noria experiments reproduce {run.tag}"
            )
    return best


def task_of(manifest: dict[str, Any], *, with_bundle: bool = False) -> Task:
    """The task that a manifest tells of."""
    data = manifest["data"]
    articles = data["articles"]
    return Task(
        tag=manifest["tag"],
        number=manifest["number"],
        examples=DataVersion(**data["examples"]),
        articles=None if articles is None else DataVersion(**articles),
        settings=manifest["settings"]["recipe"],
        encoder=manifest["settings"]["encoder_spec"],
        share=manifest["settings"]["share"],
        with_bundle=with_bundle,
    )
