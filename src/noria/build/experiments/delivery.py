"""Tells the tracking server of runs that are kept already; what it cannot hear now it hears later."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from noria.build.experiments.manifest import MANIFEST
from noria.errors import OutsideError
from noria.records import DataVersion
from noria.records.experiments import ExperimentRun
from noria.stores.tracking.runs import RunLog

if TYPE_CHECKING:
    from noria.stores import Stores


def deliver(stores: Stores, log: RunLog, runs: Sequence[ExperimentRun] | None = None) -> tuple[int, str]:
    """(how many runs were delivered, why the rest was not: "" where there is no rest).

    Delivering again is harmless: a tag that the server has is not recorded twice.
    """
    done: list[str] = []
    why = ""
    try:
        for run in log.undelivered() if runs is None else runs:
            if not stores.tracker.has(run.tag):
                _record(stores, run)
            done.append(run.tag)
    except OutsideError as error:
        why = str(error)
    finally:
        if done:
            log.mark_delivered(done)
    return len(done), why


def _record(stores: Stores, run: ExperimentRun) -> None:
    files = {k: v for k, v in stores.blobs.get(run.record).items() if k == MANIFEST} if run.record else {}
    manifest: dict[str, Any] = json.loads(files[MANIFEST]) if files else {}
    data = []
    for context, kind in (("train", "examples"), ("articles", "articles")):
        version = manifest.get("data", {}).get(kind)
        if version:
            data.append((context, DataVersion(**version), f"{kind}/{version['name']}"))
    params = {k: json.dumps(v) for k, v in run.settings.items()}
    if manifest:
        params |= {f"code.{k}": str(v) for k, v in manifest["code"].items() if v}
    stores.tracker.record(
        experiment=run.experiment,
        tag=run.tag,
        params=params,
        metrics=dict(run.metrics),
        data=data,
        artifacts=files or {"failed.txt": run.reason.encode()},
        time_ms=run.time_ms,
        notes={
            "noria.state": run.state,
            "noria.manifest": run.manifest_sha256,
            "noria.record": run.record,
            "noria.bundle": run.bundle_sha256,
        },
    )
