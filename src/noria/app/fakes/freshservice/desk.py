"""What the fake holds and does with it: tickets, conversations, the knowledge tree, people, satisfaction."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Record = dict[str, Any]
_FIELDS = frozenset(
    [
        "subject",
        "description",
        "email",
        "requester_id",
        "status",
        "priority",
        "source",
        "tags",
        "custom_fields",
        "type",
        "department_id",
    ]
)
_LISTS = {
    "/departments": "departments", "/requesters": "requesters", "/agents": "agents",
    "/solutions/categories": "categories", "/solutions/folders": "folders", "/solutions/articles": "articles",
    "/service_catalog/items": "service_items",
}  # fmt: skip
_SETTLED = (4, 5)
_MONTH_MS = 30 * 86_400_000


class Missing(Exception):
    """There is no such thing (404)."""


class Invalid(Exception):
    """A body that is refused (400)."""

    def __init__(self, *faults: tuple[str, str, str]) -> None:
        self.faults = [{"field": field, "message": message, "code": code} for field, message, code in faults]
        super().__init__(str(faults))


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. `more`: whether another follows."""

    name: str
    rows: list[Record]
    number: int
    more: bool


def stamp(time_ms: int) -> str:
    """A time as Freshservice writes it."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Desk:
    """The records by kind; `now_ms` dates what is made."""

    def __init__(self, data: Mapping[str, list[Record]], now_ms: Callable[[], int]) -> None:
        self.rows = {name: [dict(row) for row in rows] for name, rows in data.items()}
        self._now_ms = now_ms

    def all(self, name: str) -> list[Record]:
        """The records of a kind; what a test adds is there."""
        return self.rows.setdefault(name, [])

    def do(self, method: str, path: str, query: Mapping[str, str], body: Record) -> tuple[int, Any]:
        """Status and what is said: an object, or a `Page`."""
        if path == "/tickets":
            return (201, {"ticket": self._create(body)}) if method == "POST" else (200, self._tickets(query))
        if path == "/ticket_form_fields":
            return 200, {"ticket_fields": self.all("ticket_fields")}
        if method == "GET" and path in _LISTS:
            return 200, _page(_LISTS[path], self._below(_LISTS[path], query), query)
        if found := re.fullmatch(r"/tickets/(\d+)(?:/(\w+))?", path):
            return self._one(method, int(found.group(1)), found.group(2) or "", query, body)
        raise Missing

    def _below(self, name: str, query: Mapping[str, str]) -> list[Record]:
        """Folders of a category, articles of a folder: without its parent the list is refused, as there."""
        parent = {"folders": "category_id", "articles": "folder_id"}.get(name)
        rows = self.all(name)
        if parent is None:
            return rows
        if parent not in query:
            raise Invalid((parent, "It should be a valid id", "missing_field"))
        return [row for row in rows if row[parent] == int(query[parent])]

    def _tickets(self, query: Mapping[str, str]) -> Page:
        trash = query.get("filter") == "deleted"
        rows = [row for row in self.all("tickets") if bool(row.get("deleted")) == trash]
        if since := query.get("updated_since"):
            rows = [row for row in rows if row["updated_at"] >= since]
        else:
            month = stamp(self._now_ms() - _MONTH_MS)
            rows = [row for row in rows if row["created_at"] >= month]
        if email := query.get("email"):
            people = {row["id"] for row in self.all("requesters") if row["primary_email"] == email}
            rows = [row for row in rows if row.get("requester_id") in people]
        rows.sort(key=lambda row: (row["created_at"], row["id"]), reverse=query.get("order_type", "desc") == "desc")
        return _page("tickets", [self._shown(row, query.get("include", "")) for row in rows], query)

    def _shown(self, row: Record, include: str) -> Record:
        """A ticket of a list: what was not asked for is not there."""
        shown = {k: v for k, v in row.items() if k != "stats" or "stats" in include}
        if "requester" in include:
            person = next((p for p in self.all("requesters") if p["id"] == row.get("requester_id")), {})
            shown["requester"] = {"id": row.get("requester_id"), "email": person.get("primary_email")}
        return shown

    def _create(self, body: Record) -> Record:
        faults = [
            (name, "Unexpected/invalid field in request", "invalid_field") for name in body if name not in _FIELDS
        ]
        faults += [
            (name, "It should not be blank", "missing_field")
            for name in ("subject", "description", "status", "priority")
            if not body.get(name)
        ]
        if not body.get("email") and not body.get("requester_id"):
            faults.append(("email", "One of email, requester_id is needed", "missing_field"))
        if body.get("email") and "@" not in str(body["email"]):
            faults.append(("email", "It should be a valid email address", "invalid_value"))
        if faults:
            raise Invalid(*faults)
        now = stamp(self._now_ms())
        ticket = {
            "id": max((row["id"] for row in self.all("tickets")), default=21_000_000_000) + 1,
            "tags": [], "source": 2, "type": "Incident", "deleted": False, "spam": False, "custom_fields": {},
            **{k: v for k, v in body.items() if k != "email"},
            "requester_id": body.get("requester_id") or self._person(body["email"]),
            "description_text": re.sub(r"<[^>]+>", " ", str(body["description"])),
            "created_at": now, "updated_at": now,
            "stats": {"resolved_at": None, "closed_at": None, "first_responded_at": None},
        }  # fmt: skip
        self.all("tickets").append(ticket)
        return ticket

    def _person(self, email: str) -> int:
        for row in self.all("requesters"):
            if row["primary_email"] == email:
                return int(row["id"])
        people = self.all("requesters")
        number = max((int(row["id"]) for row in people), default=900) + 1
        people.append({"id": number, "primary_email": email})
        return number

    def _one(self, method: str, number: int, part: str, query: Mapping[str, str], body: Record) -> tuple[int, Any]:
        ticket = next((row for row in self.all("tickets") if row["id"] == number), None)
        if ticket is None:
            raise Missing
        if part == "conversations":
            mine = [row for row in self.all("conversations") if row["ticket_id"] == number]
            return 200, _page("conversations", mine, query)
        if part == "csat_response":
            rated = next((row for row in self.all("csat") if row["ticket_id"] == number), None)
            if rated is None:
                raise Missing
            return 200, {"csat_response": rated}
        if part in {"notes", "reply"} and method == "POST":
            return 201, {"conversation": self.say(number, body, public=part == "reply")}
        if part == "restore" and method == "PUT":
            ticket["deleted"] = False
            return 204, None
        if part:
            raise Missing
        if method == "DELETE":
            ticket.update(deleted=True, updated_at=stamp(self._now_ms()))
            return 204, None
        if method == "PUT":
            now = stamp(self._now_ms())
            if body.get("status") in _SETTLED and ticket.get("status") not in _SETTLED:
                ticket["stats"].update(resolved_at=now)
            ticket.update(body, updated_at=now)
        return 200, {"ticket": ticket}

    def say(self, number: int, body: Record, *, public: bool) -> Record:
        """Adds a reply of an agent, or a note."""
        if not body.get("body"):
            raise Invalid(("body", "It should not be blank", "missing_field"))
        ticket = next(row for row in self.all("tickets") if row["id"] == number)
        now = stamp(self._now_ms())
        ticket["updated_at"] = now
        if public:
            ticket["stats"]["first_responded_at"] = ticket["stats"]["first_responded_at"] or now
        said = {
            "id": 31_000_000_000 + len(self.all("conversations")), "ticket_id": number, "user_id": 700,
            "body": body["body"], "body_text": re.sub(r"<[^>]+>", " ", body["body"]), "incoming": False,
            "private": not public and bool(body.get("private", True)), "created_at": now, "updated_at": now,
        }  # fmt: skip
        self.all("conversations").append(said)
        return said


def _page(name: str, rows: list[Record], query: Mapping[str, str]) -> Page:
    number, size = int(query.get("page", 1)), min(int(query.get("per_page", 30)), 100)
    return Page(name, rows[(number - 1) * size : number * size], number, number * size < len(rows))
