"""Where people's requests live: an outside help desk (Freshservice) or plain files.

Rows are flat mappings with the same names whatever the desk; ids are texts, times UTC milliseconds, bodies plain text
in `text` beside what the desk gave in `html` ("" where it gave none):

- tickets: id, subject, text, html, type, category, status, priority, source, requester_id, requester_email,
  department_id, workspace_id, tags, custom_fields, spam, deleted, created_ms, updated_ms
- conversations: id, ticket_id, user_id, text, html, incoming, private, created_ms, updated_ms
- articles: id, title, text, html, published, category, folder_id, tags, audience, updated_ms, sha256, deleted
- departments: id, name · catalogue: id, name, text, category, audience, deleted
- requesters: id, email, language, time_zone, department_ids
- ratings: id, ticket_id, score, out_of, text, created_ms
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from noria.errors import OutsideError
from noria.records import Article

Stream = Literal["tickets", "conversations", "articles", "departments", "catalogue", "requesters", "ratings"]
STREAMS: tuple[Stream, ...] = (
    "tickets", "conversations", "articles", "departments", "catalogue", "requesters", "ratings",
)  # fmt: skip
STATUSES = ("open", "pending", "resolved", "closed", "other")
"""What the status of a ticket can be; "other": one that the account made for itself."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a pull. `cursor`: where the next pull begins; only the last batch of a pull has one."""

    rows: tuple[Row, ...]
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class NewTicket:
    """A hand-over as the ticket that it becomes.

    `mark`: our name of it, by which it is found again. `requester`: an e-mail address or the desk's id of the person.
    """

    mark: str
    subject: str
    text: str
    requester: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a ticket is. Times are UTC milliseconds, None where it did not happen.

    `replied_ms`: the first public answer of an agent. `score`, `out_of`: the satisfaction that the person gave.
    """

    ticket_id: str
    status: str
    updated_ms: int
    replied_ms: int | None = None
    resolved_ms: int | None = None
    score: float | None = None
    out_of: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be expected: closed and rated."""
        return self.status == "closed" and self.score is not None


class UnknownOutcome(OutsideError):
    """A writing call was lost on its way or on the way back: it may have been done. Look before sending again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_helps=False)


class Refused(OutsideError):
    """The desk understood and said no: the same call will be refused again. `faults`: fields and codes, no content."""

    def __init__(self, message: str, faults: str = "") -> None:
        self.faults = faults
        super().__init__(message, retry_helps=False)


class NotAllowed(Refused):
    """The desk takes nothing from us (its address, our key or its rights): until somebody sets it right."""


class Later(OutsideError):
    """The desk takes no call just now, and did nothing. `after_s`: the seconds that it asks to wait."""

    def __init__(self, message: str, after_s: float) -> None:
        self.after_s = after_s
        super().__init__(message, retry_helps=True)


@runtime_checkable
class HelpDesk(Protocol):
    """What Noria asks of a help desk. Every method may raise OutsideError, with whether a retry helps."""

    def pull(self, stream: Stream, cursor: str = "") -> Iterator[Batch]:
        """What is new or changed since `cursor` (empty = from the beginning), batch by batch.

        A row may come again though it did not change: put it in by its id. Keep the cursor only when every batch before
        it is kept. Articles that are gone come once with `deleted`.
        """
        ...

    def since(self, time_ms: int) -> str:
        """A cursor with which `pull` gives what changed since a time: of tickets, conversations and ratings."""
        ...

    def create(self, ticket: NewTicket) -> str:
        """Makes a ticket and returns its id.

        Raises:
            UnknownOutcome: it may exist. Refused: it does not and will not. NotAllowed: none will, until the key is
                right. Later: it does not; wait. Nothing else.
        """
        ...

    def find(self, ticket: NewTicket, since_ms: int) -> str | None:
        """The id of the ticket that carries the mark, among those that changed since `since_ms`."""
        ...

    def add_note(self, ticket_id: str, text: str, *, private: bool = True) -> None:
        """Adds a note to a ticket; not repeated by itself when its outcome is unknown. NotFound: no such ticket."""
        ...

    def progress(self, ticket_id: str) -> Progress:
        """How far a ticket is. NotFound: no such ticket."""
        ...

    def check(self) -> Mapping[str, str]:
        """What was found by reading only: what works, what is not allowed, which choices the account has."""
        ...


def article_of(row: Row, account: str | None = None) -> Article:
    """A row of the stream "articles" as the article that the agent answers with."""
    audience = row["audience"]
    return Article(
        article_id=row["id"],
        title=row["title"],
        body=row["text"],
        domain=row["category"] or None,
        account=account,
        audience=None if audience is None else tuple(audience),
    )
