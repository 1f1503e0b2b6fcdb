"""Where the rows of a feed come from: by the settings under [source] in the feed's file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from noria.app.home import Home
from noria.app.wiring.help_desks import HelpDesks
from noria.errors import UsageError, nearest
from noria.ports.source import Source
from noria.stores import Stores

Opener = Callable[[Home, Stores, Mapping[str, Any], int], Source]


def open_source(home: Home, stores: Stores, settings: Mapping[str, Any], now_ms: int) -> Source:
    """The source that a feed names.

    Args:
        home: relative paths start in its folder.
        stores: for the journal.
        settings: `kind` and what the kind takes.
        now_ms: UTC milliseconds; a cursor in the future is not believed.

    Raises:
        UsageError: an unknown kind or setting, or one is missing.
    """
    kind = settings.get("kind", "")
    if kind not in OPENERS:
        raise UsageError(f"[source]: kind = {kind!r} is unknown. {nearest(str(kind), OPENERS)}")
    return OPENERS[str(kind)](home, stores, {k: v for k, v in settings.items() if k != "kind"}, now_ms)


def _files(home: Home, stores: Stores, settings: Mapping[str, Any], now_ms: int) -> Source:
    from noria.connect.sources.files import FileSource
    from noria.connect.sources.parsing import Reading

    taken = _taken(settings, ("path", "max_line_bytes", "encoding", "rename"), ("path",))
    path = str(taken["path"])
    reading = Reading(
        int(taken.get("max_line_bytes", Reading().max_line_bytes)),
        str(taken.get("encoding", "cp1252")) or None,
        taken.get("rename"),
    )  # fmt: skip
    return FileSource(path if "://" in path or Path(path).is_absolute() else str(home.path / path), reading)


def _sql(home: Home, stores: Stores, settings: Mapping[str, Any], now_ms: int) -> Source:
    from noria.connect.sources.sql import SqlSource

    taken = _taken(settings, ("url", "url_env", "query", "cursor", "overlap_s"), ("query",))
    url = os.environ.get(str(taken["url_env"]), "") if "url_env" in taken else str(taken.get("url", ""))
    if not url:
        raise UsageError("[source]: no address: write url, or url_env with the name of an environment variable.")
    return SqlSource(
        url, str(taken["query"]), str(taken.get("cursor", "")), float(taken.get("overlap_s", 300.0)), now_ms=now_ms
    )


def _journal(home: Home, stores: Stores, settings: Mapping[str, Any], now_ms: int) -> Source:
    from noria.connect.sources.journal import JournalSource

    return JournalSource(stores.journal, now_ms, _taken(settings, ("account",), ()).get("account"))


def _help_desk(home: Home, stores: Stores, settings: Mapping[str, Any], now_ms: int) -> Source:
    from noria.connect.sources.help_desk import HelpDeskSource
    from noria.ports.help_desk import STREAMS

    taken = _taken(settings, ("account", "stream"), ("account", "stream"))
    account, stream = str(taken["account"]), taken["stream"]
    if stream not in STREAMS:
        raise UsageError(f"[source]: stream = {stream!r} is unknown. {nearest(str(stream), STREAMS)}")
    return HelpDeskSource(HelpDesks(home, stores, lambda: now_ms).desk(account).desk, stream, account)


OPENERS: dict[str, Opener] = {"files": _files, "sql": _sql, "journal": _journal, "help_desk": _help_desk}


def _taken(settings: Mapping[str, Any], known: tuple[str, ...], needed: tuple[str, ...]) -> Mapping[str, Any]:
    for key in settings:
        if key not in known:
            raise UsageError(f"[source]: unknown setting {key!r}. {nearest(key, known)}")
    for key in needed:
        if key not in settings:
            raise UsageError(f"[source]: {key} is missing.")
    return settings
