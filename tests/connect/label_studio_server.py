"""A real Label Studio for tests: one server a session, and people who answer through its API."""

from __future__ import annotations

import os
import socket
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from noria.app.label_studio.environment import environment_folder, is_installed
from noria.app.label_studio.server import OwnServer, Running
from noria.connect.label_studio import LabelStudioClient

ROOT = Path(__file__).resolve().parents[2]
REQUIRED = bool(os.environ.get("NORIA_REQUIRE_LABEL_STUDIO"))
NOT_THERE = "no Label Studio: `make real` installs it"


def installed() -> Path:
    """Where it is installed; a test without it is skipped, or fails where it is required."""
    for folder in (ROOT / ".real" / "label-studio", environment_folder(os.environ)):
        if is_installed(folder):
            return folder
    if REQUIRED:
        pytest.fail(f"{NOT_THERE} (NORIA_REQUIRE_LABEL_STUDIO is set)", pytrace=False)
    pytest.skip(NOT_THERE)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class RealServer:
    """A started server, its client, and hands to do there what people do."""

    def __init__(self, folder: Path) -> None:
        self.own = OwnServer(folder, installed())
        self.running: Running = self.own.up(free_port(), lambda said: None)
        self.client = LabelStudioClient(self.running.url, self.token)
        self._people: dict[str, int] = {}

    @property
    def token(self) -> str:
        return self.own.token() or ""

    def call(self, method: str, path: str, **more):
        return self.client.call(method, path, **more)

    def kill(self) -> None:
        """SIGKILL, as when the machine loses power."""
        os.killpg(self.running.pid, 9)
        self.own.down()

    def start_again(self) -> None:
        """On the same port, so that addresses stay true."""
        self.running = self.own.up(self.running.port, lambda said: None)

    def person(self, name: str) -> int:
        """The number of a user; made when first asked for."""
        if name not in self._people:
            body = {"email": f"{name}@example.com", "username": name}
            known = {user["username"]: user["id"] for user in self.call("GET", "/api/users/")}
            self._people[name] = known.get(name) or self.call("POST", "/api/users/", body=body)["id"]
        return self._people[name]

    def row(self, project: int, task_id: str) -> dict:
        """The task on Label Studio that stands for ours."""
        filters = [("data.task_id", "equal", "String", task_id)]
        (row,) = self.client.tasks(project, filters, fields="all")
        return row

    def annotate(self, row_id: int, result: list[dict], name: str = "ann", **more) -> int:
        """An answer as its page sends it; nothing is checked."""
        body = {"result": result, "completed_by": self.person(name), "lead_time": 3, **more}
        return self.call("POST", f"/api/tasks/{row_id}/annotations/", body=body)["id"]

    def set_time(self, annotation: int, time_ms: int) -> None:
        """Moves an answer to another time, in the server's own database: its API knows only the present."""
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
        with closing(sqlite3.connect(self.own.folder / "label_studio.sqlite3", timeout=30)) as database, database:
            stamp = moment.strftime("%Y-%m-%d %H:%M:%S.%f")
            changed = database.execute("UPDATE task_completion SET updated_at = ? WHERE id = ?", (stamp, annotation))
            assert changed.rowcount == 1

    def stop(self) -> None:
        self.client.close()
        self.own.down()


def choice(name: str, *values: str) -> dict:
    to = "answer" if name == "helpful" else "query"
    return {"from_name": name, "to_name": to, "type": "choices", "value": {"choices": list(values)}}


def words(name: str, value: str) -> dict:
    return {"from_name": name, "to_name": "query", "type": "textarea", "value": {"text": [value]}}


def as_said(relevance, intent=None, article_ids=(), helpful=None, note="") -> list[dict]:
    """The fields of a label as answers to the questions."""
    result = [choice("relevance", relevance)]
    if intent:
        result.append(choice("intent", intent) if relevance == "in_scope" else words("domain", intent))
    if article_ids:
        result.append(choice("articles", *article_ids))
    result.append(choice("helpful", {True: "yes", False: "no", None: "cannot_tell"}[helpful]))
    if note:
        result.append(words("note", note))
    return result


def reachable(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
