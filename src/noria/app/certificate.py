"""A release's certificate for people: as text and as one page that stands alone."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Any

_SAID = {"promote": "promoted", "hold": "on hold", "refuse": "refused"}
_MARKS = {True: "passed", None: "not enough labels", False: "failed"}


def certificate_text(told: Mapping[str, Any]) -> str:
    """The certificate in plain lines."""
    view = certificate_view(told)
    lines = [view["title"], view["sentence"], ""]
    lines += [f"{mark:18}{sentence}" for mark, sentence in view["checks"]]
    lines += ["", *(f"{name:18}{value}" for name, value in view["facts"])]
    return "\n".join(lines)


def certificate_page(told: Mapping[str, Any]) -> str:
    """One HTML file that asks for nothing outside: its policy allows only the style that is written into it."""
    from markupsafe import Markup

    from noria.app.http.rendering import render, static_text

    style = static_text("noria.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return render(
        "certificate.html",
        # our own file, the same that the server sends; everything from the certificate is escaped
        style=Markup(style),  # noqa: S704
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'",
        **certificate_view(told),
    )


def certificate_view(told: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown: a title, the verdict's sentence, each check, the bounds by slice, and the facts it rests on."""
    name = told["release"] or told["tag"]
    return {
        "title": f"Certificate of {name}: {_SAID[told['verdict']]}",
        "sentence": told["sentence"],
        "checks": [(_MARKS[check["passed"]], check["sentence"]) for check in told["checks"]],
        "lines": [_line(line) for line in (told["gate"] or {}).get("lines", ())],
        "facts": _facts(told),
    }


def _line(line: Mapping[str, Any]) -> dict[str, Any]:
    anchor, champion = line["anchor"], line["champion"]
    return {
        "slice": "all traffic" if line["slice"] == "all" else line["slice"],
        "n": anchor["n"],
        "champion": _points((champion["c"] - champion["b"]) / champion["n"]) if champion else "",
        "anchor": _points((anchor["c"] - anchor["b"]) / anchor["n"]) if anchor["n"] else "",
        "lower": _points(line["lower"]),
        "margin": _points(-line["margin"]),
        "verdict": _SAID[line["kind"]] if line["kind"] != "promote" else "passed",
    }


def _facts(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    ledger = told["ledger"]
    facts = [("Experiment tag", told["tag"]), ("Model bundle", told["bundle_sha256"])]
    facts += [("Trained", _when(told["trained_ms"])), ("Judged", _when(told["judged_ms"]))]
    facts += [
        (f"Data: {what}", f"{v['name']}@{v['version']}, {v['rows']} rows, sha256 {v['sha256']}")
        for what, v in sorted(told["data"].items())
    ]
    if told["pairs_sha256"]:
        facts.append(("Basket score", _percent(told["basket_score"]) + _before(told["champion_basket_score"])))
        facts.append(("Single outcomes", told["pairs_sha256"]))
    facts += _standing(told["gate"]) if told["gate"] else []
    if "stage" in told:
        stages = ("shadow" if share == 0 else f"canary {100 * share:g} %" for share in told["stage"]["stages"])
        facts.append(("Stages", f"{', '.join(stages)}, by {told['stage']['by']}, as {told['stage']['name']}"))
    facts.append(("Ledger", f"entry {ledger['seq']}, hash {ledger['hash']}"))
    return facts


def _standing(gate: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Labels, opponents, and what of the chance of error the verdict was allowed."""
    fresh, n = gate["fresh"], gate["fresh"]["n"]
    spread = f"over any {gate['cycles']} verdicts in a row" if gate["cycles"] else "over all verdicts"
    bounds = f"{100 * gate['level']:.3f} %"
    facts = [("Held against", f"champion {gate['champion']}, anchor {gate['anchor']}")]
    if n:
        scores = _percent(fresh["candidate"] / n) + _before(fresh["champion"] / n)
        facts.append(("Fresh labels", f"{n}: {scores}"))
    facts.append(("Chance of error", f"{_percent(gate['alpha'])} {spread}"))
    facts.append(("Verdict number", f"{gate['cycle']}; each of its bounds holds with {bounds}"))
    facts.append(("Anchor", "moves to this release" if gate["moves_anchor"] else f"stays {gate['anchor']}"))
    return facts


def _before(value: float | None) -> str:
    return f" (champion {_percent(value)})" if value is not None else ""


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"


def _when(time_ms: int) -> str:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
