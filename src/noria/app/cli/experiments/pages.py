"""`noria experiments ui`: MLflow's own pages, for this machine only."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import click

from noria.app.cli.context import home_options, opened
from noria.errors import StateError


@click.command("ui")
@click.option("--port", type=click.IntRange(1, 65535), default=8440, show_default=True)
@home_options
@click.pass_context
def ui_command(ctx: click.Context, port: int, home: str | None, as_json: bool) -> None:
    """Serve MLflow's pages on this machine: loopback only, one worker, running of jobs off.

    They have no log-in, so they are never offered to a network.
    """
    with opened(ctx, home) as (place, _):
        command, environment = ui_command_of(place.tracker_url, place.tracker_artifacts.as_uri(), port)
    if importlib.util.find_spec("mlflow.server.handlers") is None or importlib.util.find_spec("flask") is None:
        raise StateError("MLflow's pages need the whole of MLflow: pip install 'noria[ui]'.")
    click.echo(f"http://127.0.0.1:{port} (Ctrl-C ends it)", err=True)
    ctx.exit(subprocess.run(command, env=environment, check=False).returncode)


def ui_command_of(tracker_url: str, artifacts: str, port: int) -> tuple[list[str], dict[str, str]]:
    """The command and its environment."""
    command = [
        sys.executable, "-m", "mlflow", "server", "--backend-store-uri", tracker_url,
        "--default-artifact-root", artifacts, "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    off = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    return command, {**os.environ, **off}
