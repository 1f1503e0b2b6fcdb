"""Writes docs/criteria.md from the catalogue of criteria: `python scripts/criteria.py`."""

from __future__ import annotations

from pathlib import Path

from noria.stats.criteria import CATALOGUE, COMPONENTS, Criterion

TARGET = Path(__file__).resolve().parent.parent / "docs" / "criteria.md"
HEAD = """# The catalogue of criteria

Made by `python scripts/criteria.py` from the catalogue itself; do not edit it by hand.

{count} named measures of an agent, each with a direction, a unit, a definition, a source and what it needs.
`noria evaluate --criteria FILE` measures all that the rows can tell; of the others it says "not measurable: needs …",
never 0. How to choose by them: [choosing.md](choosing.md).

**Rows.** *In scope*: the right intent is one of the agent's. *Out of scope*: a legitimate request outside the scope, or
an irrelevant text. *Judged*: both, without small talk. *Right*: the top intent is the right one.

**Intervals** (95 %). *Wilson*: of a share of rows. *Bootstrap*: percentiles of 200 samples of the rows, less the
bootstrap's own estimate of the bias, so that a figure that leans on resampled rows (a calibration error, the worst of
many classes) still lies in its interval. *None*: figures of time and size, and those over a whole list of articles.

**Direction.** ↑ higher is better, ↓ lower is better, → the nearer to the target the better.
"""
ARROWS = {"higher": "↑", "lower": "↓"}


def row(one: Criterion) -> str:
    """A line of the table."""
    direction = ARROWS.get(one.direction, f"→ {one.target:g}")
    needs = ", ".join(f"`{need}`" for need in one.needs)
    cells = [f"`{one.id}`", direction, one.unit, one.definition, needs, one.interval, one.source]
    return "| " + " | ".join(cells) + " |"


def document() -> str:
    """The whole page."""
    parts = [HEAD.format(count=len(CATALOGUE))]
    for component, about in COMPONENTS.items():
        mine = [one for one in CATALOGUE.values() if one.component == component]
        parts.append(f"\n## {component}: {about} ({len(mine)})\n")
        parts.append("| criterion | better | unit | definition | needs | interval | source |")
        parts.append("| --- | --- | --- | --- | --- | --- | --- |")
        parts += [row(one) for one in mine]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
