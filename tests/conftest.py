"""What every test lives in: no network, a known hypothesis profile, benchmark data if present, a browser if present."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import shutil
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
BENCH_DATA = Path(os.environ.get("NORIA_BENCH_DATA", ROOT.parent / "shared" / "data"))

# MLflow reports its use to its makers unless told not to.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["DO_NOT_TRACK"] = "true"

# Timed examples fail on a busy machine; what CI draws must be what a developer can draw again.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))


# --- Benchmark data -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def bench_data() -> Path:
    """The folder of benchmark data sets (NORIA_BENCH_DATA); it may be absent."""
    return BENCH_DATA


@pytest.fixture(scope="session")
def requires_bench(bench_data):
    """A function: name of a data set → its folder; skips the test where the data set is not there."""

    def folder(name: str) -> Path:
        path = bench_data / name
        if not path.exists():
            pytest.skip(f"../shared/data/{name} not found (set NORIA_BENCH_DATA)")
        return path

    return folder


# --- Encoder --------------------------------------------------------------------------------------------------------

REAL_CACHE = os.environ.get("NORIA_CACHE")


@pytest.fixture(scope="session", autouse=True)
def empty_cache(tmp_path_factory):
    """A cache of encoders and vectors of the tests' own: what a test finds does not hang on the user's."""
    patch = pytest.MonkeyPatch()
    patch.setenv("NORIA_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="session")
def minilm(empty_cache):
    """The real MiniLM as `make setup` built it; skips where there is none (an error with NORIA_REQUIRE_ENCODER=1)."""
    from noria.app import wiring
    from noria.errors import NotFound

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NORIA_CACHE", REAL_CACHE) if REAL_CACHE else patch.delenv("NORIA_CACHE")
        try:
            return wiring.load_encoder("minilm")
        except NotFound as error:
            if os.environ.get("NORIA_REQUIRE_ENCODER"):
                pytest.fail(f"{error} (NORIA_REQUIRE_ENCODER is set)", pytrace=False)
            pytest.skip(f"the encoder minilm is not built here: {error}")


# --- Network --------------------------------------------------------------------------------------------------------


class OutsideWorldError(RuntimeError):
    """A test tried to reach something that is not on this machine."""


def is_loopback(host: object) -> bool:
    """Whether a host name or address means this machine."""
    text = host.decode() if isinstance(host, bytes) else str(host or "")
    if text in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(text.split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session", autouse=True)
def loopback_only():
    """Refuses connections and look-ups that leave this machine, with an error that no client library swallows."""
    patch = pytest.MonkeyPatch()

    def refuse_outside(name):
        real = getattr(socket.socket, name)

        def guarded(self, *args):
            address = args[-1]
            if self.family in (socket.AF_INET, socket.AF_INET6) and not is_loopback(address[0]):
                raise OutsideWorldError(f"a test must not reach {address[0]}:{address[1]}; use loopback or a real file")
            return real(self, *args)

        patch.setattr(socket.socket, name, guarded)

    for name in ("connect", "connect_ex", "sendto"):
        refuse_outside(name)

    look_up = socket.getaddrinfo

    def guarded_look_up(host, *args, **kwargs):
        if not is_loopback(host):
            raise OutsideWorldError(f"a test must not look up {host}; use loopback or a real file")
        return look_up(host, *args, **kwargs)

    patch.setattr(socket, "getaddrinfo", guarded_look_up)
    yield
    patch.undo()


@pytest.fixture
def serve_app():
    """A function: ASGI application → its address, served by uvicorn on a free loopback port until the test ends."""
    import uvicorn

    with contextlib.ExitStack() as stack:

        def start(app) -> str:
            # The socket is handed over open, so no other process can take the port in between.
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
            thread.start()

            def stop():
                server.should_exit = True
                thread.join(timeout=10)

            stack.callback(stop)
            while not server.started:
                assert thread.is_alive(), "the server did not start"
                time.sleep(0.01)
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start


# --- Browser --------------------------------------------------------------------------------------------------------

CHROMIUM = os.environ.get("NORIA_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PLAYWRIGHT_BROWSERS = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
BROWSER_REQUIRED = bool(os.environ.get("NORIA_REQUIRE_BROWSER"))
NO_BROWSER = "no Chromium: `make real` installs it on Debian, or set NORIA_CHROMIUM"


def has_browser() -> bool:
    return CHROMIUM is not None or any(PLAYWRIGHT_BROWSERS.glob("chromium*"))


def pytest_collection_modifyitems(items):
    skip = None if has_browser() or BROWSER_REQUIRED else pytest.mark.skip(reason=NO_BROWSER)
    for item in items:
        if "page" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)
        if skip and item.get_closest_marker("browser"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """Starts Debian's Chromium, quiet on the network."""
    if not has_browser():
        pytest.fail(f"{NO_BROWSER} (NORIA_REQUIRE_BROWSER is set)", pytrace=False)
    args = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
    ]
    if os.geteuid() == 0:
        args.append("--no-sandbox")  # Chromium refuses to start as root otherwise
    return {**browser_type_launch_args, "args": args, **({"executable_path": CHROMIUM} if CHROMIUM else {})}


@pytest.fixture(autouse=True)
def page_complaints(request):
    """Every browser test also proves: no outside request, no console error, no page error.

    A test that provokes one on purpose asks for this list, looks at it and clears it.
    """
    if "page" not in request.fixturenames:
        yield []
        return
    complaints: list[str] = []
    context = request.getfixturevalue("page").context

    def on_request(sent):
        parts = urlsplit(sent.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and not is_loopback(parts.hostname):
            complaints.append(f"outside request: {sent.url}")

    context.on("request", on_request)
    context.on("weberror", lambda error: complaints.append(f"page error: {error.error}"))
    context.on("console", lambda said: complaints.append(f"console: {said.text}") if said.type == "error" else None)
    yield complaints
    assert not complaints, complaints
