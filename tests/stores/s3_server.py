"""S3 servers in processes of their own, and a proxy before them that fails on purpose."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

_MOTO = """
import sys, time
from moto.server import ThreadedMotoServer
import logging; logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


WEED = Path(__file__).parents[2] / ".real" / "seaweedfs" / "bin" / "weed"
NO_WEED = "no SeaweedFS in .real/seaweedfs (`make real` brings it)"


@contextlib.contextmanager
def seaweedfs(folder: Path) -> Iterator[int]:
    """The port of SeaweedFS, an S3-compatible store that keeps objects on disks; it listens on this machine alone."""
    names = ("master", "volume", "filer", "s3")
    ports = free_ports(2 * len(names))
    keys = {"accessKey": "AKIATESTTESTTEST", "secretKey": "quite-secret-value"}
    identity = {"name": "test", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    command = [str(WEED), "server", "-dir", str(folder), "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-filer", "-s3"]
    command += [
        "-s3.config",
        str(folder / "s3.json"),
        "-master.telemetry=false",
        "-volume.max",
        "1000",
        "-s3.autoCreateBucket=false",
    ]
    command += ["-master.volumeSizeLimitMB", "64"]
    for name, port, grpc in zip(names, ports[::2], ports[1::2], strict=True):
        command += [f"-{name}.port", str(port), f"-{name}.port.grpc", str(grpc)]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        try:
            wait_for(lambda: _stores_something(ports[6]), lambda: (folder / "log").read_text()[-2000:])
            yield ports[6]
        finally:
            server.kill()


def free_ports(n: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(n)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(ready: Callable[[], bool], told: Callable[[], str], seconds: float = 120.0) -> None:
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, told()
        time.sleep(0.2)


def _stores_something(port: int) -> bool:
    """Whether a bucket can be made and an object written: the parts of the store find each other one by one."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="eu-central-1",
        aws_access_key_id="AKIATESTTESTTEST", aws_secret_access_key="quite-secret-value",
        config=Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1}),
    )  # fmt: skip
    try:
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
            client.create_bucket(Bucket="ready")
        client.put_object(Bucket="ready", Key="ready", Body=b"1")
    except (BotoCoreError, ClientError):
        return False
    return True


@contextlib.contextmanager
def moto() -> Iterator[int]:
    """The port of a server; its own process, as a real one."""
    command = [sys.executable, "-W", "ignore", "-c", _MOTO]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def keys_of_this_test(patch: pytest.MonkeyPatch, port: int) -> None:
    """The standard chain finds the server and made-up credentials, and nothing of the user's."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    patch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTEST")
    patch.setenv("AWS_SECRET_ACCESS_KEY", "quite-secret-value")
    patch.setenv("AWS_REGION", "eu-central-1")
    patch.setenv("AWS_CONFIG_FILE", os.devnull)
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@dataclass
class Rule:
    """What happens to some requests.

    "503" = refused, "slow" = answered too late, "deaf" = passed on without its If-None-Match, "lost" = carried out, but
    answered 503. It meets those of the methods whose path contains a text; of these every n-th, at most so many times.
    """

    fault: str
    contains: str = ""
    methods: tuple[str, ...] = ()
    every: int = 1
    times: int = 1_000_000
    met: int = 0
    done: int = 0

    def applies(self, method: str, path: str) -> bool:
        if (self.methods and method not in self.methods) or self.contains not in path or self.done >= self.times:
            return False
        self.met += 1
        hit = self.met % self.every == 0
        self.done += hit
        return hit


class Proxy:
    """The controls of a proxy in a process of its own: delta-rs lets no thread of this one run while it waits."""

    def __init__(self, port: int) -> None:
        self.port = port

    def fail(self, *rules: Rule) -> None:
        """From now on these rules hold, and no others."""
        self._ask(json.dumps([asdict(rule) for rule in rules]))

    def faults(self) -> int:
        """How often the present rules struck."""
        return sum(rule["done"] for rule in json.loads(self._ask("")))

    def _ask(self, body: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("PATCH", "/", body)
        answer = connection.getresponse().read().decode()
        connection.close()
        return answer


class Handler(BaseHTTPRequestHandler):
    """Passes requests on to `upstream` unless a rule says otherwise."""

    protocol_version = "HTTP/1.1"
    upstream = 0
    rules: ClassVar[list[Rule]] = []
    lock = threading.Lock()

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def log_message(self, *_: object) -> None:
        pass

    def do_PATCH(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.lock:
            if body:
                self.rules[:] = [Rule(**values) for values in json.loads(body)]
            told = json.dumps([asdict(rule) for rule in self.rules]).encode()
        self._answer(200, [("Content-Length", str(len(told)))], told)

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.lock:
            fault = next((rule.fault for rule in self.rules if rule.applies(self.command, self.path)), "")
        if fault == "slow":
            time.sleep(2.5)
        if fault in {"503", "slow"}:
            self._answer(503, [], b"")
            return
        dropped = {"content-length"} | ({"if-none-match"} if fault == "deaf" else set())
        headers = {k: v for k, v in self.headers.items() if k.lower() not in dropped}
        upstream = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=30)
        # The host is passed on as it was signed.
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        if fault == "lost":
            self._answer(503, [], b"")
            return
        left_out = {"content-length", "connection", "date", "server"}
        told = [(k, v) for k, v in answer.getheaders() if k.lower() not in left_out]
        length = answer.getheader("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        self._answer(answer.status, [*told, ("Content-Length", length)], content)

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for key, value in headers or [("Content-Length", "0")]:
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - http.server names them so


@contextlib.contextmanager
def faulty(upstream: int) -> Iterator[Proxy]:
    """A proxy before the server at a port."""
    command = [sys.executable, __file__, str(upstream)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield Proxy(int(server.stdout.readline()))
        finally:
            server.kill()


if __name__ == "__main__":
    Handler.upstream = int(sys.argv[1])
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(listening.server_address[1], flush=True)  # noqa: T201 - how the test learns the port
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    sys.stdin.read()  # ends with the test, however that ends


@contextlib.contextmanager
def s3_server(kind: str, folder: Path) -> Iterator[int]:
    """The port of a server: "moto", or the real "seaweedfs", without which a test is skipped."""
    if kind == "seaweedfs" and not WEED.exists():
        if os.environ.get("NORIA_REQUIRE_S3") == "1":
            pytest.fail(f"{NO_WEED} (NORIA_REQUIRE_S3 is set)")
        pytest.skip(NO_WEED)
    with seaweedfs(folder) if kind == "seaweedfs" else moto() as port:
        yield port


SERVERS = ["moto", pytest.param("seaweedfs", marks=pytest.mark.real)]
