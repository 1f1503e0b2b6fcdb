"""The tracker: experiments in MLflow on SQLite, in process; one run per tag, candidates as artefacts of their runs."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.errors import NotFound, StateError, UsageError
from noria.records import Candidate, DataVersion
from noria.stores.mlflow_client import dataset_inputs, log_batch, open_client, pages, sqlite_file, translated
from noria.stores.objects.local import write_file
from noria.stores.tracking.allowed import TAG, check_run, tags_of

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

_CANDIDATE = "candidate.json"


class Tracker:
    """Experiments and candidates, kept where MLflow's own pages and the tools around it can read them.

    MLflow is loaded, and its schema built, at the first use that needs it; to look into a home without experiments
    needs neither.

    Args:
        uri: SQLAlchemy URL of the tracking database, e.g. `sqlite:////home/of/noria/tracker.db`.
        artifact_root: folder of the artefacts: `<artifact_root>/<run_id>/artifacts/<name>`.
    """

    def __init__(self, uri: str, artifact_root: str | Path) -> None:
        self._uri = uri
        self._root = Path(artifact_root).absolute()

    def record(
        self,
        *,
        experiment: str,
        tag: str,
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        data: Sequence[tuple[str, DataVersion, str]],
        artifacts: Mapping[str, bytes],
        time_ms: int,
        notes: Mapping[str, str] | None = None,
        candidate: Callable[[str], Candidate] | None = None,
    ) -> str:
        """Records a finished run; it is found by its tag only once all of it is kept.

        Args:
            experiment: the MLflow experiment; made where it is missing.
            tag: unique over all experiments; letters, digits, `.`, `_`, `-`, at most 200.
            params: settings; values of at most 6,000 characters.
            metrics: what was measured; those that are not finite are named in the tag `noria.not_finite` instead.
            data: (context, version, uri) of each table used; contexts are unique, the uri says where the table lies.
            artifacts: plain file name → content.
            time_ms: UTC milliseconds, start and end of the run.
            notes: further tags of the run, by which MLflow finds it too.
            candidate: run id → the run's candidate, kept with it (see `put_candidate`).

        Returns:
            MLflow's run id.

        Raises:
            UsageError: the tag is taken, or a name or value is not allowed.
            StateError: the database belongs to another version of MLflow.
            OutsideError: it cannot be written.
        """
        check_run(tag, params, data, artifacts, reserved=_CANDIDATE)
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        tags = tags_of(tag, data, {name: value for name, value in metrics.items() if name not in finite})
        tags |= {name: value for name, value in (notes or {}).items() if value}
        with translated(self._uri), self._lock("record"):
            if self._find(tag) is not None:
                raise UsageError(f"the tag {tag!r} is taken; choose another one.")
            run = self._client.create_run(self._experiment_id(experiment), start_time=time_ms, run_name=tag)
            run_id = str(run.info.run_id)
            try:
                if candidate is not None:
                    content = _content(candidate(run_id))
                    write_file(self._path(run_id, _CANDIDATE), content)
                    tags["noria.candidate"] = hashlib.sha256(content).hexdigest()
                for name, content in artifacts.items():
                    write_file(self._path(run_id, name), content)
                self._client.log_inputs(run_id, datasets=dataset_inputs(data))
                log_batch(self._client, run_id, params=params, metrics=finite, tags=tags, time_ms=time_ms)
            except BaseException:
                self._client.set_terminated(run_id, "FAILED", end_time=time_ms)
                raise
            self._client.set_terminated(run_id, "FINISHED", end_time=time_ms)
            return run_id

    def put_candidate(self, candidate: Candidate) -> None:
        """Keeps a candidate with its run; keeping the same one again changes nothing.

        Raises:
            NotFound: there is no run of that tag.
            UsageError: the run has another id, or holds another candidate.
        """
        content = _content(candidate)
        sha256 = hashlib.sha256(content).hexdigest()
        with translated(self._uri), self._lock("record"):
            run = self._find(candidate.tag)
            if run is None:
                raise NotFound("run", candidate.tag, self.tags(), "Record it before its candidate.")
            if run.info.run_id != candidate.run_id:
                raise UsageError(f"{candidate.tag!r} is the tag of run {run.info.run_id}, not of {candidate.run_id}.")
            if run.data.tags.get("noria.candidate", sha256) != sha256:
                raise UsageError(f"{candidate.tag!r} has another candidate already; record a new run for this one.")
            write_file(self._path(candidate.run_id, _CANDIDATE), content)
            # Last, since the tag is what makes it found.
            self._client.set_tag(candidate.run_id, "noria.candidate", sha256)

    def candidate(self, tag: str) -> Candidate:
        """The candidate of a tag.

        Raises:
            NotFound: no such candidate. StateError: its file is missing or was changed.
        """
        with translated(self._uri):
            run = self._find(tag)
            if run is None or "noria.candidate" not in run.data.tags:
                known = [r.data.tags["noria.tag"] for r in self._with("noria.candidate")]
                raise NotFound("candidate", tag, known, "'noria train' makes one.")
            return self._candidate_of(run)

    def noted(self, key: str, value: str) -> Candidate | None:
        """The candidate whose run has a note of that value (letters, digits, `.`, `_`, `-`, `:`); None without one."""
        if not re.fullmatch(r"[\w.:-]{1,200}", value, re.ASCII):
            return None
        with translated(self._uri):
            found = self._search(f"tags.`{key}` = '{value}'", list(self._experiments().values()))
            runs = [run for run in found if "noria.candidate" in run.data.tags]
            return self._candidate_of(runs[0]) if runs else None

    def candidates(self) -> list[Candidate]:
        """All candidates, newest first."""
        with translated(self._uri):
            found = [self._candidate_of(run) for run in self._with("noria.candidate")]
        return sorted(found, key=lambda c: (c.created_ms, c.tag), reverse=True)

    def register(self, model: str, tag: str, alias: str, bundle_sha256: str) -> int:
        """Makes the bundle of a run a version of a registered model, and lets the alias point to it.

        A run's bundle is registered once; the alias moves. Returns the version.

        Raises:
            NotFound: no run of that tag.
        """
        from mlflow.exceptions import MlflowException

        with translated(self._uri), self._lock("record"):
            run = self._find(tag)
            if run is None:
                raise NotFound("run", tag, self.tags(), "Deliver it first.")
            try:
                self._client.create_registered_model(model)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            known = self._client.search_model_versions(f"name = '{model}' AND run_id = '{run.info.run_id}'")
            if known:
                version = int(known[0].version)
            else:
                source = self._path(run.info.run_id, "").as_uri()
                tags = {"noria.tag": tag, "noria.bundle": bundle_sha256}
                version = int(self._client.create_model_version(model, source, run.info.run_id, tags=tags).version)
            self._client.set_registered_model_alias(model, alias, str(version))
            return version

    def registered(self, model: str, alias: str) -> str | None:
        """The tag of the run that an alias of a registered model points to; None where it points nowhere."""
        from mlflow.exceptions import MlflowException

        with translated(self._uri):
            try:
                version = self._client.get_model_version_by_alias(model, alias)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
            return str(version.tags["noria.tag"])

    def has(self, tag: str) -> bool:
        """Whether there is a finished run of that tag."""
        with translated(self._uri):
            return self._find(tag) is not None

    def tags(self) -> list[str]:
        """The tags that are taken, in order."""
        with translated(self._uri):
            return sorted(run.data.tags["noria.tag"] for run in self._with("noria.tag"))

    def runs(self, experiment: str) -> list[Mapping[str, object]]:
        """The runs of an experiment, newest first.

        Each has tag, run_id, time_ms, metrics, params, and not_finite: which metrics were NaN or infinite (text).

        Raises:
            NotFound: no such experiment.
        """
        with translated(self._uri):
            known = self._experiments()
            if experiment not in known:
                raise NotFound("experiment", experiment, known)
            found = self._search("tags.`noria.tag` LIKE '%'", [known[experiment]])
        found.sort(key=lambda run: (run.info.end_time, run.data.tags["noria.tag"]), reverse=True)
        return [
            {
                "tag": run.data.tags["noria.tag"],
                "run_id": run.info.run_id,
                "time_ms": run.info.end_time,
                "metrics": dict(run.data.metrics),
                "params": dict(run.data.params),
                "not_finite": run.data.tags.get("noria.not_finite", ""),
            }
            for run in found
        ]

    # Inside; the callers hold `translated`.

    @cached_property
    def _client(self) -> MlflowClient:
        with self._lock("open"):
            return open_client(self._uri, self._root)

    def _experiments(self) -> dict[str, str]:
        """Name → id; empty, without a look at MLflow, where there is no database yet."""
        file = sqlite_file(self._uri)
        if file is not None and not file.exists():
            return {}
        return {e.name: str(e.experiment_id) for e in pages(self._client.search_experiments)}

    def _experiment_id(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=self._root.as_uri()))

    def _search(self, condition: str, experiment_ids: Sequence[str]) -> list[Run]:
        """Finished runs only: one that broke off in the middle must not be taken for a whole one."""
        if not experiment_ids:
            return []
        where = f"attributes.status = 'FINISHED' AND {condition}"
        return list(pages(self._client.search_runs, experiment_ids=list(experiment_ids), filter_string=where))

    def _with(self, key: str) -> list[Run]:
        return self._search(f"tags.`{key}` LIKE '%'", list(self._experiments().values()))

    def _find(self, tag: str) -> Run | None:
        if not TAG.fullmatch(tag):
            return None
        return next(iter(self._search(f"tags.`noria.tag` = '{tag}'", list(self._experiments().values()))), None)

    def _path(self, run_id: str, name: str) -> Path:
        """Where an artefact lies: as the run's `artifact_uri` says, and still so after the home has moved."""
        return self._root / run_id / "artifacts" / name

    def _candidate_of(self, run: Run) -> Candidate:
        path = self._path(run.info.run_id, _CANDIDATE)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise StateError(f"{path} cannot be read ({error.strerror}); restore it from a backup.") from error
        if hashlib.sha256(content).hexdigest() != run.data.tags["noria.candidate"]:
            raise StateError(f"{path} was changed after it was written and is not used; restore it from a backup.")
        return _candidate(json.loads(content))

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """One at a time over threads and processes: MLflow has nothing that keeps a tag unique."""
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / f".{name}.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _content(candidate: Candidate) -> bytes:
    return json.dumps(asdict(candidate), sort_keys=True, indent=1).encode() + b"\n"


def _candidate(values: Mapping[str, Any]) -> Candidate:
    articles = values["articles"]
    versions = {
        "examples": DataVersion(**values["examples"]),
        "articles": None if articles is None else DataVersion(**articles),
    }
    return Candidate(**{**values, **versions})
