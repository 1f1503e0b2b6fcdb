"""The page of the API is what the app says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_api_page_is_what_the_openapi_document_says():
    """After a change: python scripts/api_page.py."""
    spec = importlib.util.spec_from_file_location("api_page", ROOT / "scripts" / "api_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "api.md").read_text(encoding="utf-8") == module.page()
