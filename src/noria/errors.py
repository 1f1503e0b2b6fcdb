"""The error tree of Noria.

NoriaError
├── UsageError      the command or request cannot be carried out as given (exit code 2)
│   └── NotFound    the thing named does not exist; near names are offered
├── DataError       bad input data; carries the single problems with file, row and field (exit code 3)
├── StateError      the home or a store is in a state that forbids this (exit code 4)
│   └── NoRelease   a query was asked before any release exists
└── OutsideError    another system failed; `retry_helps` says whether trying again can work (exit code 5)

Each message names the thing, the value, the limit and the next step. Refused candidates, "not enough labels" and
empty windows are normal results, not errors.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class NoriaError(Exception):
    """Base of all errors that Noria raises on purpose; the text is fit to be shown to a user."""

    exit_code = 1
    retry_helps = False


class UsageError(NoriaError):
    """The command or request cannot be carried out as it was given."""

    exit_code = 2


class NotFound(UsageError):
    """A named thing does not exist.

    Args:
        what: kind of thing, e.g. "examples table".
        name: the name that was asked for.
        known: the names that exist; the nearest ones are offered.
        next_step: what to do when none is meant.
    """

    def __init__(self, what: str, name: str, known: Iterable[str] = (), next_step: str = "") -> None:
        self.what, self.name, self.known = what, name, sorted(known)
        super().__init__(" ".join(p for p in (f"no {what} named {name!r}.", nearest(name, self.known), next_step) if p))


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of one row: `file`, 1-based `row` (None for the whole file), `field`, and what to do about it."""

    file: str
    row: int | None
    field: str | None
    message: str

    def __str__(self) -> str:
        where = self.file + (f", row {self.row}" if self.row is not None else "")
        return f"{where}{f', field {self.field!r}' if self.field else ''}: {self.message}"


class DataError(NoriaError):
    """Input data cannot be accepted; nothing of it was imported.

    Args:
        problems: every problem found, in order of file and row.
        next_step: the way out, one sentence.
    """

    exit_code = 3

    def __init__(self, problems: Sequence[Problem], next_step: str = "") -> None:
        self.problems = tuple(problems)
        shown = [str(p) for p in self.problems[:10]]
        if len(self.problems) > len(shown):
            shown.append(f"... and {len(self.problems) - len(shown)} more problems")
        if next_step:
            shown.append(next_step)
        super().__init__("\n".join(shown))


class StateError(NoriaError):
    """The home or one of its stores is in a state that forbids this."""

    exit_code = 4


class NoRelease(StateError):
    """A query came in before any release exists."""

    def __init__(self) -> None:
        super().__init__(
            "no release is live yet, so there is no agent to answer. "
            "Train one with 'noria train --data NAME' and put it live with 'noria release propose'."
        )


class OutsideError(NoriaError):
    """Another system (a server, a disk, a port) failed; `retry_helps` tells whether to try again."""

    exit_code = 5

    def __init__(self, message: str, *, retry_helps: bool) -> None:
        self.retry_helps = retry_helps
        super().__init__(message)


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence with the known names nearest to `name`, or all of them when few; empty when there are none."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(repr(c) for c in close)}?"
    return f"Known: {', '.join(names[:12])}{' ...' if len(names) > 12 else ''}." if names else ""
