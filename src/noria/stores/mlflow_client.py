"""MLflow's client as the tracker needs it: opened quietly, searched to the end, errors in Noria's words."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.errors import OutsideError, StateError, UsageError
from noria.records import DataVersion

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput
    from mlflow.tracking import MlflowClient

_DIGEST = 36  # MLflow's longest digest of a data set
_PAGE = 1000
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "GIT_PYTHON_REFRESH": "quiet",
    # a server that is down is told so in seconds: what it should hear waits on disk
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def sqlite_file(uri: str) -> Path | None:
    """The database file of a `sqlite:///` URL, None for any other URL."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def open_client(uri: str, artifact_root: Path) -> MlflowClient:
    """A client on the tracking database; builds its schema where there is none (about a second).

    The caller sees to it that only one process builds. Sets MLflow's environment variables against telemetry and
    chatter, which only works before its first import; what the user has set holds.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    from mlflow.tracking import MlflowClient

    file = sqlite_file(uri)
    if file is not None and not file.exists():
        _build(file, artifact_root)
    return MlflowClient(tracking_uri=uri)


def pages(search: Callable[..., Any], **what: Any) -> Iterator[Any]:
    """All results of one of MLflow's paged searches."""
    token = None
    while True:
        page = search(max_results=_PAGE, page_token=token, **what)
        yield from page
        token = page.token
        if not token:
            return


def dataset_inputs(data: Sequence[tuple[str, DataVersion, str]]) -> list[DatasetInput]:
    """MLflow's data sets for (context, version, uri); one that serves several contexts comes once, with all of them.

    MLflow drops a second mention of the same data set from a run, and its context with it.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    contexts: dict[tuple[str, str], list[str]] = {}
    datasets: dict[tuple[str, str], Dataset] = {}
    for context, version, uri in data:
        name, digest = f"{version.kind}/{version.name}", version.sha256[:_DIGEST]
        contexts.setdefault((name, digest), []).append(context)
        source = json.dumps({"path": uri, "delta_table_version": version.version})
        profile = json.dumps({"num_rows": version.rows})
        datasets[name, digest] = Dataset(name, digest, "delta_table", source, profile=profile)
    return [
        DatasetInput(dataset, [InputTag("mlflow.data.context", ", ".join(contexts[key]))])
        for key, dataset in datasets.items()
    ]


def log_batch(
    client: MlflowClient,
    run_id: str,
    *,
    params: Mapping[str, str],
    metrics: Mapping[str, float],
    tags: Mapping[str, str],
    time_ms: int,
) -> None:
    """Logs everything in one call: one by one is twenty times as slow. Metrics must be finite."""
    from mlflow.entities import Metric, Param, RunTag

    client.log_batch(
        run_id,
        [Metric(name, float(value), time_ms, 0) for name, value in metrics.items()],
        [Param(name, value) for name, value in params.items()],
        [RunTag(name, value) for name, value in tags.items()],
    )


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Turns errors of MLflow, its database and the disk into Noria's.

    Raises:
        StateError: the database belongs to another version of MLflow. UsageError: MLflow refuses a name or value.
        OutsideError: database or disk failed.
    """
    try:
        yield
    except OSError as error:
        raise OutsideError(f"the tracker {uri} cannot be used: {error}.", retry_helps=False) from error
    except Exception as error:
        if not type(error).__module__.startswith(("mlflow.", "sqlalchemy.", "alembic.")):
            raise
        text, code = str(error), getattr(error, "error_code", "")
        if "database schema" in text or "Can't locate revision" in text:
            raise StateError(
                f"the tracker {uri} was made by another version of MLflow; back it up, "
                f"then run 'mlflow db upgrade {uri}'."
            ) from error
        if code == "INVALID_PARAMETER_VALUE":
            raise UsageError(f"MLflow refuses this: {text}") from error
        busy = code == "TEMPORARILY_UNAVAILABLE"
        raise OutsideError(f"the tracker {uri} failed: {text}", retry_helps=busy) from error


def _build(file: Path, artifact_root: Path) -> None:
    """Builds the schema beside the database, then moves it there: a crash amid the migrations leaves no half of it."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    part = file.with_name(f".{file.name}.part")
    part.unlink(missing_ok=True)
    part.parent.mkdir(parents=True, exist_ok=True)
    # MLflow keeps engines by URL for good; nobody is to meet this one again when its file has moved.
    uri = f"sqlite:///{part}"
    try:
        SqlAlchemyStore(uri, artifact_root.as_uri()).engine.dispose()  # type: ignore[no-untyped-call]
    finally:
        SqlAlchemyStore._engine_map.pop(uri, None)  # noqa: SLF001
    part.replace(file)
