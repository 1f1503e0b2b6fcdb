"""A `HelpDesk` on a Freshservice account: polling is the truth, hand-overs are found again by their mark."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from noria.connect.freshservice import rows
from noria.connect.freshservice.client import FreshserviceClient, GoneError
from noria.connect.freshservice.text import plain_text
from noria.errors import NotFound, OutsideError
from noria.ports.help_desk import Batch, Later, NewTicket, NotAllowed, Progress, Refused, Row, Stream

OVERLAP_MS = 300_000
"""Read again before each cursor: rows move between pages while people work."""
_FIRST = "2000-01-01T00:00:00Z"
_CHATBOT, _PORTAL = 11, 2
_OPEN, _LOW = 2, 1
_RATED = {"resolved", "closed"}
"""An account chooses at which of them it asks the person."""


class FreshserviceDesk:
    """One account.

    Args:
        client: the calls.
        private_notes: whether private notes come with the conversations; they do not unless the account opted in.
        mark_field: a custom field of tickets that takes the mark as well; "" = none.
        fields: more fields of new tickets, such as those that the account's form demands.
    """

    def __init__(
        self,
        client: FreshserviceClient,
        *,
        private_notes: bool = False,
        mark_field: str = "",
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        self._client, self._private_notes, self._mark_field = client, private_notes, mark_field
        self._fields = dict(fields or {})
        self._source: int | None = None

    def pull(self, stream: Stream, cursor: str = "") -> Iterator[Batch]:
        """See `HelpDesk.pull`. The catalogue, departments and requesters come whole each time."""
        if stream == "articles":
            yield from self._articles(cursor)
        elif stream in {"tickets", "conversations", "ratings"}:
            yield from self._changed(stream, cursor)
        else:
            yield from self._whole(stream)

    def since(self, time_ms: int) -> str:
        """See `HelpDesk.since`."""
        return str(time_ms)

    def create(self, ticket: NewTicket) -> str:
        """See `HelpDesk.create`."""
        text = html.escape(ticket.text).replace("\n", "<br>")
        body: dict[str, Any] = {
            "subject": ticket.subject,
            "description": f"{text}<br><br>{html.escape(ticket.mark)}",
            **_person(ticket.requester),
            "status": _OPEN,
            "priority": _LOW,
            "source": self._offered_source(),
            **self._fields,
            "tags": [ticket.mark, *ticket.tags, *self._fields.get("tags", ())],
        }
        if self._mark_field:
            body["custom_fields"] = {**self._fields.get("custom_fields", {}), self._mark_field: ticket.mark}
        try:
            return str(self._client.post("tickets", body)["ticket"]["id"])
        except GoneError as error:
            raise NotAllowed(f"{error} Is it the account's own address?") from None

    def find(self, ticket: NewTicket, since_ms: int) -> str | None:
        """See `HelpDesk.find`."""
        who = _person(ticket.requester)
        for page in self._client.rows("tickets", "tickets", updated_since=_stamp(since_ms), **who):
            for record in page:
                if self._carries(record, ticket.mark):
                    return str(record["id"])
        return None

    def add_note(self, ticket_id: str, text: str, *, private: bool = True) -> None:
        """See `HelpDesk.add_note`."""
        body = {"body": html.escape(text).replace("\n", "<br>"), "private": private}
        try:
            self._client.post(f"tickets/{_number(ticket_id)}/notes", body)
        except GoneError:
            raise NotFound("ticket", ticket_id) from None

    def progress(self, ticket_id: str) -> Progress:
        """See `HelpDesk.progress`."""
        try:
            record = self._client.get(f"tickets/{_number(ticket_id)}", include="stats")["ticket"]
        except GoneError:
            raise NotFound("ticket", ticket_id) from None
        stats, status = record.get("stats") or {}, rows.status_of(record.get("status"))
        rated = self._rating(ticket_id) if status in _RATED else None
        score = rated.get("score") or {} if rated else {}
        return Progress(
            ticket_id=ticket_id,
            status=status,
            updated_ms=rows.time_ms(record.get("updated_at")) or 0,
            replied_ms=rows.time_ms(stats.get("first_responded_at")),
            resolved_ms=rows.time_ms(stats.get("resolved_at")),
            score=score.get("acquired_score"),
            out_of=score.get("total_score"),
        )

    def check(self) -> Mapping[str, str]:
        """See `HelpDesk.check`."""
        found = {}
        probes: dict[str, tuple[str, dict[str, Any]]] = {
            "tickets": ("tickets", {"per_page": 1, "updated_since": _FIRST}),
            "requesters": ("requesters", {"per_page": 1}),
            "departments": ("departments", {"per_page": 1}),
            "articles": ("solutions/categories", {"per_page": 1}),
            "catalogue": ("service_catalog/items", {"per_page": 1}),
            "ticket form": ("ticket_form_fields", {}),
        }
        for name, (path, params) in probes.items():
            try:
                self._client.get(path, **params)
                found[name] = "can be read"
            except Refused as error:
                found[name] = str(error)
        return found

    def _changed(self, stream: Stream, cursor: str) -> Iterator[Batch]:
        """Tickets that changed, or what belongs to them; the next cursor is the start of this walk, by their clock."""
        began_ms = None
        since = _stamp(int(cursor) - OVERLAP_MS) if cursor else _FIRST
        walk: dict[str, Any] = {"updated_since": since, "order_type": "asc"}
        if stream == "tickets":
            walk["include"] = "requester"  # the list itself names people by number only
        for page in self._client.rows("tickets", "tickets", **walk):
            began_ms = began_ms or self._client.now_ms
            yield Batch(tuple(self._of_tickets(stream, page)))
        yield Batch((), str(began_ms))

    def _of_tickets(self, stream: Stream, page: list[dict[str, Any]]) -> Iterator[Row]:
        for record in page:
            if stream == "tickets":
                yield rows.ticket_row(record)
            elif stream == "conversations":
                yield from self._conversations(str(record["id"]))
            elif rows.status_of(record.get("status")) in _RATED and (rated := self._rating(str(record["id"]))):
                score = rated.get("score") or {}
                yield {
                    "id": str(rated["id"]),
                    "ticket_id": str(record["id"]),
                    "score": score.get("acquired_score"),
                    "out_of": score.get("total_score"),
                    "text": rated.get("overall_rating_text") or "",
                    "created_ms": rows.time_ms(rated.get("created_at")),
                }

    def _conversations(self, ticket_id: str) -> Iterator[Row]:
        for page in self._client.rows(f"tickets/{ticket_id}/conversations", "conversations"):
            made = (rows.conversation_row(record, ticket_id) for record in page)
            yield from (row for row in made if self._private_notes or not row["private"])

    def _rating(self, ticket_id: str) -> dict[str, Any] | None:
        try:
            said: dict[str, Any] = self._client.get(f"tickets/{_number(ticket_id)}/csat_response")["csat_response"]
        except GoneError:
            return None
        return said

    def _articles(self, cursor: str) -> Iterator[Batch]:
        """A walk of category, folder, article; there is no "changed since", so the cursor holds the hashes."""
        known: dict[str, str] = json.loads(cursor) if cursor else {}
        seen: dict[str, str] = {}
        for category in self._all("solutions/categories", "categories"):
            for folder in self._all("solutions/folders", "folders", category_id=category["id"]):
                made = [
                    rows.article_row(record, folder, category)
                    for record in self._all("solutions/articles", "articles", folder_id=folder["id"])
                ]
                seen |= {row["id"]: row["sha256"][:16] for row in made}
                yield Batch(tuple(row for row in made if known.get(row["id"]) != row["sha256"][:16]))
        gone = tuple({"id": name, "deleted": True} for name in sorted(known.keys() - seen.keys()))
        yield Batch(gone, json.dumps(seen, sort_keys=True))

    def _whole(self, stream: Stream) -> Iterator[Batch]:
        path, name = {
            "departments": ("departments", "departments"),
            "requesters": ("requesters", "requesters"),
            "catalogue": ("service_catalog/items", "service_items"),
        }[stream]
        for page in self._client.rows(path, name):
            yield Batch(tuple(_whole_row(stream, record) for record in page))
        yield Batch((), str(self._client.now_ms))

    def _all(self, path: str, name: str, **params: Any) -> Iterator[dict[str, Any]]:
        for page in self._client.rows(path, name, **params):
            yield from page

    def _carries(self, record: Mapping[str, Any], mark: str) -> bool:
        fields = record.get("custom_fields") or {}
        return (
            mark in (record.get("tags") or [])
            or mark in (record.get("description") or record.get("description_text") or "")
            or bool(self._mark_field and fields.get(self._mark_field) == mark)
        )

    def _offered_source(self) -> int:
        """The source "chatbot" where the account offers it, else the portal."""
        if self._source is None:
            try:
                fields = self._client.get("ticket_form_fields").get("ticket_fields") or []
            except Refused:  # a key that may make tickets need not be one that may read the form
                fields = []
            except OutsideError as error:
                raise error if isinstance(error, Later) else Later(str(error), 60.0) from None
            offered = [c.get("id") for f in fields if f.get("name") == "source" for c in f.get("choices") or []]
            self._source = _CHATBOT if _CHATBOT in offered else _PORTAL
        return self._source


def _whole_row(stream: Stream, record: Mapping[str, Any]) -> Row:
    if stream == "requesters":
        return {
            "id": str(record["id"]),
            "email": record.get("primary_email") or "",
            "language": record.get("language") or "",
            "time_zone": record.get("time_zone") or "",
            "department_ids": [str(n) for n in record.get("department_ids") or []],
        }
    row = {"id": str(record["id"]), "name": record.get("name") or ""}
    if stream == "catalogue":
        row |= {
            "text": plain_text(record.get("description") or "") or record.get("short_description") or "",
            "category": str(record.get("category_id") or ""),
            "audience": None if record.get("visibility", 2) == 2 else ["agents"],
            "deleted": bool(record.get("deleted")),
        }
    return row


def _stamp(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _person(name: str) -> dict[str, Any]:
    if "@" in name:
        return {"email": name}
    if not name.isdigit():
        raise Refused(f"Freshservice knows people by e-mail address or number, not by {name!r}.")
    return {"requester_id": int(name)}


def _number(text: str) -> int:
    if not text.isdigit():
        raise NotFound("ticket or requester", text, next_step="Freshservice names them by number.")
    return int(text)
