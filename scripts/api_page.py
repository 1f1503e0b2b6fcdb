"""Writes docs/api.md from the OpenAPI document of the app."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from noria.app.http.access.rules import OPEN, rule_of
from noria.app.http.v1 import asking, conversations, help_desk, labelling, standing
from noria.serve.access.principal import MAY

PAGE = Path(__file__).resolve().parent.parent / "docs" / "api.md"
HEAD = """# The HTTP API

Made by `python scripts/api_page.py` from the OpenAPI document, which a running server gives at `/v1/openapi.json`.

Bodies and replies are JSON. A failure is a problem of RFC 9457 (`application/problem+json`) with `type`, `title`,
`status` and `detail`: 401 no key, 403 not with this key, 404, 413 too large, 422 not valid, 429 too often and 503 try
again (both with `Retry-After`). A text has at most 2,000 characters, a body 64 KiB. Send the key as
`Authorization: Bearer …`; which role has which right: [serving.md](serving.md).
"""


def main() -> None:
    """Writes the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The text of the page."""
    app = FastAPI(title="Noria")
    for topic in (asking, conversations, help_desk, standing, labelling):
        app.include_router(topic.router)
    document: dict[str, Any] = json.loads(json.dumps(app.openapi()))
    parts = [HEAD]
    tag = ""
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            if told["tags"][0] != tag:
                tag = told["tags"][0]
                parts.append(f"\n## {tag.capitalize()}\n")
            parts.append(_operation(path, method.upper(), told, document["components"]["schemas"]))
    return "\n".join(parts) + "\n"


def _operation(path: str, method: str, told: dict[str, Any], schemas: dict[str, Any]) -> str:
    right = rule_of(method, path.replace("{", "").replace("}", "")).right
    who = "anybody" if right == OPEN else f"`{right}` ({', '.join(role for role, may in MAY.items() if right in may)})"
    lines = [f"### {method} {path}\n", told["description"].replace("\n", " "), f"\nRight: {who}."]
    body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {}).get("$ref")
    if body:
        lines.append(f"Body: {_fields(schemas[body.rpartition('/')[2]])}.")
    asked = [p["name"] for p in told.get("parameters", []) if p["in"] == "query"]
    if asked:
        lines.append(f"Query: {', '.join(f'`{name}`' for name in asked)}.")
    for status, reply in sorted(told["responses"].items()):
        schema = reply.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref")
        if status.startswith("2") and schema:
            lines.append(f"Reply {status}: {_fields(schemas[schema.rpartition('/')[2]])}.")
    return "\n".join(lines) + "\n"


def _fields(schema: dict[str, Any]) -> str:
    needed = set(schema.get("required", ()))
    return ", ".join(f"`{name}`" + ("" if name in needed else "?") for name in schema["properties"])


if __name__ == "__main__":
    main()
