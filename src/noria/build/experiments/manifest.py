"""The manifest of a run: one file that ties code, environment, data, settings, results and model together."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

from noria.build.experiments.measuring import is_deterministic
from noria.build.experiments.trial import Outcome, Task
from noria.errors import StateError
from noria.records.experiments import ExperimentRun
from noria.stores.blobs import Blobs
from noria.stores.tracking.source import Source

FORMAT = 1
MANIFEST, PREDICTIONS, SOURCE, DIFF = "manifest.json", "predictions.json.gz", "source.tar", "diff.patch"

Manifest = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Code:
    """The code of a sweep: facts for its manifests. `archive`: address of the source in the blobs."""

    version: str
    sha256: str
    commit: str
    diff_sha256: str
    lock_sha256: str
    archive: str


def keep_code(blobs: Blobs, source: Source, version: str) -> Code:
    """Archives the source, once for each content.

    Raises:
        OutsideError: the disk refuses.
    """
    files = {SOURCE: source.archive}
    if source.diff:
        files[DIFF] = source.diff.encode()
    diff = hashlib.sha256(source.diff.encode()).hexdigest() if source.diff else ""
    return Code(version, source.sha256, source.commit, diff, source.lock_sha256, blobs.put(files))


def manifest_of(task: Task, outcome: Outcome, code: Code, *, experiment: str, time_ms: int) -> dict[str, Any]:
    """The manifest of a finished run."""
    facts = dict(outcome.facts)
    return {
        "format": FORMAT,
        "tag": task.tag,
        "experiment": experiment,
        "number": task.number,
        "time_ms": time_ms,
        "environment": facts.pop("environment"),
        "data": {
            "examples": asdict(task.examples),
            "articles": None if task.articles is None else asdict(task.articles),
            "learnt_rows": facts["learnt_rows"],
            "scored_rows": facts["scored_rows"],
            "scored_sha256": facts["scored_sha256"],
        },
        "code": asdict(code),
        "settings": {
            "recipe": facts["recipe"],
            "encoder": facts["encoder"],
            "encoder_spec": task.encoder,
            "share": facts["share"],
        },
        "results": {
            "predictions_sha256": outcome.predictions_sha256,
            "bundle_sha256": outcome.bundle_sha256,
            "criteria": {k: v for k, v in sorted(outcome.metrics.items()) if is_deterministic(k)},
        },
    }


def to_bytes(manifest: Manifest) -> bytes:
    """Canonical: the same manifest is the same bytes."""
    return json.dumps(manifest, sort_keys=True, indent=1).encode() + b"\n"


def keep_run(
    blobs: Blobs, task: Task, outcome: Outcome, code: Code, *, experiment: str, state: str, time_ms: int
) -> ExperimentRun:
    """Keeps manifest and predictions; returns the run for the log.

    Raises:
        OutsideError: the disk refuses.
    """
    facts: dict[str, Any] = {
        "tag": task.tag, "experiment": experiment, "number": task.number, "time_ms": time_ms,
        "data": f"examples/{task.examples.ref}", "metrics": outcome.metrics, "settings": task.settings,
    }  # fmt: skip
    if outcome.reason:
        return ExperimentRun(**facts, state="failed", reason=outcome.reason)
    manifest = to_bytes(manifest_of(task, outcome, code, experiment=experiment, time_ms=time_ms))
    record = blobs.put({MANIFEST: manifest, PREDICTIONS: outcome.predictions})
    facts["settings"] = outcome.facts["recipe"]
    return ExperimentRun(
        **facts,
        state=cast("Any", state),
        record=record,
        manifest_sha256=hashlib.sha256(manifest).hexdigest(),
        bundle_sha256=outcome.bundle_sha256,
    )


def read_manifest(blobs: Blobs, run: ExperimentRun) -> tuple[dict[str, Any], bytes]:
    """(manifest, predictions as kept) of a run, verified by its hash.

    Raises:
        StateError: the run has none (it failed), or its files are missing or changed.
    """
    if not run.record:
        raise StateError(f"the run {run.tag} {run.state}, so there is nothing to repeat: {run.reason}")
    files = blobs.get(run.record)
    if hashlib.sha256(files.get(MANIFEST, b"")).hexdigest() != run.manifest_sha256:
        raise StateError(f"the manifest of {run.tag} is not the one that was written; restore the blobs from a backup.")
    manifest: dict[str, Any] = json.loads(files[MANIFEST])
    if manifest.get("format") != FORMAT:
        raise StateError(f"the manifest of {run.tag} has format {manifest.get('format')}, this Noria reads {FORMAT}.")
    return manifest, files[PREDICTIONS]
