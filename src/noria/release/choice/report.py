"""A choice for people: what won, what it was up against, what it gives up, and how sure that is."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from noria.release.choice.choosing import Choice, Placed
from noria.stats.criteria import CATALOGUE

Form = Literal["html", "markdown"]


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    lines: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def report(choice: Choice, form: Form) -> str:
    """The report as one HTML file that asks for nothing outside, or as Markdown."""
    sections = [
        _Section("Which model to offer for release", [choice.sentence]),
        _asked(choice),
        _limits(choice),
        *([_shortlist(choice), _costs(choice), _luck(choice), _firmness(choice)] if choice.placed else []),
    ]
    return _html(sections) if form == "html" else _markdown(sections)


def _asked(choice: Choice) -> _Section:
    policy = choice.policy
    total = sum(o.weight for o in policy.objectives)
    rows = [
        (
            str(place),
            o.criterion,
            o.of.definition,
            {"higher": "more", "lower": "less", "target": f"near {o.of.target:g}"}[o.of.direction],
            f"{100 * o.weight / total:.0f} %" if policy.order == "weights" else f"within {o.tolerance:g}",
        )
        for place, o in enumerate(policy.objectives, start=1)
    ]
    how = "added up by weight" if policy.order == "weights" else "one after the other, the first decides first"
    return _Section(
        "What was asked for", [f"Objectives, {how}:"], ("#", "objective", "what it is", "better", "counts"), rows
    )


def _limits(choice: Choice) -> _Section:
    if not choice.policy.limits and not choice.unmeasured:
        return _Section("Hard limits", ["None."])
    rows = [(str(lim), _of(choice.refused[str(lim)], choice.runs)) for lim in choice.policy.limits]
    rows += [(f"{name} was measured", _of(count, choice.runs)) for name, count in choice.unmeasured.items()]
    said = f"{choice.within} of {choice.runs} runs are within all of them."
    return _Section("Hard limits", [said], ("limit", "runs that break it"), rows)


def _shortlist(choice: Choice) -> _Section:
    names = [o.criterion for o in choice.policy.objectives]
    seen = "fresh rows" if choice.by_fresh else "the rows that runs were compared on"
    lines = [f"Figures on {seen}, best first."]
    if choice.by_fresh:
        lines.append(
            f"The order is by what each run has at the least: bounds that hold for all {len(choice.placed)} at once "
            f"with {100 * choice.policy.level:g} % certainty."
        )
    else:
        lines.append("No fresh rows were looked at, so these figures flatter the winner; see below by how much.")
    rows = [_row(choice, p, names) for p in choice.placed]
    return _Section("What it was up against", lines, ("", "run", *names, "score", ""), rows)


def _row(choice: Choice, placed: Placed, names: Sequence[str]) -> list[str]:
    figures = placed.fresh if choice.by_fresh else placed.values
    score = placed.score if placed.bound is None else placed.bound
    cells = [_figure(name, figures[name]) for name in names]
    if choice.by_fresh:
        cells = [f"{c} (at worst {_figure(n, placed.pessimistic[n])})" for c, n in zip(cells, names, strict=True)]
    notes = [f"breaks {', '.join(placed.breaks)} on fresh rows"] if placed.breaks else []
    if placed.tag in choice.front:
        notes.append("on the Pareto front")
    return ["→" if placed.tag == choice.chosen else "", placed.tag, *cells, f"{score:.3f}", "; ".join(notes)]


def _costs(choice: Choice) -> _Section:
    title = "What it gives up"
    if choice.chosen is None:
        return _Section(title, ["Nothing was chosen."])
    if not choice.gives_up:
        return _Section(title, ["Nothing: no run of the shortlist is better in any objective."])
    rows = [(g.criterion, _figure(g.criterion, g.own), _figure(g.criterion, g.best), g.tag) for g in choice.gives_up]
    return _Section(
        title, ["Another run of the shortlist is better here:"], ("objective", "chosen", "best", "run"), rows
    )


def _luck(choice: Choice) -> _Section:
    title, first = "How much of it is luck", choice.policy.objectives[0]
    lines = []
    if choice.optimism is None:
        lines.append("Not told: the runs' figures came without intervals.")
    else:
        found = choice.optimism
        measured = CATALOGUE[first.criterion].goodness(found.measured) if first.of.direction != "target" else None
        likely = CATALOGUE[first.criterion].goodness(found.likely) if first.of.direction != "target" else None
        lines.append(
            f"Of {found.runs} runs within the limits the best in {first.criterion} flatters itself by about "
            f"{_amount(first.criterion, found.expected)}, simply because it is the best of so many."
        )
        if measured is not None and likely is not None:
            lines.append(
                f"It measured {_figure(first.criterion, measured)}; expect {_figure(first.criterion, likely)}."
            )
    placed = next((p for p in choice.placed if p.tag == choice.chosen), None)
    if placed is not None and placed.fresh:
        before, after = placed.values[first.criterion], placed.fresh[first.criterion]
        lines.append(
            f"The chosen run had {_figure(first.criterion, before)} where runs were compared and "
            f"{_figure(first.criterion, after)} on fresh rows."
        )
    return _Section(title, lines)


def _firmness(choice: Choice) -> _Section:
    title, firm = "Would other weights choose otherwise?", choice.sensitivity
    if firm is None:
        return _Section(title, ["Not asked: nothing was chosen, or the objectives do not go by weights."])
    rows = [(tag, f"{100 * share:.0f} %") for tag, share in list(firm.wins.items())[:5]]
    lines = [
        f"{name}: its weight may be multiplied by {low:.2g} to {'anything' if high == float('inf') else f'{high:.2g}'}."
        for name, (low, high) in firm.ranges.items()
    ]
    intro = "With weights shaken by factors of about 0.6 to 1.65 these runs would win:"
    return _Section(title, [*lines, intro], ("run", "wins"), rows)


def _figure(name: str, value: float) -> str:
    if CATALOGUE[name].unit == "share":
        return f"{100 * value:.1f} %"
    return f"{value:.4g}"


def _amount(name: str, value: float) -> str:
    return f"{100 * value:.1f} points" if CATALOGUE[name].unit == "share" else f"{value:.3g}"


def _of(count: int, runs: int) -> str:
    return f"{count} of {runs}"


def _markdown(sections: Sequence[_Section]) -> str:
    out = []
    for level, section in enumerate(sections):
        out.append(f"{'#' if level == 0 else '##'} {section.title}\n")
        out += [f"{line}\n" for line in section.lines]
        if section.header:
            out.append("| " + " | ".join(section.header) + " |")
            out.append("|" + " --- |" * len(section.header))
            out += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in section.rows]
            out.append("")
    return "\n".join(out)


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{border:1px solid #c8ced6;padding:.3rem .6rem;text-align:left}"
    "th{background:#f1f3f6}.wide{overflow-x:auto}"
)


def _html(sections: Sequence[_Section]) -> str:
    body = []
    for level, section in enumerate(sections):
        tag = "h1" if level == 0 else "h2"
        body.append(f"<{tag}>{html.escape(section.title)}</{tag}>")
        body += [f"<p>{html.escape(line)}</p>" for line in section.lines]
        if section.header:
            head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in section.header)
            rows = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in section.rows]
            lines = "".join(f"<tr>{row}</tr>" for row in rows)
            body.append(f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table></div>')
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(sections[0].title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )
