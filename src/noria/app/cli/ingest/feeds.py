"""Feed files of a home: `feeds/NAME.toml`, read, listed and drafted from a first look at the rows."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from noria.errors import NotFound, UsageError

if TYPE_CHECKING:
    from noria.app.home import Home
    from noria.build.pipeline.feed import Feed
    from noria.ports.source import Source

_LOOKED_AT = 2_000
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")


def feed_names(home: Home) -> list[str]:
    """The feeds of a home, in order."""
    return sorted(path.stem for path in _folder(home).glob("*.toml"))


def read_feed(home: Home, name: str) -> Feed:
    """A feed by its file.

    Raises:
        NotFound: there is none of that name. UsageError: the file is not in order.
    """
    from noria.build.pipeline.feed import feed_of

    path = _folder(home) / f"{name}.toml"
    if name not in feed_names(home):
        raise NotFound("feed", name, feed_names(home), "Make one with 'noria ingest add NAME FILES'.")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}.") from None
    return feed_of(name, raw)


def draft(home: Home, name: str, settings: Mapping[str, Any], source: Source) -> Path:
    """Writes a feed's file from a look at its first rows; a person reads it before the first run.

    Raises:
        UsageError: there is such a feed, the source holds no rows, or no column can be the key or the text.
    """
    path = _folder(home) / f"{name}.toml"
    if path.exists():
        raise UsageError(f"there is a feed {name!r} already: {path}. Edit it, or choose another name.")
    rows = _first_rows(source)
    if not rows:
        raise UsageError(f"{source.describe()} holds no rows that could be read; nothing to make a feed of.")
    columns = list(dict.fromkeys(c for row in rows for c in row))
    types = {c: _type([r[c] for r in rows if r.get(c) is not None], c) for c in columns}
    text = _toml(settings, types, _roles(rows, types))
    from noria.build.pipeline.feed import feed_of

    feed_of(name, tomllib.loads(text))
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _folder(home: Home) -> Path:
    return home.path / "feeds"


def _first_rows(source: Source) -> list[Mapping[str, Any]]:
    import pyarrow as pa

    # no declared column fits an empty schema, so rows come as mappings
    pages = source.pages(None, schema=pa.schema([]), full=False)
    rows = (r for p in pages for r in (p.rows.to_pylist() if isinstance(p.rows, pa.Table) else p.rows))
    return list(itertools.islice(rows, _LOOKED_AT))


def _type(values: Sequence[Any], column: str) -> str:
    if values and all(isinstance(v, bool) for v in values):
        return "bool"
    if values and all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return "int" if all(isinstance(v, int) for v in values) else "float"
    texts = [v for v in values if isinstance(v, str)]
    if texts and len(texts) == len(values) and all(_TIME.fullmatch(v) for v in texts):
        return "time"
    if re.search(r"e?mail|requester|author|person|phone", column, re.IGNORECASE):
        return "person"
    words = sum(len(v.split()) for v in texts) / max(1, len(texts))
    return "text" if words > 3 else "name"


def _roles(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str]) -> dict[str, object]:
    def named(pattern: str, kinds: tuple[str, ...]) -> str:
        return next((c for c, t in types.items() if t in kinds and re.search(pattern, c, re.IGNORECASE)), "")

    every = [c for c in types if all(r.get(c) is not None for r in rows)]
    unique = [c for c in every if types[c] in ("int", "name") and len({str(r[c]) for r in rows}) == len(rows)]
    # a row that changed comes twice, so that a key by name need not be unique
    by_name = [
        c for c in every if types[c] in ("int", "name") and re.search(r"(^|_)(id|key|number)$|id$", c, re.IGNORECASE)
    ]
    key = next(iter([*by_name, *unique]), "")
    texts = [c for c, t in types.items() if t == "text"]
    if not key or not texts:
        lacking = "be the key (never absent, no value twice)" if not key else "be the text (several words)"
        raise UsageError(
            f"no column can {lacking}; there are {', '.join(types)}. Write the feed's file by hand (docs/ingest.md)."
        )
    roles: dict[str, object] = {"key": key, "texts": texts}
    for role, pattern, kinds in (
        ("updated", "updat|modif|changed", ("time",)),
        ("time", "creat|opened|^time|date", ("time",)),
        ("label", "^(category|label|intent|topic|queue)$", ("name",)),
    ):
        if column := named(pattern, kinds):
            roles[role] = column
    return roles


def _toml(settings: Mapping[str, Any], types: Mapping[str, str], roles: Mapping[str, object]) -> str:
    lines = ["# A feed of Noria, drafted from its first rows: read it before the first run (docs/ingest.md)."]
    lines += [f"{role} = {json.dumps(value, ensure_ascii=False)}" for role, value in roles.items()]
    lines += [
        "",
        "# text: written by people; name: a code; person: kept as a pseudonym; int, float, bool, time",
        "[columns]",
    ]
    lines += [f"{json.dumps(c, ensure_ascii=False)} = {json.dumps(t)}" for c, t in types.items()]
    lines += ["", "[source]", *(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in settings.items())]
    lines += ["", "[rules]", '# languages = ["en"]', "", "[contract]", "max_quarantine_share = 0.02", ""]
    return "\n".join(lines)
