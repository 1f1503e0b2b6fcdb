"""Durable jobs: what each step gave back is kept in a database, by DBOS. No other module knows of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url

from noria.errors import OutsideError, StateError
from noria.loop.turn import VERSION, Run, Step

if TYPE_CHECKING:
    from dbos import StepOptions

Work = Callable[[int, str, Run], None]
"""What a job does: its time (UTC milliseconds), its id, and how it runs its steps."""

SCHEMA = "noria_worker"
_APP = f"turn-{VERSION}"
_ATTEMPTS = 3
_log = logging.getLogger("noria.worker")


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job stands: `status` is running, done or failed; `steps` are those that are done; times in UTC ms."""

    job_id: str
    kind: str
    status: str
    began_ms: int
    changed_ms: int
    steps: tuple[str, ...]
    error: str = ""


class Durable:
    """Jobs by kind, whose steps run once: a job that was killed goes on after the last step that was kept.

    Only one process may have it open (see `Holding`): a second one would take up the jobs that the first still runs.

    Args:
        url: SQLAlchemy URL of the database that keeps the steps, SQLite or PostgreSQL.
        kinds: kind → what it does.
        fence: called before each step; does not return where another process has taken over.
    """

    def __init__(self, url: str, kinds: Mapping[str, Work], fence: Callable[[], None]) -> None:
        from dbos import DBOS, DBOSPortableJSONSerializer

        logging.getLogger("dbos").setLevel(logging.WARNING)
        self._fence = fence
        DBOS(
            config={
                "name": "noria",
                "system_database_url": _address(url),
                "dbos_system_schema": SCHEMA,
                # one process at a time holds the lease, so all may go by one name: the next takes up what is left
                "executor_id": "noria",
                "application_version": _APP,
                # not the default, which is pickle
                "serializer": DBOSPortableJSONSerializer(),
                "log_level": "WARNING",
                "enable_otlp": False,
            }
        )
        self._kinds = {kind: self._workflow(kind, work) for kind, work in kinds.items()}
        self._dbos = DBOS

    def launch(self) -> list[str]:
        """Opens the database and lets every job that was killed go on; returns what went wrong with any of them.

        A job that was begun under other steps is given up: its steps do nothing twice, so that the next of its kind
        does what it left.
        """
        from dbos import error as dbos_error
        from sqlalchemy.exc import SQLAlchemyError

        try:
            self._dbos.launch()
        except (dbos_error.DBOSException, SQLAlchemyError) as error:
            raise OutsideError(f"the worker's database cannot be opened: {error}", retry_helps=True) from error
        wrong = []
        for left in self._dbos.list_workflows(status=["PENDING", "ENQUEUED"]):
            if left.app_version != _APP:
                self._dbos.cancel_workflow(left.workflow_id)
                wrong.append(f"{left.workflow_id} was begun by another version of Noria and is given up")
                continue
            _log.info("%s goes on where it was interrupted", left.workflow_id)
            try:
                self._dbos.retrieve_workflow(left.workflow_id).get_result()
            except Exception as error:  # noqa: BLE001 - whatever a job failed of, the worker goes on
                wrong.append(f"{left.workflow_id} failed: {error}")
        return wrong

    def run(self, kind: str, job_id: str, now_ms: int) -> None:
        """Runs a job to its end; one of an id that is done already does nothing.

        Raises:
            whatever the job raises.
        """
        from dbos import SetWorkflowID

        if self._dbos.get_workflow_status(job_id) is not None:
            self._dbos.retrieve_workflow(job_id).get_result()
            return
        with SetWorkflowID(job_id):
            self._kinds[kind](now_ms)

    def known(self, kind: str) -> int | None:
        """When the last job of a kind began, by its own time (UTC milliseconds); None before the first."""
        found = self._dbos.list_workflows(name=kind, limit=1, sort_desc=True)
        return int(found[0].input["args"][0]) if found and found[0].input else None

    def forget(self, before_ms: int) -> int:
        """Deletes jobs that ended before a time; returns how many."""
        from datetime import UTC, datetime

        until = datetime.fromtimestamp(before_ms / 1000, UTC).isoformat()
        old = self._dbos.list_workflows(status=["SUCCESS", "ERROR", "CANCELLED"], end_time=until, limit=1000)
        self._dbos.delete_workflows([one.workflow_id for one in old])
        return len(old)

    def close(self) -> None:
        """Closes the database; jobs that run are left as they are."""
        self._dbos.destroy(destroy_registry=True)

    def _workflow(self, kind: str, work: Work) -> Callable[[int], None]:
        from dbos import DBOS

        def job(now_ms: int) -> None:
            if DBOS.workflow_id is None:
                raise StateError("a job runs only under its id.")
            work(now_ms, DBOS.workflow_id, self._step)

        job.__qualname__ = job.__name__ = kind
        made: Callable[[int], None] = DBOS.workflow(name=kind)(job)
        return made

    def _step(self, name: str, step: Step) -> Mapping[str, Any]:
        from dbos import DBOS

        def fenced() -> Mapping[str, Any]:
            self._fence()
            return step()

        options: StepOptions = {
            "name": name,
            "retries_allowed": True,
            "max_attempts": _ATTEMPTS,
            "should_retry": _worth_it,
        }
        return DBOS.run_step(options, fenced)


def latest_jobs(url: str, limit: int = 20) -> list[JobState]:
    """The latest jobs, newest first, whoever runs them; empty where no worker ever ran.

    Raises:
        OutsideError: the database cannot be read.
    """
    from dbos import DBOSClient, DBOSPortableJSONSerializer
    from dbos import error as dbos_error
    from sqlalchemy.exc import SQLAlchemyError

    path = make_url(url)
    if path.get_backend_name() == "sqlite" and not Path(path.database or "").exists():
        return []
    try:
        client = DBOSClient(
            system_database_url=_address(url), dbos_system_schema=SCHEMA, serializer=DBOSPortableJSONSerializer()
        )
        try:
            found = client.list_workflows(limit=limit, sort_desc=True)
            return [_state(one, client.list_workflow_steps(one.workflow_id)) for one in found]
        finally:
            client.destroy()
    except (dbos_error.DBOSException, SQLAlchemyError) as error:
        raise OutsideError(f"the worker's database cannot be read: {error}", retry_helps=True) from error


def _state(one: Any, steps: Sequence[Any]) -> JobState:
    done = tuple(step["function_name"] for step in steps if not step["error"])
    status = {"SUCCESS": "done", "PENDING": "running", "ENQUEUED": "running"}.get(one.status, "failed")
    return JobState(
        one.workflow_id, one.name, status, one.created_at, one.updated_at, done, str(one.error) if one.error else ""
    )


def _worth_it(error: BaseException) -> bool:
    return isinstance(error, OutsideError) and error.retry_helps


def _address(url: str) -> str:
    """The URL as DBOS wants it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
