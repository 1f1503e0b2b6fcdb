"""The report of a replay: one HTML file that stands alone, with the graph of the performance page."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any


def render_report(view: Mapping[str, Any]) -> str:
    """One self-contained HTML file of a performance view (see `noria.app.http.house.House.performance`).

    It asks for nothing outside: style, chart code and ECharts are written into it, and its policy allows just these.
    """
    from markupsafe import Markup

    from noria.app.http import figures
    from noria.app.http.rendering import render, static_text

    style = static_text("noria.css")
    scripts = [static_text("vendor/echarts.min.js"), static_text("js/performance.js")]
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hashed(style)}; "
        f"script-src {' '.join(_hashed(script) for script in scripts)}"
    )
    return render(
        "report.html",
        page="",
        # our own files, the same that the server sends; everything from the view is escaped
        style=Markup(style),  # noqa: S704
        scripts=[Markup(script) for script in scripts],  # noqa: S704
        policy=policy,
        **figures.page(view),
    )


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
