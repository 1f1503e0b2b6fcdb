"""From the performance view to what is shown: sentences, tables, marks, and what the chart draws. Pure functions."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from noria.app.http.rendering import without_nan
from noria.records import DAY_MS, Rate
from noria.stats import wilson

NOT_ENOUGH = "not enough labels"
WINDOW_DAYS = 7
METRICS: Mapping[str, tuple[str, str]] = {
    "success": ("Success", "right answers ÷ requests in scope"),
    "coverage": ("Coverage", "answers ÷ requests in scope"),
    "preciseness": ("Preciseness", "right answers ÷ answers given"),
    "helpfulness": ("Helpfulness", "judged helpful ÷ judged helpful or not"),
    "new_domain": ("New domain", "legitimate requests outside the scope ÷ queries"),
    "irrelevant": ("Irrelevant", "no support request at all ÷ queries"),
}
UNLABELLED = {"meaning": "A new kind of query", "words": "Wording"}
"""What findings are about that no label tells of; others by their own name."""
KINDS = {"release": "went live", "rollback": "rolled back to", "hold": "on hold", "refuse": "refused"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A rate as text: its value, or that there are not enough labels; with interval and count."""

    value: str
    interval: str
    count: str
    enough: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, as marked in the graph. `kind`: release, change or finding."""

    key: str
    kind: str
    when: str
    text: str
    from_ms: int
    to_ms: int
    id: str = ""


def percent(share: float | None) -> str:
    """A share from 0 to 1, as per cent with one decimal."""
    return "–" if share is None or not math.isfinite(share) else f"{100 * share:.1f}\u00a0%"


def number(value: float | None) -> str:
    """A count with thousands separated."""
    return "–" if value is None else f"{value:,.0f}"


def day_text(day: str) -> str:
    """A day YYYY-MM-DD as `9 Mar 2026`."""
    date = dt.date.fromisoformat(day)
    return f"{date.day} {date:%b %Y}"


def date_text(time_ms: float) -> str:
    """The UTC day of a time (UTC milliseconds) as `9 Mar 2026`."""
    return day_text(dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).date().isoformat())


def time_text(time_ms: float) -> str:
    """A time (UTC milliseconds) as `9 Mar 2026, 14:05`; midnight as the day alone."""
    clock = f"{dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC):, %H:%M}"
    return date_text(time_ms) + clock.replace(", 00:00", "")


def figure(rate: Mapping[str, Any] | Rate | None, of: str = "") -> Figure:
    """A rate as text. `of` names what is counted, e.g. "labelled requests"."""
    r = asdict(rate) if isinstance(rate, Rate) else dict(rate or {})
    value = r.get("value")
    count = f"{number(r.get('k'))} of {number(r.get('n'))}{f' {of}' if of else ''}"
    if value is None or not math.isfinite(value) or not r.get("n"):
        return Figure(NOT_ENOUGH, "", f"0{f' {of}' if of else ' labels'}", enough=False)
    interval = f"{100 * r['low']:.1f} to {percent(r['high'])}"
    return Figure(percent(value), interval, count, enough=True)


def pooled(days: Iterable[Mapping[str, Any]], metric: str) -> Rate:
    """One rate of several days, from their counts, with its Wilson interval."""
    rates = [day.get(metric) or {} for day in days]
    return wilson(sum(int(r.get("k") or 0) for r in rates), sum(int(r.get("n") or 0) for r in rates))


def latest(days: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The days of the window that ends with the last day that has labels; empty when none has."""
    labelled = [day for day in days if day["labels"]]
    return _window(days, labelled[-1]["day"], -WINDOW_DAYS) if labelled else []


def span(days: Sequence[Mapping[str, Any]]) -> str:
    """The first and last of some days, as text."""
    if not days:
        return ""
    first, last = day_text(days[0]["day"]), day_text(days[-1]["day"])
    if first[-5:] == last[-5:] and first != last:
        first = first[:-5]
    return first if first == last else f"{first} to {last}"


def marks(view: Mapping[str, Any]) -> list[Mark]:
    """Releases R1, R2 …, planted changes A, B … and findings F1, F2 …, in that order."""
    found = [
        Mark(f"R{i}", "release", time_text(r["time_ms"]), f"{r['release']} {_went(r['kind'])}", *[r["time_ms"]] * 2)
        for i, r in enumerate(view["releases"], 1)
    ]
    changes = (view["replay"] or {}).get("changes", [])
    found += [
        Mark(_letters(i), "change", time_text(c["time_ms"]), c["sentence"] or c["name"], *[c["time_ms"]] * 2)
        for i, c in enumerate(changes)
    ]
    for i, f in enumerate(view["findings"], 1):
        began = (f["inception_low_ms"], f["inception_high_ms"])
        name = f.get("finding_id", "")
        found.append(Mark(f"F{i}", "finding", time_text(f["raised_ms"]), f["sentence"], *began, name))
    return found


def summary(view: Mapping[str, Any]) -> str:
    """The graph in a few sentences, for those who do not see it."""
    days, now = view["days"], latest(view["days"])
    labelled = [day for day in days if day["labels"]]
    if not now:
        return "There are no labels yet, so success cannot be told."
    current = figure(pooled(now, "success"))
    text = f"From {span(now)} success was {_told(current)}."
    first = _window(days, labelled[0]["day"], WINDOW_DAYS)
    if first[-1]["day"] < now[0]["day"]:
        text = f"From {span(first)} success was {_told(figure(pooled(first, 'success')))}. {text}"
    counts = [
        _many(len([r for r in view["releases"] if r["kind"] == "release"]), "release went", "releases went") + " live",
        _many(len(view["findings"]), "finding was", "findings were") + " raised",
    ]
    return f"{text} {' and '.join(counts)}."


def replay_sentence(view: Mapping[str, Any]) -> str:
    """What the loop gained on the replayed stream, in one paragraph; empty without a replay."""
    if not view["replay"]:
        return ""
    s = without_nan(view["replay"]["summary"])
    uplift = s["uplift_percent"]
    gain = "" if uplift is None else f": {abs(uplift):.1f}\u00a0% {'more' if uplift >= 0 else 'fewer'}"
    end = f"In the last {number(s['end_days'])} days of" if s.get("end_days") else "On"
    return (
        f"{end} the replayed stream the agent served {percent(s['success_with'])} of the requests rightly with the "
        f"loop and {percent(s['success_without'])} without it{gain}. "
        f"In all it saw {number(s['queries'])} queries in {number(s['days'])} days and asked people for "
        f"{number(s['labels'])} labels; {_many(s['releases'], 'further release', 'further releases')} went live, "
        f"{_many(s['refusals'], 'candidate was', 'candidates were')} refused and {number(s['holds'])} put on hold."
    )


def rows(view: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a day, oldest first: the day's figures, and the replay's where there is one."""
    days = {day["day"]: day for day in view["days"]}
    replayed = {day["day"]: day for day in (view["replay"] or {}).get("days", [])}
    return [
        {
            "day": day,
            "predictions": days.get(day, {}).get("predictions"),
            "labels": days.get(day, {}).get("labels", 0),
            "rates": {name: days.get(day, {}).get(name) for name in METRICS},
            "with_loop": replayed.get(day, {}).get("with_loop"),
            "without_loop": replayed.get(day, {}).get("without_loop"),
            "n": replayed.get(day, {}).get("n"),
        }
        for day in sorted(days.keys() | replayed.keys())
    ]


def chart(view: Mapping[str, Any]) -> dict[str, Any]:
    """What the chart draws: a point a day, at noon UTC, and the marks."""
    return {
        "days": [
            {
                "time_ms": _midnight_ms(row["day"]) + DAY_MS // 2,
                "success": without_nan(row["rates"]["success"]),
                "with_loop": without_nan(row["with_loop"]),
                "without_loop": without_nan(row["without_loop"]),
                "n": row["n"],
            }
            for row in rows(view)
        ],
        "replayed": bool(view["replay"]),
        "marks": [{name: getattr(m, name) for name in ("key", "kind", "from_ms", "to_ms", "id")} for m in marks(view)],
    }


def page(view: Mapping[str, Any]) -> dict[str, Any]:
    """All that the performance page and the replay's report show, as the context of their templates."""
    view = without_nan(view)
    now = latest(view["days"])
    live = next((r for r in reversed(view["releases"]) if r["kind"] in {"release", "rollback"}), None)
    return {
        "view": view,
        "title": view["title"],
        "generated": time_text(view["generated_ms"]),
        "window": span(now),
        "now": [(*METRICS[name], figure(pooled(now, name))) for name in METRICS],
        "labels": number(sum(day["labels"] for day in view["days"])),
        "labelled_days": number(sum(1 for day in view["days"] if day["labels"])),
        "predictions": number(sum(day["predictions"] for day in view["days"])),
        "live": live and {"release": live["release"], "since": date_text(live["time_ms"])},
        "summary": summary(view),
        "replayed": replay_sentence(view),
        "marks": marks(view),
        "metrics": METRICS,
        "rows": [
            {
                **row,
                "day": day_text(row["day"]),
                "figures": [figure(row["rates"][name]) for name in METRICS],
                "with_loop": percent(row["with_loop"]),
                "without_loop": percent(row["without_loop"]),
            }
            for row in rows(view)
        ],
        "verdicts": [
            {**v, "when": time_text(v["time_ms"]), "went": KINDS.get(v["kind"], v["kind"])}
            for v in reversed(view["verdicts"])
        ],
        "findings": [_finding(f, i) for i, f in enumerate(view["findings"], 1)][::-1],
        "chart": chart(view),
    }


def as_csv(view: Mapping[str, Any]) -> str:
    """The figures by day as CSV; shares from 0 to 1, empty where there are not enough labels."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n").writerow
    parts = ("value", "low", "high", "k", "n")
    columns = [f"{metric}_{part}" for metric in METRICS for part in parts]
    write(["day", "predictions", "labels", *columns, "with_loop", "without_loop", "requests"])
    for row in without_nan(rows(view)):
        rates = [(row["rates"][m] or {}).get(p) for m in METRICS for p in parts]
        write([row["day"], row["predictions"], row["labels"], *rates, row["with_loop"], row["without_loop"], row["n"]])
    return out.getvalue()


def finding_title(metric: str, of: str = "") -> str:
    """What a finding is about, and whose queries ("account=acme", "" = all), in a few words."""
    name = METRICS[metric][0] if metric in METRICS else UNLABELLED.get(metric, metric.replace("_", " ").capitalize())
    return f"{name}, {of.replace('=', ' ', 1)}" if of else name


def _finding(f: Mapping[str, Any], place: int) -> dict[str, Any]:
    return {
        "key": f"F{place}",
        "id": f.get("finding_id", ""),
        "metric": finding_title(f["metric"], f.get("slice", "")),
        "sentence": f["sentence"],
        "raised": time_text(f["raised_ms"]),
        "raised_day": date_text(f["raised_ms"]),
        "low": time_text(f["inception_low_ms"]),
        "high": time_text(f["inception_high_ms"]),
    }


def _window(days: Sequence[Mapping[str, Any]], day: str, length: int) -> list[Mapping[str, Any]]:
    """The days from `day` on (length > 0) or up to it (length < 0), `length` calendar days at most."""
    edge = dt.date.fromisoformat(day)
    other = edge + dt.timedelta(days=length - (1 if length > 0 else -1))
    low, high = sorted((edge.isoformat(), other.isoformat()))
    return [d for d in days if low <= d["day"] <= high]


def _told(shown: Figure) -> str:
    return f"{shown.value} (95\u00a0% interval {shown.interval}; {shown.count})" if shown.enough else "not to be told"


def _went(kind: str) -> str:
    return "went live again" if kind == "rollback" else "went live"


def _many(count: float, one: str, many: str) -> str:
    return f"{number(count)} {one if count == 1 else many}"


def _letters(place: int) -> str:
    return chr(65 + place % 26) + (str(place // 26 + 1) if place >= 26 else "")


def _midnight_ms(day: str) -> int:
    return int(dt.datetime.fromisoformat(day).replace(tzinfo=dt.UTC).timestamp()) * 1000
