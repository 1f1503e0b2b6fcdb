"""One analysis as a marimo notebook, a Jupyter notebook and a Zeppelin note."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cell:
    """A heading, a sentence, and code whose last line is shown. `takes`, `gives`: names from and for other cells."""

    title: str
    text: str
    code: str
    takes: tuple[str, ...] = ("data",)
    gives: tuple[str, ...] = ()


def analysis(home: str) -> list[Cell]:
    """The cells: from the course of quality to your own question.

    Args:
        home: folder, used where NORIA_HOME is not set.
    """
    opening = f"from noria.app.notebooks import open_data\n\ndata = open_data({json.dumps(home)})\ndata.tables()"
    by_decision = "SELECT decision, count(*) AS queries FROM predictions GROUP BY decision ORDER BY queries DESC"
    return [
        Cell("The tables", "The lake and the journal of the home, opened to be read.", opening, (), ("data",)),
        Cell("Quality by day", "Each metric with its 95 % interval, from labels.", "data.days(28)"),
        Cell("Findings", "What changed, and why.", "data.findings()"),
        Cell("Intents side by side", "The last four weeks; also account, channel, language, release.",
             'data.slices("intent")'),
        Cell("The journal in SQL", "Nothing here can change it.", f"data.journal({json.dumps(by_decision)})"),
        Cell("The lake in SQL", "Any of the tables above by its name.", 'data.lake("SELECT 1 AS one")'),
    ]  # fmt: skip


def marimo(cells: Sequence[Cell]) -> str:
    """A marimo notebook: plain Python."""
    parts = ['import marimo\n\napp = marimo.App(width="medium")\n']
    parts.append("\n@app.cell\ndef _():\n    import marimo as mo\n\n    return (mo,)\n")
    for cell in cells:
        words = f"## {cell.title}\n\n{cell.text}"
        parts.append(f"\n@app.cell\ndef _(mo):\n    mo.md({json.dumps(words)})\n    return\n")
        body = "\n".join(f"    {line}" if line else "" for line in cell.code.splitlines())
        gives = f"({', '.join(cell.gives)},)" if cell.gives else ""
        parts.append(f"\n@app.cell\ndef _({', '.join(cell.takes)}):\n{body}\n    return {gives}".rstrip() + "\n")
    parts.append('\nif __name__ == "__main__":\n    app.run()\n')
    return "\n".join(parts)


def jupyter(cells: Sequence[Cell]) -> str:
    """A Jupyter notebook (nbformat 4.5); sources as lists of lines, as Apache Zeppelin imports them too."""
    made: list[dict[str, object]] = []
    for place, cell in enumerate(cells):
        words = f"## {cell.title}\n\n{cell.text}"
        made.append({"cell_type": "markdown", "id": f"text-{place}", "metadata": {}, "source": _lines(words)})
        made.append(
            {"cell_type": "code", "id": f"code-{place}", "metadata": {}, "source": _lines(cell.code), "outputs": [],
             "execution_count": None}
        )  # fmt: skip
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {"cells": made, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "nbformat": 4,
            "nbformat_minor": 5}  # fmt: skip
    return json.dumps(book, indent=1) + "\n"


def zeppelin(cells: Sequence[Cell], name: str = "Noria: quality") -> str:
    """A Zeppelin note (`.zpln`): a `%md` and a `%python` paragraph for each cell, tables by `%table`."""
    paragraphs = []
    for cell in cells:
        *before, last = cell.code.splitlines()
        shown = "\n".join([*before, f"print(({last}).zeppelin())"])
        paragraphs += [("md", cell.title, cell.text), ("python", cell.title, shown)]
    now = "2026-01-01 00:00:00.000"
    note = {
        "paragraphs": [_paragraph(n, *p, now) for n, p in enumerate(paragraphs)], "name": name, "id": "2NORIAQ01",
        "defaultInterpreterGroup": "python", "noteParams": {}, "noteForms": {}, "angularObjects": {}, "config": {},
        "info": {},
    }  # fmt: skip
    return json.dumps(note, indent=1) + "\n"


def _paragraph(n: int, interpreter: str, title: str, text: str, now: str) -> dict[str, object]:
    return {
        "title": title, "text": f"%{interpreter}\n{text}", "user": "anonymous", "status": "READY",
        "id": f"paragraph_{n}", "jobName": f"paragraph_{n}", "dateCreated": now, "dateUpdated": now, "progress": 0,
        "apps": [], "runtimeInfos": {}, "settings": {"params": {}, "forms": {}},
        "config": {"title": True, "enabled": True, "colWidth": 12.0, "results": {}},
    }  # fmt: skip


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
