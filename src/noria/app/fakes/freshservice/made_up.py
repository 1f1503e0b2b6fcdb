"""Made-up data of a made-up company, the same for the same seed."""

from __future__ import annotations

import random
from typing import Any

from noria.app.fakes.freshservice.desk import stamp

_DAY_MS = 86_400_000
_TOPICS = (
    ("VPN", "The VPN does not connect", "Restart the VPN client and sign in again."),
    ("Printer", "The printer shows a paper jam", "Open the rear cover and take the sheet out."),
    ("Password", "I forgot my password", "Use the reset link on the sign-in page."),
    ("Laptop", "My laptop is very slow", "Close what you do not use, then restart."),
)


def made_up_data(now_ms: int, tickets: int = 250, seed: int = 0) -> dict[str, list[dict[str, Any]]]:
    """Tickets of the last 100 days, replies, private notes, articles with visibility, people, satisfaction."""
    chance = random.Random(seed)  # noqa: S311 - no secret is made of it
    people = [{"id": 900 + n, "primary_email": f"person{n}@made-up.example", "department_ids": [1]} for n in range(20)]
    rows: list[dict[str, Any]] = []
    said: list[dict[str, Any]] = []
    csat: list[dict[str, Any]] = []
    for n in range(tickets):
        _, text, remedy = _TOPICS[n % len(_TOPICS)]
        created = now_ms - int(chance.uniform(0, 100) * _DAY_MS)
        changed = stamp(min(now_ms, created + int(chance.uniform(0, 3) * _DAY_MS)))
        number, closed = 21_000_000_000 + n, n % 3 == 0
        rows.append(
            {
                "id": number, "subject": text, "description": f"<div>{text}, since today.</div>",
                "description_text": f"{text}, since today.", "type": "Incident", "category": _TOPICS[n % 4][0],
                "status": 5 if closed else 2, "priority": 1 + n % 4, "source": 2,
                "requester_id": people[n % 20]["id"], "department_id": 1, "workspace_id": 2, "tags": [],
                "custom_fields": {}, "spam": False, "deleted": False, "created_at": stamp(created),
                "updated_at": changed,
                "stats": {"resolved_at": changed if closed else None, "closed_at": changed if closed else None,
                          "first_responded_at": changed if closed else None},
            }
        )  # fmt: skip
        for private in (False, True):
            words = "Internal: known fault." if private else remedy
            said.append(
                {"id": 31_000_000_000 + len(said), "ticket_id": number, "user_id": 700, "body": f"<p>{words}</p>",
                 "body_text": words, "incoming": False, "private": private, "created_at": changed,
                 "updated_at": changed}
            )  # fmt: skip
        if n % 9 == 0:
            score = {"acquired_score": 3, "total_score": 3}
            csat.append({"id": 50 + n, "ticket_id": number, "score": score, "created_at": changed})
    folders = [
        {"id": 11, "category_id": 1, "name": "For everybody", "visibility": 1, "department_ids": []},
        {"id": 12, "category_id": 1, "name": "For agents", "visibility": 3, "department_ids": []},
        {"id": 13, "category_id": 1, "name": "For finance", "visibility": 4, "department_ids": [2]},
    ]
    articles = [
        {"id": 100 + n, "title": f"{topic}: what to do", "description": f"<p>{remedy}</p>",
         "status": 2 if n < 12 else 1,
         "folder_id": folders[n % 3]["id"], "category_id": 1, "tags": [topic.lower()],
         "updated_at": stamp(now_ms - n * _DAY_MS)}
        for n, (topic, _, remedy) in enumerate(_TOPICS * 4)
    ]  # fmt: skip
    return {
        "tickets": rows, "conversations": said, "csat": csat, "requesters": people, "folders": folders,
        "articles": articles, "categories": [{"id": 1, "name": "IT"}],
        "departments": [{"id": 1, "name": "Sales"}, {"id": 2, "name": "Finance"}],
        "service_items": [{"id": 5, "display_id": 5, "name": "New laptop", "short_description": "Order a laptop",
                           "description": "<p>A new laptop</p>", "category_id": 1, "deleted": False}],
        "ticket_fields": [{"name": "source", "choices": [{"id": 2, "value": "Portal"}, {"id": 11, "value": "Bot"}]}],
    }  # fmt: skip
