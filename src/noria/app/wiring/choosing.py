"""Brings the runs of a home, and what they do on fresh rows, before a choice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from noria.app.home import Home
from noria.app.wiring.encoders import load_encoder
from noria.app.wiring.experiments import run_log, tools_of
from noria.errors import NotFound, StateError, UsageError

if TYPE_CHECKING:
    from noria.agent import Agent
    from noria.records import Example
    from noria.release.choice import ChoicePolicy, Run
    from noria.stores import Stores

PERTURBED_ROWS = 200
"""Fresh rows that are asked again with changed texts, where the policy asks for robustness."""


def runs_to_choose(
    home: Home, stores: Stores, experiments: Collection[str], policy: ChoicePolicy, data: str | None
) -> list[Run]:
    """The finished runs of experiments (none named = all), with the criteria that the policy asks for.

    Raises:
        NotFound: no such experiment. UsageError: the runs were measured on different data, of which one must be named.
    """
    from noria.build.experiments.manifest import read_manifest
    from noria.release.choice import Run

    log = run_log(home)
    known = log.experiments()
    for name in experiments:
        if name not in known:
            raise NotFound("experiment", name, known, "'noria experiments list' shows all.")
    wanted = [lim.criterion for lim in policy.limits] + [o.criterion for o in policy.objectives] + list(policy.ties)
    table = log.table(["tag", "experiment", "state", "data", *wanted])
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    rows = [r for r in rows if r["state"] == "finished" and (not experiments or r["experiment"] in experiments)]
    if data is not None:
        rows = [r for r in rows if data in (r["data"], r["data"].removeprefix("examples/"))]
    measured_on = sorted({r["data"] for r in rows})
    if len(measured_on) > 1:
        raise UsageError(
            f"the runs were measured on different data ({', '.join(measured_on[:5])}), so their figures cannot be "
            "compared; name one with --data, or an experiment."
        )
    size = int(read_manifest(stores.blobs, log.get(rows[0]["tag"]))[0]["data"]["scored_rows"]) if rows else 0
    return [
        Run(r["tag"], {name: r[name] for name in wanted if r[name] is not None}, rows=size) for r in rows
    ]  # fmt: skip


def with_fresh(
    home: Home,
    stores: Stores,
    runs: Sequence[Run],
    tags: Collection[str],
    rows: Sequence[Example],
    policy: ChoicePolicy,
    tell: Callable[[str], None],
) -> list[Run]:
    """The same runs; those of the tags measured on fresh rows as well. A model that was not kept is fitted again."""
    from noria.build.observing import observe
    from noria.stats.criteria import measure

    wanted = {lim.criterion for lim in policy.limits} | {o.criterion for o in policy.objectives}
    found = []
    for run in runs:
        if run.tag not in tags:
            found.append(run)
            continue
        tell(f"{run.tag}: measuring on {len(rows)} fresh rows")
        agent = _agent_of(home, stores, run.tag)
        asked = min(len(rows), PERTURBED_ROWS) if any(name.startswith("robustness.") for name in wanted) else 0
        observed = observe(
            agent, rows, trained=_learnt(home, stores, run.tag), clock=tools_of(str(home.path)).clock, robustness=asked
        )
        fresh = measure(observed, wanted)
        # Time and size hang on no rows: what the run says of them stays.
        own = {k: v for k, v in run.criteria.items() if k in wanted and k.startswith("efficiency.")}
        found.append(dataclasses.replace(run, fresh=dataclasses.replace(fresh, values={**own, **fresh.values})))
    return found


def _learnt(home: Home, stores: Stores, tag: str) -> list[Example]:
    from noria.build.experiments.trial import divided

    at = stores.lake.resolve("examples", run_log(home).get(tag).data.removeprefix("examples/"))
    return divided(stores.lake.examples(at.name, at.version)[1])[0]


def _agent_of(home: Home, stores: Stores, tag: str) -> Agent:
    """The model of a run, from the blobs or fitted again to the same bundle.

    Raises:
        StateError: fitted again it comes out otherwise.
    """
    from noria.agent import unpack
    from noria.build.experiments.manifest import read_manifest
    from noria.build.experiments.sweeps.best import task_of
    from noria.build.experiments.trial import run_trial

    run = run_log(home).get(tag)
    if not stores.blobs.has(run.bundle_sha256):
        task = task_of(read_manifest(stores.blobs, run)[0], with_bundle=True)
        outcome = run_trial(task, tools_of(str(home.path)))
        if outcome.bundle_sha256 != run.bundle_sha256:
            why = outcome.reason or "it came out otherwise than when it was measured"
            raise StateError(f"the model of {tag} cannot be had: {why}. See: noria experiments reproduce {tag}")
    return unpack(stores.blobs.get(run.bundle_sha256), load_encoder)
