"""The command line: one tree; each command's libraries are loaded only when it runs."""

from __future__ import annotations

import importlib
import json
import sys

import click

from noria import __version__
from noria.errors import DataError, NoriaError, OutsideError

COMMANDS = {
    "init": "preparing", "encoder": "preparing", "data": "data", "lake": "lake.tree", "ingest": "ingest.commands",
    "train": "model", "evaluate": "model", "predict": "model",
    "experiments": "experiments.tree", "thresholds": "choosing.thresholds", "choose": "choosing.choose",
    "release": "release", "up": "serving", "ask": "serving", "feedback": "serving", "label": "labels",
    "label-studio": "labels", "keys": "access.keys", "accounts": "access.keys", "erase": "access.erase",
    "monitor": "loop", "notebook": "monitoring.notebook", "detect": "monitoring.detection",
    "update": "updating.update", "turn": "loop", "worker": "working.worker",
    "replay": "replay", "demo": "replay", "help-desk": "helpdesk.exchange",
    "deploy": "deploying.tree", "fake": "helpdesk.fake",
}  # fmt: skip
SUMMARIES = {
    "init": "Make a home folder.",
    "encoder": "Add and look at sentence encoders.",
    "data": "Add and look at data in the lake.",
    "lake": "Look after the versioned tables.",
    "ingest": "Bring feeds of raw rows into clean tables.",
    "train": "Train a candidate on a version of the data.",
    "evaluate": "Score a model on labelled rows.",
    "predict": "Write a model's predictions for a file.",
    "experiments": "Run experiments, look at them, repeat any of them.",
    "thresholds": "Find thresholds that keep what is asked, with a promise.",
    "choose": "Choose one of many runs by a policy, with a report.",
    "release": "Propose, look at and roll back releases.",
    "up": "Serve the live release: HTTP API and pages.",
    "ask": "Ask the live agent one question.",
    "feedback": "Say whether an answer helped.",
    "label": "Draw label tasks and collect labels.",
    "label-studio": "Run a Label Studio as the label desk.",
    "keys": "Make, list, rotate and revoke API keys.",
    "accounts": "Rules of accounts, and who did what.",
    "erase": "Erase what a person said.",
    "detect": "Find when any series changed.",
    "monitor": "Look for changes of quality.",
    "notebook": "Query the lake and the journal in a notebook.",
    "update": "Plan, topics, backlog; accept, merge or dismiss.",
    "turn": "Turn the loop once.",
    "worker": "Run the loop on schedule, one worker at a time.",
    "replay": "Turn the loop on a stream with a simulated clock.",
    "demo": "Make a demo home, replay 60 days, serve it.",
    "help-desk": "Send hand-overs to help desks, read back what becomes of them.",
    "deploy": "Run several workers on this machine, or on Amazon ECS.",
    "fake": "Run a stand-in for an outside system, with made-up data.",
}


class Tree(click.Group):
    """Loads the module of a command when it is asked for, so that --help answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"noria.app.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, SUMMARIES[name]) for name in COMMANDS])


@click.group(cls=Tree, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", metavar="FOLDER", help="Home folder; else NORIA_HOME, else the current folder's noria.toml.")
@click.version_option(__version__, prog_name="noria")
@click.pass_context
def root(ctx: click.Context, home: str | None) -> None:
    """Noria: a support agent that its own traffic makes better, turn after turn."""
    ctx.obj = {"home": home}


def main(argv: list[str] | None = None) -> None:
    """Runs a command; errors become one clear message and an exit code (see `noria.errors`)."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        code = root.main(args=arguments, prog_name="noria", standalone_mode=False)
    except NoriaError as error:
        _tell(error, as_json="--json" in arguments)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.exceptions.Abort, KeyboardInterrupt):
        click.echo("stopped.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if error.filename is None:
            raise
        told = f"{error.filename}: {error.strerror}. Check that this user may use it, and that its disk has room."
        refused = OutsideError(told, retry_helps=False)
        _tell(refused, as_json="--json" in arguments)
        sys.exit(refused.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _tell(error: NoriaError, *, as_json: bool) -> None:
    if not as_json:
        click.echo(f"error: {error}", err=True)
        return
    body: dict[str, object] = {"error": type(error).__name__, "message": str(error), "retry_helps": error.retry_helps}
    if isinstance(error, DataError):
        body["problems"] = [
            {"file": p.file, "row": p.row, "field": p.field, "message": p.message} for p in error.problems
        ]
    click.echo(json.dumps(body), err=True)
