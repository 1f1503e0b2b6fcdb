"""The group `noria experiments`; its commands lie in the files beside it."""

from __future__ import annotations

import importlib

import click

_WHERE = {
    "list": "looking", "show": "looking", "compare": "looking", "diff": "looking",
    "sweep": "running", "resume": "running", "campaign": "running", "deliver": "running",
    "reproduce": "repeating", "rerun": "repeating", "ui": "pages",
}  # fmt: skip


class _Lazy(click.Group):
    """Loads a command's file when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in _WHERE if name != "rerun"]  # which is no command for people

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _WHERE:
            return None
        module = importlib.import_module(f"noria.app.cli.experiments.{_WHERE[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command


@click.group(cls=_Lazy)
def experiments() -> None:
    """Run experiments, look at them, and repeat any of them."""
