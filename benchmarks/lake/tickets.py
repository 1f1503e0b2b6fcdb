"""Writes made-up raw tickets: `python tickets.py ROWS FILE [FIRST]`; about 300 bytes each, seeded."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

WORDS = [
    "the",
    "a",
    "my",
    "your",
    "we",
    "cannot",
    "could",
    "please",
    "help",
    "office",
    "laptop",
    "screen",
    "printer",
    "network",
    "password",
    "login",
    "account",
    "email",
    "vpn",
    "server",
    "folder",
    "shared",
    "meeting",
    "calendar",
    "phone",
    "update",
    "install",
    "error",
    "message",
    "since",
    "yesterday",
    "morning",
    "monday",
    "restart",
    "slow",
    "connect",
    "access",
    "request",
    "permission",
    "manager",
    "team",
    "new",
    "old",
    "broken",
    "again",
    "still",
    "nothing",
    "works",
    "when",
    "open",
    "close",
]
LABELS = ("hardware", "software", "network", "access", "email", "other")
NOISE = (
    "<p>Hello <b>team</b>,</p><p>{}</p><br>Thanks &amp; regards",
    "{}\n\nOn Mon, 3 Jun 2024 at 10:12, Support wrote:\n> Dear user,\n> please tell us more",
    "{}\n-- \nJane Roe\nSales",
    "{}   call me  at +49 170 123{:04} or mail jane.roe{}@example.com",
    "{} ｆｕｌｌ　ｗｉｄｔｈ “quotes” and café",
    "the address is 10.1.{}.{} and the card 4111 1111 1111 1111: {}",
)


def ticket(number: int, draw: random.Random, seen: list[str]) -> dict[str, object]:
    """A ticket; of a hundred two repeat an earlier text, three nearly, and thirty carry noise."""
    chance = draw.random()
    body = " ".join(draw.choices(WORDS, k=draw.randint(12, 40)))
    if chance < 0.02 and seen:
        body = draw.choice(seen)
    elif chance < 0.05 and seen:
        body = draw.choice(seen) + " " + draw.choice(WORDS)
    elif chance < 0.35:
        kind = draw.randrange(len(NOISE))
        n = number % 250
        body = (NOISE[kind].format(n, n, body) if kind == 5 else NOISE[kind].format(body, n, n))  # fmt: skip
    elif chance < 0.353:
        body = "?"
    elif len(seen) < 5_000:
        seen.append(body)
        chance = 0.0
    minute, day = number % 1440, number // 1440
    stamp = f"{2015 + day // 336}-{1 + day // 28 % 12:02}-{1 + day % 28:02}T{minute // 60:02}:{minute % 60:02}:00Z"
    return {
        "id": f"T{number:09}", "body": body,
        "subject": " ".join(draw.choices(WORDS, k=4)) if chance >= 0.05 else "request",
        "category": LABELS[hash_of(body) % len(LABELS)], "requester": f"user{number % 5000}@example.com",
        "created_at": stamp, "updated_at": stamp,
    }  # fmt: skip


def hash_of(text: str) -> int:
    """The same on every machine."""
    return sum(text.encode()) % 997


def main() -> None:
    """One file."""
    rows, path, first = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0
    draw, seen = random.Random(7 + first), []  # noqa: S311 - made-up data
    with path.open("w", encoding="utf-8") as file:
        for number in range(first, first + rows):
            file.write(json.dumps(ticket(number, draw, seen), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
