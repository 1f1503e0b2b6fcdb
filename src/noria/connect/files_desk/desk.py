"""A `HelpDesk` in a folder: one file of JSON lines for each stream, with the rows of the port."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from noria.connect.files_desk.log import Row, add, changed, locked, standing
from noria.errors import NotFound, UsageError
from noria.ports.help_desk import STATUSES, STREAMS, Batch, NewTicket, Progress, Refused, Stream

_SINCE = "@"
_DEFAULTS: Mapping[str, Row] = {
    "tickets": {
        "subject": "", "text": "", "html": "", "type": "", "category": "", "status": "open", "priority": None,
        "source": None, "requester_id": "", "requester_email": "", "department_id": "", "workspace_id": "", "tags": [],
        "custom_fields": {}, "spam": False, "deleted": False, "created_ms": None, "updated_ms": None,
    },
    "conversations": {
        "ticket_id": "", "user_id": "", "text": "", "html": "", "incoming": False, "private": True,
        "created_ms": None, "updated_ms": None,
    },
    "articles": {
        "title": "", "text": "", "html": "", "published": True, "category": "", "folder_id": "", "tags": [],
        "audience": None, "updated_ms": None, "deleted": False,
    },
    "departments": {"name": ""},
    "catalogue": {"name": "", "text": "", "category": "", "audience": None, "deleted": False},
    "requesters": {"email": "", "language": "", "time_zone": "", "department_ids": []},
    "ratings": {"ticket_id": "", "score": None, "out_of": None, "text": "", "created_ms": None},
}  # fmt: skip
_OVER = {"resolved", "closed"}


class FilesDesk:
    """A folder as the help desk.

    People work on it with `reply`, `set_status` and `rate`, or by adding lines: of each id the last line counts. What a
    line does not say has a default; a conversation that does not say that it is public is private.

    Args:
        folder: made when something is written.
        now_ms: dates what is written, UTC milliseconds.
        private_notes: whether private notes come with the conversations.
    """

    def __init__(self, folder: Path, now_ms: Callable[[], int], *, private_notes: bool = False) -> None:
        self.folder, self._now_ms, self._private_notes = folder, now_ms, private_notes

    def since(self, time_ms: int) -> str:
        """See `HelpDesk.since`."""
        return f"{_SINCE}{time_ms}"

    def pull(self, stream: Stream, cursor: str = "") -> Iterator[Batch]:
        """See `HelpDesk.pull`."""
        if stream == "articles":
            yield self._articles(cursor)
        elif stream in {"tickets", "conversations", "ratings"}:
            found, then = changed(self._path(stream), cursor)
            rows = {row["id"]: self._filled(stream, row) for row in found}.values()
            begins = int(cursor.removeprefix(_SINCE)) if cursor.startswith(_SINCE) else 0
            yield Batch(tuple(row for row in rows if self._comes(row, begins)), then)
        else:
            rows = standing(self._path(stream)).values()
            yield Batch(tuple(self._filled(stream, row) for row in rows), str(self._now_ms()))

    def create(self, ticket: NewTicket) -> str:
        """See `HelpDesk.create`. A ticket of the same mark is the same ticket."""
        if not ticket.subject or not ticket.requester:
            raise Refused(f"a ticket needs a {'subject' if not ticket.subject else 'requester'}: {ticket.mark}.")
        with locked(self.folder):
            known = standing(self._path("tickets"))
            for number, row in known.items():
                if ticket.mark in row.get("tags", ()):
                    return number
            number = str(max((int(n) for n in known if n.isdigit()), default=0) + 1)
            by_mail = "@" in ticket.requester
            now = self._now_ms()
            row = {
                "id": number, "subject": ticket.subject, "text": ticket.text, "status": "open",
                "requester_email" if by_mail else "requester_id": ticket.requester,
                "tags": [ticket.mark, *ticket.tags], "created_ms": now, "updated_ms": now,
            }  # fmt: skip
            add(self._path("tickets"), row)
        return number

    def find(self, ticket: NewTicket, since_ms: int) -> str | None:
        """See `HelpDesk.find`. All tickets are looked at."""
        del since_ms
        rows = standing(self._path("tickets")).values()
        return next((row["id"] for row in rows if ticket.mark in row.get("tags", ())), None)

    def add_note(self, ticket_id: str, text: str, *, private: bool = True) -> None:
        """See `HelpDesk.add_note`."""
        self._say(ticket_id, {"text": text, "private": private, "note": True})

    def reply(self, ticket_id: str, text: str) -> None:
        """A public answer of an agent. NotFound: no such ticket."""
        self._say(ticket_id, {"text": text, "private": False})

    def set_status(self, ticket_id: str, status: str) -> None:
        """What a ticket's status is from now on (one of `STATUSES`). NotFound: no such ticket."""
        if status not in STATUSES:
            raise UsageError(f"{status!r} is no status of a ticket; known: {', '.join(STATUSES)}.")
        now = self._now_ms()
        with locked(self.folder):
            row = self._ticket(ticket_id)
            resolved = row.get("resolved_ms") if row.get("status") in _OVER else now
            new = {**row, "status": status, "updated_ms": now, "resolved_ms": resolved if status in _OVER else None}
            add(self._path("tickets"), new)

    def rate(self, ticket_id: str, score: float, out_of: float) -> None:
        """What the person thinks of how a ticket was settled. NotFound: no such ticket."""
        with locked(self.folder):
            self._ticket(ticket_id)
            number = len(standing(self._path("ratings"))) + 1
            row = {"id": str(number), "ticket_id": ticket_id, "score": score, "out_of": out_of}
            add(self._path("ratings"), row | {"created_ms": self._now_ms()})

    def progress(self, ticket_id: str) -> Progress:
        """See `HelpDesk.progress`."""
        row = self._filled("tickets", self._ticket(ticket_id))
        said = standing(self._path("conversations")).values()
        public = [one for one in said if one.get("ticket_id") == ticket_id and not one.get("private", True)]
        replies = [one["created_ms"] for one in public if not one.get("incoming") and not one.get("note")]
        rated = [one for one in standing(self._path("ratings")).values() if one.get("ticket_id") == ticket_id]
        return Progress(
            ticket_id=ticket_id,
            status=row["status"] if row["status"] in STATUSES else "other",
            updated_ms=row["updated_ms"] or 0,
            replied_ms=min(replies, default=None),
            resolved_ms=row.get("resolved_ms") or (row["updated_ms"] if row["status"] in _OVER else None),
            score=rated[-1].get("score") if rated else None,
            out_of=rated[-1].get("out_of") if rated else None,
        )

    def check(self) -> Mapping[str, str]:
        """See `HelpDesk.check`."""
        counts = {stream: len(standing(self._path(stream))) for stream in STREAMS}
        return {stream: f"{n} rows" if n else "no rows yet" for stream, n in counts.items()}

    def _articles(self, cursor: str) -> Batch:
        known: dict[str, str] = json.loads(cursor) if cursor else {}
        rows = [self._filled("articles", row) for row in standing(self._path("articles")).values()]
        seen = {row["id"]: row | {"sha256": _hash(row)} for row in rows if not row["deleted"]}
        new = [row for name, row in seen.items() if known.get(name) != row["sha256"][:16]]
        gone = [{"id": name, "deleted": True} for name in sorted(known.keys() - seen.keys())]
        hashes = {name: row["sha256"][:16] for name, row in seen.items()}
        return Batch((*new, *gone), json.dumps(hashes, sort_keys=True))

    def _say(self, ticket_id: str, said: Row) -> None:
        now = self._now_ms()
        with locked(self.folder):
            row = self._ticket(ticket_id)
            number = len(standing(self._path("conversations"))) + 1
            one = {"id": str(number), "ticket_id": ticket_id, "incoming": False, **said}
            add(self._path("conversations"), one | {"created_ms": now, "updated_ms": now})
            add(self._path("tickets"), {**row, "updated_ms": now})

    def _ticket(self, ticket_id: str) -> Row:
        known = standing(self._path("tickets"))
        if ticket_id not in known:
            raise NotFound("ticket", ticket_id, known)
        return known[ticket_id]

    def _comes(self, row: Row, since_ms: int) -> bool:
        if row.get("private") and not self._private_notes:
            return False
        return (row.get("updated_ms") or row.get("created_ms") or since_ms) >= since_ms

    def _filled(self, stream: str, row: Mapping[str, Any]) -> Row:
        return {**_DEFAULTS[stream], **row}

    def _path(self, stream: str) -> Path:
        return self.folder / f"{stream}.jsonl"


def _hash(row: Mapping[str, Any]) -> str:
    known = sorted((name, value) for name, value in row.items() if name != "updated_ms")
    return hashlib.sha256(repr(known).encode()).hexdigest()
