"""Starts, finds and stops the Label Studio server of a home."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from noria.app.home import Home
from noria.app.label_studio.bootstrap import Credentials, invitation, make_token, token_is_good
from noria.app.label_studio.environment import SILENCE, VERSION, environment_folder, is_installed, program, template
from noria.errors import OutsideError, StateError, UsageError

HOST = "127.0.0.1"
ROBOT = "robot@noria.example"
START_SECONDS = 600
STOP_SECONDS = 20
TOKEN_VARIABLE = "NORIA_LABEL_STUDIO_TOKEN"  # noqa: S105 - the name of a variable
PASSWORD_VARIABLE = "NORIA_LABEL_STUDIO_DATABASE_PASSWORD"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Running:
    """A server that was started. `born`: the kernel's start time of its process, so that a reused number is seen."""

    pid: int
    born: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"


class OwnServer:
    """The server of one home: its folder holds the database, the log, who it is, and the robot's token.

    Args:
        folder: its own folder, e.g. HOME/label-studio.
        environment: where Label Studio is installed.
        database: empty for SQLite in the folder, else `postgresql://USER@HOST:PORT/NAME`.
    """

    def __init__(self, folder: Path, environment: Path, *, database: str = "") -> None:
        self.folder, self._environment, self._database = folder, environment, database
        self._process: subprocess.Popen[bytes] | None = None

    def running(self) -> Running | None:
        """The server that `up` started, if it is still alive."""
        try:
            found = Running(**json.loads((self.folder / "server.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return found if _born(found.pid) == found.born else None

    def token(self) -> str | None:
        """The robot's personal access token."""
        path = self.folder / "token"
        return path.read_text(encoding="utf-8").strip() if path.is_file() else None

    def up(self, port: int, say: Callable[[str], None]) -> Running:
        """Starts it where it does not run yet, and returns when it answers and is proved to be our own.

        Raises:
            StateError: it is not installed. OutsideError: the port is taken, or it does not come up.
        """
        if not is_installed(self._environment):
            raise StateError(f"Label Studio {VERSION} is not installed in {self._environment}.")
        known = self.running()
        if known:
            return known
        # Label Studio itself would move to the next port without a word
        _check_free(port)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        credentials = self._credentials()
        database = self.folder / "label_studio.sqlite3"
        if not self._database and not database.exists():
            part = database.with_suffix(".part")
            shutil.copyfile(template(self._environment), part)
            part.replace(database)
        say(f"starting Label Studio {VERSION} on {HOST}:{port}")
        process = self._process = self._start(port, credentials)
        running = Running(process.pid, _born(process.pid), port)
        _write_private(self.folder / "server.json", json.dumps(asdict(running)))
        try:
            self._wait(process, running)
            self._prove(running, credentials)
        except BaseException:
            self.down()
            raise
        return running

    def down(self) -> bool:
        """Stops it; False when it did not run."""
        found = self.running()
        if found:
            _stop(found)
        if self._process:
            self._process.wait()
        (self.folder / "server.json").unlink(missing_ok=True)
        return found is not None

    def invitation(self, running: Running) -> str:
        """The address at which people make an account for themselves."""
        return invitation(running.url, self._credentials())

    def _credentials(self) -> Credentials:
        path = self.folder / "robot.json"
        if not path.is_file():
            _write_private(path, json.dumps({"email": ROBOT, "password": secrets.token_urlsafe(24)}))
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))

    def _start(self, port: int, credentials: Credentials) -> subprocess.Popen[bytes]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        environ = {
            **kept,
            **SILENCE,
            **_database_variables(self._database, os.environ),
            "LABEL_STUDIO_BASE_DATA_DIR": str(self.folder),
            "LABEL_STUDIO_HOST": f"http://{HOST}:{port}",
            "LABEL_STUDIO_USERNAME": credentials.email,
            "LABEL_STUDIO_PASSWORD": credentials.password,
            "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
            # Noria's own API, which it may ask for pre-labels and ring, is on this machine
            "SSRF_PROTECTION_ENABLED": "false",
            "ML_BLOCK_LOCAL_IP": "false",
            "WEBHOOK_TIMEOUT": "5",
        }
        command = [str(program(self._environment)), "start", "--no-browser", "--internal-host", HOST]
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(
                [*command, "--port", str(port)],
                env=environ,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait(self, process: subprocess.Popen[bytes], running: Running) -> None:
        import httpx

        for _ in range(START_SECONDS * 4):
            if process.poll() is not None:
                raise OutsideError(f"Label Studio ended at once; see {self.folder / 'server.log'}.", retry_helps=False)
            try:
                if httpx.get(f"{running.url}/health", timeout=5, trust_env=False).json() == {"status": "UP"}:
                    return
            except (httpx.HTTPError, ValueError):
                pass
            time.sleep(0.25)
        said = f"Label Studio did not come up in {START_SECONDS} s; see {self.folder / 'server.log'}."
        raise OutsideError(said, retry_helps=True)

    def _prove(self, running: Running, credentials: Credentials) -> None:
        """Only our own server knows the robot: who signs in there, or whose token is good, has found it."""
        token = self.token()
        if token is None or not token_is_good(running.url, token):
            _write_private(self.folder / "token", make_token(running.url, credentials))


def own_server(home: Home) -> OwnServer:
    """The server of a home."""
    database = home.settings.label_studio.database
    return OwnServer(home.label_studio, environment_folder(os.environ), database=database)


def label_studio_address(home: Home, environ: Mapping[str, str]) -> tuple[str, str]:
    """Address and token of the Label Studio that a home uses.

    Raises:
        UsageError: a server of the settings without a token in the environment. StateError: our own is not up.
    """
    url, token = home.settings.label_studio.url, environ.get(TOKEN_VARIABLE, "")
    if url:
        if not token:
            raise UsageError(f"no token for {url}: make a personal access token there and set {TOKEN_VARIABLE}.")
        return url, token
    server = own_server(home)
    running, own_token = server.running(), server.token()
    if running is None or own_token is None:
        raise StateError("this home's Label Studio is not running; start it with 'noria label-studio up'.")
    return running.url, own_token


def _database_variables(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    if not url:
        return {}
    parts = urlsplit(url)
    host = parts.hostname or parse_qs(parts.query).get("host", [""])[0]
    if not parts.scheme.startswith("postgresql") or not host or not parts.path.strip("/"):
        raise UsageError(f"{url!r} is no database for Label Studio; write postgresql://USER@HOST:PORT/NAME.")
    return {
        "DJANGO_DB": "default",
        "POSTGRE_HOST": host,
        "POSTGRE_PORT": str(parts.port or 5432),
        "POSTGRE_USER": unquote(parts.username or ""),
        "POSTGRE_PASSWORD": environ.get(PASSWORD_VARIABLE) or unquote(parts.password or ""),
        "POSTGRE_NAME": parts.path.strip("/"),
    }


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            said = f"port {port} of {HOST} cannot be used ({error.strerror}); choose another with --port."
            raise OutsideError(said, retry_helps=False) from None


def _write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def _born(pid: int) -> str:
    """The start time of a live process; empty for a dead one."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    fields = text.rsplit(")", 1)[-1].split()
    return "" if fields[0] == "Z" else fields[19]


def _stop(running: Running) -> None:
    for sign, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5)):
        try:
            os.killpg(running.pid, sign)
        except ProcessLookupError:
            return
        for _ in range(seconds * 20):
            if _born(running.pid) != running.born:
                return
            time.sleep(0.05)
    raise OutsideError(f"Label Studio (process {running.pid}) does not stop.", retry_helps=True)
