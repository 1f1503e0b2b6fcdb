"""Several workers behind one port, as real processes under load: kills, rolling restarts, new releases, the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from tests.app.live_house import go_live, make_home
from tests.app.noria_process import noria, noria_json
from tests.house import examples, open_stores
from tests.stores.conftest import postgres_server as postgres_server  # noqa: PLC0414 - a fixture

from noria.records import Example
from noria.stores.journal import Journal

pytestmark = pytest.mark.slow


def until(holds: Callable[[], Any], seconds: float = 90) -> Any:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(httpx.HTTPError):
            if found := holds():
                return found
        time.sleep(0.05)
    raise AssertionError("it did not come true in time")


@contextlib.contextmanager
def process_set(home: Path, workers: int = 2, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """`noria deploy local up` on a free port, all its workers ready."""
    command = [sys.executable, "-u", "-m", "noria", "deploy", "local", "up", "--home", str(home), "--port", "0"]
    with (home / "set.log").open("a") as log:
        parent = subprocess.Popen(
            [*command, "--workers", str(workers)], stdout=log, stderr=log, text=True, env={**os.environ, **environ}
        )
    try:
        until(lambda: sum(w["state"] == "ready" for w in standing(home)["workers"]) == workers or parent.poll())
        assert parent.poll() is None, (home / "set.log").read_text()
        yield parent
    finally:
        if parent.poll() is None:
            parent.terminate()
            parent.wait(60)


def standing(home: Path) -> Any:
    """What `status` tells, asked in this process: many times over."""
    from noria.app.cli.context import plain
    from noria.app.deploying.standing import Standing

    now = Standing(home / "run").read()
    return {"workers": [], "address": ""} if now is None else plain(now)


@dataclass
class Load:
    """Clients that ask one after the other, each on a connection that it keeps; what failed is told, not retried.

    resend: a broken request is sent again with its id, as the API asks for.
    """

    url: str
    clients: int = 4
    resend: bool = False
    name: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    replies: list[tuple[int, str, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(self.clients)]
        for thread in self._threads:
            thread.start()
        until(lambda: len(self.replies) > 20)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _ask(self, client: int) -> None:
        turn = 0
        with httpx.Client(base_url=self.url, timeout=60) as http:
            while not self._stop.is_set():
                turn += 1
                body = {
                    "account": "acme",
                    "text": f"my vpn is down {client} {turn}",
                    "query_id": f"{self.name}-{client}-{turn}",
                }
                for attempt in range(2 if self.resend else 1):
                    try:
                        reply = http.post("/v1/ask", json=body)
                        said = reply.json()
                        self.replies.append((reply.status_code, said.get("release", ""), said.get("prediction_id", "")))
                        break
                    except httpx.HTTPError as error:
                        self.broken.append(repr(error))
                        if attempt == 1 or not self.resend:
                            self.failed.append(repr(error))


def turns_kept(home: Path, account: str, session: str) -> int:
    journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
    try:
        return len(journal.sessions.transcript(account, session))
    finally:
        journal.close()


def kept(home: Path) -> set[str]:
    journal = Journal.open(f"sqlite:///{home / 'journal.db'}")
    try:
        return {p.prediction_id for p in journal.predictions(0, 2**62)}
    finally:
        journal.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A home with a live release, to copy."""
    return make_home(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def home(made, tmp_path_factory) -> Path:
    return shutil.copytree(made, tmp_path_factory.mktemp("set") / "home")


@pytest.fixture(scope="module")
def running(home) -> Iterator[subprocess.Popen[str]]:
    """A set that several tests put under load; it outlives them all."""
    with process_set(home) as parent:
        yield parent
        assert parent.poll() is None


def test_a_rolling_restart_under_load_fails_no_request(home, running):
    before = {w["pid"] for w in standing(home)["workers"]}
    with Load(standing(home)["address"]) as load:
        noria("deploy", "local", "restart", home=home)
        told = len(load.replies)
        until(lambda: len(load.replies) > told + 20)
    after = {w["pid"] for w in standing(home)["workers"] if w["state"] != "leaving"}
    assert load.broken == []
    assert {status for status, _, _ in load.replies} == {200}
    assert len(after) == 2
    assert before.isdisjoint(after)
    assert {prediction for _, _, prediction in load.replies} <= kept(home)


def test_a_new_release_reaches_every_worker_under_load_and_no_request_fails(home, running):
    with Load(standing(home)["address"]) as load:
        stores = open_stores(home)
        made = go_live(stores, [*examples(), Example("x", "vpn gateway tunnel", "vpn", "train")], 2)
        stores.close()
        until(lambda: {w["release"] for w in standing(home)["workers"]} == {made})
        told = len(load.replies)
        until(lambda: len(load.replies) > told + 20)
    assert load.broken == []
    assert {status for status, _, _ in load.replies} == {200}
    assert load.replies[-1][1] == made


def test_a_killed_worker_is_replaced_and_what_is_sent_again_is_answered(home, running):
    """SIGKILL breaks the connections of that worker and no others; each is at most one request of a client."""
    with Load(standing(home)["address"], resend=True) as load:
        victim = until(lambda: [w for w in standing(home)["workers"] if w["state"] == "ready"])[0]["pid"]
        os.kill(victim, signal.SIGKILL)
        told = len(load.replies)
        until(lambda: len(load.replies) > told + 20)
        until(lambda: [w["state"] for w in standing(home)["workers"] if w["pid"] != victim] == ["ready"] * 2)
    assert load.failed == []
    assert len(load.broken) <= load.clients
    assert {status for status, _, _ in load.replies} == {200}
    assert {prediction for _, _, prediction in load.replies} <= kept(home)
    assert "SIGKILL" in (home / "set.log").read_text()


def test_tokens_of_one_worker_open_the_others(home, running):
    """Chats and signed-in people are met by any worker."""
    addresses = [w["address"] for w in until(lambda: ready(home, 2))]
    body = {"account": "acme", "requester": "ann"}
    opened = httpx.post(addresses[0] + "/v1/sessions", json=body, timeout=30).raise_for_status().json()
    token = opened["token"]
    question = {"account": "acme", "text": "my vpn is down"}
    reply = httpx.post(
        addresses[1] + "/v1/ask", json=question, headers={"Authorization": f"Bearer {token}"}, timeout=30
    )
    assert reply.status_code == 200
    assert turns_kept(home, "acme", opened["session"]) == 1


def ready(home: Path, workers: int) -> Any:
    found = [w for w in standing(home)["workers"] if w["state"] == "ready"]
    return found if len(found) == workers else None


@pytest.mark.real
def test_workers_share_a_journal_on_postgresql(made, tmp_path, postgres_server):
    """A worker is killed under load: what was acknowledged is in the database."""
    home = shutil.copytree(made, tmp_path / "home")
    url = postgres_server.replace("postgresql://", "postgresql+psycopg://")
    (home / "noria.toml").write_text(f'[stores]\njournal = "{url}"\n')
    journal = Journal.open(url)
    stores = open_stores(home)
    (live,) = stores.journal.releases()
    journal.record_release(kind="release", time_ms=1, release="r0001", candidate=live.candidate, evidence={})
    stores.close()
    with process_set(home), Load(standing(home)["address"], resend=True) as load:
        os.kill(ready(home, 2)[0]["pid"], signal.SIGKILL)
        until(lambda: ready(home, 2))
        told = len(load.replies)
        until(lambda: len(load.replies) > told + 20)
    acknowledged = {prediction for _, _, prediction in load.replies}
    found = {p.prediction_id for p in journal.predictions(0, 2**62)}
    journal.close()
    assert load.failed == []
    assert len(load.broken) <= load.clients
    assert acknowledged <= found


def test_the_end_of_the_set_loses_nothing_that_was_asked(made, tmp_path):
    home = shutil.copytree(made, tmp_path / "home")
    with process_set(home) as parent:
        assert noria_json("deploy", "local", "status", home=home)["running"]
        assert "runs already" in noria("deploy", "local", "up", "--port", "0", home=home, code=4)
        with Load(standing(home)["address"], clients=2) as load:
            parent.send_signal(signal.SIGTERM)
            until(lambda: load.failed)  # nobody listens any more
            assert parent.wait(60) == 0
    assert {status for status, _, _ in load.replies} == {200}
    refused = [error for error in load.failed if "ConnectError" in error]
    # a client whose connection waited to be taken when the last worker left
    assert len(load.failed) - len(refused) <= load.clients, set(load.failed)
    assert {prediction for _, _, prediction in load.replies} <= kept(home)
    assert not noria_json("deploy", "local", "status", home=home)["running"]
    assert "no process set" in noria("deploy", "local", "stop", home=home, code=4)


def test_workers_end_when_their_parent_is_killed(made, tmp_path):
    home = shutil.copytree(made, tmp_path / "home")
    with process_set(home, workers=1) as parent:
        pids = [w["pid"] for w in standing(home)["workers"]]
        parent.kill()
        parent.wait()
        until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() and alive(pid) for pid in pids))
        assert not noria_json("deploy", "local", "status", home=home)["running"]


def alive(pid: int) -> bool:
    """Whether it runs; a process that ended without a parent to hear of it may stay as a zombie."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_set_that_cannot_start_says_why_and_ends(made, tmp_path):
    home = shutil.copytree(made, tmp_path / "home")
    for blob in (home / "blobs").rglob("*"):
        if blob.is_file():
            blob.unlink()
    told = noria("deploy", "local", "up", "--port", "0", "--workers", "1", home=home, code=5)
    assert "ended 3 times before it answered" in told
    assert "blobs" in told or "bundle" in told
