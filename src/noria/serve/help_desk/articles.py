"""Articles of a help desk go into the lake, and from there to the live agent; who may see them goes along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from noria.errors import NotFound, StateError
from noria.ports.help_desk import Stream, article_of
from noria.records import DAY_MS, Article, DataVersion, Receipt
from noria.serve.help_desk.policy import AccountDesk, ExchangePolicy
from noria.serve.help_desk.waiting import still_waiting

if TYPE_CHECKING:
    from noria.stores import Stores

STREAM: Stream = "articles"
_TRIES = 5


def pull_articles(
    stores: Stores, at: AccountDesk, policy: ExchangePolicy, table: str, *, now_ms: int, whole: bool = False
) -> Receipt:
    """Brings the articles of an account's desk into an articles table: what is new or changed, and what went.

    An article is `ACCOUNT:ID` there, so that desks do not meet. What is not published, or was deleted, leaves the
    table. The intents that people gave an article in the table stay with it. Rows of others are left alone.

    Args:
        stores: journal for where reading goes on, lake for the table.
        at: the account and its desk.
        policy: how often everything is read anew.
        table: name of the articles table; made where it is missing.
        now_ms: UTC milliseconds.
        whole: read everything now.

    Raises:
        OutsideError: the desk is out of reach or asks to wait; the next round reads it again. StateError: others wrote
            to the table all the time.
    """
    account, reading = at.account, stores.journal.desk_reading
    if (waiting := still_waiting(stores.journal, account, now_ms)) is not None:
        return waiting
    due = now_ms - reading.whole_ms(account, STREAM) >= policy.whole_every_days * DAY_MS
    cursor = "" if whole or due else reading.cursor(account, STREAM)
    rows: dict[str, Mapping[str, Any]] = {}
    then = ""
    for batch in at.desk.pull(STREAM, cursor):
        rows |= {row["id"]: row for row in batch.rows}
        then = batch.cursor or then
    shown = {name: row for name, row in rows.items() if not row["deleted"] and row["published"]}
    new = {name_of(account, name): article_of(row, account) for name, row in shown.items()}
    gone = {name_of(account, name) for name in rows.keys() - shown.keys()}
    counts, version = _into(stores, table, account, new, gone, whole=not cursor, now_ms=now_ms)
    reading.keep(account, STREAM, then, now_ms if not cursor else None)
    ids = {"account": account, **({"articles": version.ref} if version else {})}
    return Receipt("serve", {"articles": len(rows), **counts}, ids)


def name_of(account: str, article_id: str) -> str:
    """What an article of a desk is called in the table."""
    return f"{account}:{article_id}"


def _into(
    stores: Stores, table: str, account: str, new: Mapping[str, Article], gone: set[str], *, whole: bool, now_ms: int
) -> tuple[dict[str, int], DataVersion | None]:
    """Counts of what changed, and the version that holds it; None where there is no table, and nothing for one."""
    for _ in range(_TRIES):
        try:
            version, known = stores.lake.articles(table)
        except NotFound:
            version, known = None, []
        before = {article.article_id: article for article in known}
        # an account's name may hold a colon, too: of its own are those that say so in both places
        own = {name for name, a in before.items() if a.account == account and name.startswith(f"{account}:")}
        leaving = (own - new.keys() if whole else gone) & own
        intents = {name: before[name].intents for name in own}
        made = {n: replace(a, article_id=n, intents=intents.get(n, ())) for n, a in new.items()}
        counts = Counter(
            changed=sum(name in before and before[name] != article for name, article in made.items()),
            added=sum(name not in before for name in made),
            removed=len(leaving),
        )
        if not counts.total():
            return dict(counts), version
        rows = [a for name, a in before.items() if name not in made and name not in leaving] + list(made.values())
        note = {"source": f"help desk of {account}"}
        try:
            return dict(counts), stores.lake.write_articles(
                table, rows, mode="replace" if version else "append", note=note, time_ms=now_ms, expect=version
            )
        except StateError:
            continue
    raise StateError(f"articles {table}: others were always faster to write; the next round tries again.")
