"""Freshservice's records as the rows of the port (see `noria.ports.help_desk`)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from noria.connect.freshservice.text import plain_text

Record = Mapping[str, Any]
_STATUS = {2: "open", 3: "pending", 4: "resolved", 5: "closed"}
_EVERYBODY, _AGENTS = (1, 2), 3


def status_of(code: object) -> str:
    """Our word for the code of a status; above 5 the account made it."""
    return _STATUS.get(code, "other") if isinstance(code, int) else "other"


def time_ms(stamp: object) -> int | None:
    """An ISO 8601 time as UTC milliseconds."""
    return int(datetime.fromisoformat(stamp).timestamp() * 1000) if isinstance(stamp, str) and stamp else None


def ticket_row(record: Record) -> dict[str, Any]:
    """One ticket."""
    html = record.get("description") or ""
    person = record.get("requester") or {}
    return {
        "id": str(record["id"]),
        "subject": record.get("subject") or "",
        "text": plain_text(html) if html else record.get("description_text") or "",
        "html": html,
        **{name: record.get(name) or "" for name in ("type", "category")},
        "status": status_of(record.get("status")),
        **{name: record.get(name) for name in ("priority", "source")},
        "requester_id": _id(record.get("requester_id")),
        "requester_email": record.get("email") or person.get("email") or person.get("primary_email") or "",
        "department_id": _id(record.get("department_id")),
        "workspace_id": _id(record.get("workspace_id")),
        "tags": list(record.get("tags") or []),
        "custom_fields": dict(record.get("custom_fields") or {}),
        "spam": bool(record.get("spam")),
        "deleted": bool(record.get("deleted")),
        "created_ms": time_ms(record.get("created_at")),
        "updated_ms": time_ms(record.get("updated_at")),
    }


def conversation_row(record: Record, ticket_id: str) -> dict[str, Any]:
    """One reply or note of a ticket. What does not say that it is public counts as private."""
    html = record.get("body") or ""
    return {
        "id": str(record["id"]),
        "ticket_id": ticket_id,
        "user_id": _id(record.get("user_id")),
        "text": plain_text(html) if html else record.get("body_text") or "",
        "html": html,
        "incoming": bool(record.get("incoming")),
        "private": bool(record.get("private", True)),
        "created_ms": time_ms(record.get("created_at")),
        "updated_ms": time_ms(record.get("updated_at")),
    }


def article_row(record: Record, folder: Record, category: Record) -> dict[str, Any]:
    """One article; its hash covers all that matters to an answer, whatever its dates say."""
    row = {
        "id": str(record["id"]),
        "title": record.get("title") or "",
        "text": plain_text(record.get("description") or ""),
        "html": record.get("description") or "",
        "published": record.get("status") == 2,
        "category": category.get("name") or "",
        "folder_id": str(folder["id"]),
        "tags": list(record.get("tags") or []),
        "audience": audience_of(folder),
        "updated_ms": time_ms(record.get("modified_at") or record.get("updated_at")),
        "deleted": False,
    }
    known = sorted((name, value) for name, value in row.items() if name != "updated_ms")
    return {**row, "sha256": hashlib.sha256(repr(known).encode()).hexdigest()}


def audience_of(folder: Record) -> list[str] | None:
    """Who may see what lies in a folder; None = everybody of the account.

    A visibility that we do not know shows to agents only: better an answer less than a leak.
    """
    named = [
        *(f"department:{n}" for n in folder.get("department_ids") or []),
        *(f"group:{n}" for n in folder.get("group_ids") or []),
        *(f"requester_group:{n}" for n in folder.get("requester_group_ids") or []),
    ]
    if named:
        return ["agents", *named]
    return None if folder.get("visibility") in _EVERYBODY else ["agents"]


def _id(value: object) -> str:
    return "" if value is None else str(value)
