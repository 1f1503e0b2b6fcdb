"""Writes docs/command-line.md from the commands themselves: `python scripts/command_line.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from noria.app.cli import root

TARGET = Path(__file__).resolve().parent.parent / "docs" / "command-line.md"
HEAD = """# The command line

Made by `python scripts/command_line.py` from the commands themselves; do not edit it by hand.

Every command takes `--home FOLDER` (else `NORIA_HOME`, else the current folder's `noria.toml`), and those that report
take `--json`. Exit codes: 0 done, 2 the command cannot be carried out as given, 3 bad data, 4 the home or a store
forbids it, 5 another system failed.
"""


def commands(command: click.Command, path: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Every command with its help text, in the order of the tree."""
    context = click.Context(
        command, info_name=path.rsplit(maxsplit=1)[-1], parent=parent, max_content_width=100, terminal_width=100,
        help_option_names=root.context_settings["help_option_names"],
    )  # fmt: skip
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child is not None:
                yield from commands(child, f"{path} {name}", context)


def document() -> str:
    """The whole page."""
    parts = [HEAD]
    parts += [f"\n## `{path}`\n\n```text\n{text}\n```\n" for path, text in commands(root, "noria")]
    return "".join(parts)


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
