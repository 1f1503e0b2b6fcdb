"""Where two runs part: environment, data, code, settings, numerics, in that order; the first is the cause."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Place = Literal["environment", "data", "code", "settings", "numerics"]
PLACES: tuple[Place, ...] = ("environment", "data", "code", "settings", "numerics")

_LISTED = 6
_NO_CAUSE = {"threads"}
"""Facts of the environment that are told, but make no difference: every fit holds to one thread by itself."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs. `was`, `now`: its two values as text."""

    place: Place
    what: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.what}: {self.was} → {self.now}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs held against each other.

    `differences`: all, in order of place. `same_results`: predictions, model and deterministic criteria are equal to
    the last bit. `criteria`: how many criteria were compared. `changed_predictions`: of `predictions`.
    """

    differences: tuple[Difference, ...]
    same_results: bool
    criteria: int
    predictions: int
    changed_predictions: int

    @property
    def identical(self) -> bool:
        """Nothing differs."""
        return self.same_results and not self.differences

    @property
    def cause(self) -> Place | None:
        """The first place of difference."""
        return self.differences[0].place if self.differences else None

    def told(self) -> str:
        """For people: the verdict, then what differs, the first place first."""
        if self.identical:
            return (
                f"identical: data, code, environment, settings, {self.predictions} predictions, the model and "
                f"{self.criteria} criteria are equal to the last bit."
            )
        results = "the results are equal all the same" if self.same_results else self._results()
        lines = [f"different, first in {self.cause}; {results}."]
        for place in PLACES:
            found = [d for d in self.differences if d.place == place]
            lines += [f"  {place:<12} {d}" for d in found[:_LISTED]]
            if len(found) > _LISTED:
                lines.append(f"  {place:<12} ... and {len(found) - _LISTED} more")
        return "\n".join(lines)

    def _results(self) -> str:
        return f"{self.changed_predictions} of {self.predictions} predictions differ"


def compare(was: Mapping[str, Any], now: Mapping[str, Any], said_was: bytes = b"", said_now: bytes = b"") -> Comparison:
    """Compares two manifests and, where they are given, the predictions as they are kept (gzip of JSON)."""
    found = [
        *_environment(was["environment"], now["environment"]),
        *_data(was["data"], now["data"]),
        *_code(was["code"], now["code"]),
        *_flat("settings", was["settings"], now["settings"]),
    ]
    results_was, results_now = was["results"], now["results"]
    criteria = _criteria(results_was["criteria"], results_now["criteria"])
    predictions, changed = 0, 0
    numerics: list[Difference] = []
    if said_was and said_now:
        predictions, changed, numerics = _predictions(said_was, said_now)
    same = results_was == results_now
    if results_was["bundle_sha256"] != results_now["bundle_sha256"]:
        pair = (results_was["bundle_sha256"][:12], results_now["bundle_sha256"][:12])
        numerics.append(Difference("numerics", "model", *pair))
    return Comparison((*found, *numerics, *criteria), same, len(results_was["criteria"]), predictions, changed)


def _environment(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    known = {k: v for k, v in was.items() if k not in ("packages", *_NO_CAUSE)}
    fresh = {k: v for k, v in now.items() if k not in ("packages", *_NO_CAUSE)}
    # the number of threads stands in the facts on BLAS, and is none of them
    for facts in (known, fresh):
        facts["blas"] = [" ".join(str(b).split()[:-2]) for b in facts.get("blas", [])]
    packages = _flat("environment", was.get("packages", {}), now.get("packages", {}), "package ")
    return [*packages, *_flat("environment", known, fresh)]


def _data(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    out = []
    for kind in ("examples", "articles"):
        a, b = was[kind], now[kind]
        if a != b:
            out.append(Difference("data", kind, _version(a), _version(b)))
    return out + _flat("data", {k: was[k] for k in _COUNTS}, {k: now[k] for k in _COUNTS})


_COUNTS = ("learnt_rows", "scored_rows", "scored_sha256")


def _version(told: Mapping[str, Any] | None) -> str:
    if told is None:
        return "none"
    return f"{told['name']}@{told['version']} of {told['rows']} rows, sha256 {str(told['sha256'])[:12]}"


def _code(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """By content alone: the same files are the same code, whatever git calls them."""
    if was["sha256"] == now["sha256"]:
        return []
    commits = [
        f"{c['sha256'][:12]} (commit {c['commit'][:9] or '?'}{', changed' if c['diff_sha256'] else ''})"
        for c in (was, now)
    ]
    return [Difference("code", "source", *commits)]


def _flat(place: Place, was: Any, now: Any, name: str = "") -> list[Difference]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        out = []
        for key in sorted({*was, *now}):
            out += _flat(
                place, was.get(key), now.get(key), f"{name}.{key}" if name and not name.endswith(" ") else name + key
            )
        return out
    return [] if was == now else [Difference(place, name, _short(was), _short(now))]


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _criteria(was: Mapping[str, float], now: Mapping[str, float]) -> list[Difference]:
    out = []
    for key in sorted({*was, *now}):
        a, b = was.get(key), now.get(key)
        if a != b:
            gap = "" if a is None or b is None or not math.isfinite(b - a) else f" ({b - a:+.3g})"
            out.append(Difference("numerics", key, _short(a), _short(b) + gap))
    return out


def _predictions(was: bytes, now: bytes) -> tuple[int, int, list[Difference]]:
    """(how many, how many differ, the first difference of each column)."""
    a, b = json.loads(gzip.decompress(was)), json.loads(gzip.decompress(now))
    count = len(a["id"])
    if a["id"] != b["id"]:
        return count, count, [Difference("numerics", "rows scored", str(count), str(len(b["id"])))]
    changed: set[int] = set()
    out = []
    for column in sorted(a):
        at = [i for i, (x, y) in enumerate(zip(a[column], b[column], strict=True)) if x != y]
        changed |= set(at)
        if at:
            first = at[0]
            what = f"{column} of {len(at)} rows, first {a['id'][first]!r}"
            out.append(Difference("numerics", what, _short(a[column][first]), _short(b[column][first])))
    return count, len(changed), out
