"""Items of the backlog become tickets of a help desk, each once, and hear what came of them.

As with hand-overs (see `delivering`): "sending" is kept before the call goes out, a call of which nothing was heard is
looked for twice before it is sent again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from noria.errors import OutsideError
from noria.ports.help_desk import Later, NewTicket, NotAllowed, Refused, UnknownOutcome
from noria.records import BacklogItem, Receipt
from noria.serve.help_desk.delivering import SKEW_MS
from noria.serve.help_desk.policy import AccountDesk, ExchangePolicy

if TYPE_CHECKING:
    from noria.stores.journal import Journal

MARK = "noria-backlog-"
TAG = "noria-backlog"


def file_items(
    journal: Journal,
    at: AccountDesk,
    items: Sequence[BacklogItem],
    policy: ExchangePolicy,
    now_ms: Callable[[], int],
    *,
    keep: Callable[[str], str] = str,
) -> Receipt:
    """Makes a ticket of each item that has none; notes the outcome of an item on its ticket, once.

    Args:
        journal: keeps which item is which ticket.
        at: the account's desk; its `requester` is in whose name tickets are made.
        items: of the backlog.
        policy: how patient to be with calls of which nothing was heard.
        now_ms: the clock, UTC milliseconds.
        keep: takes out of a text what may not leave.

    Returns:
        Counts: filed (now), known (before), noted, unknown, refused.
    """
    counts: Counter[str] = Counter({"filed": 0, "known": 0, "noted": 0, "unknown": 0, "refused": 0})
    warnings: list[str] = []
    for item in items:
        if not item.item_id:
            continue
        try:
            counts[_step(journal, at, item, policy, now_ms, keep)] += 1
        except (Refused, UnknownOutcome) as error:
            counts["refused"] += 1
            warnings.append(f"{item.item_id}: {error}")
            if isinstance(error, NotAllowed):
                break
        except OutsideError as error:  # the desk as a whole: the others wait as well
            warnings.append(f"{at.account}: {error}")
            break
    counts.pop("", None)
    return Receipt("serve", dict(counts), {"account": at.account}, warnings=tuple(warnings))


def filed(journal: Journal, account: str) -> dict[str, str]:
    """Item → its ticket, or the state of one that has none: sending, unknown."""
    state = journal.get_state(_key(account)) or {}
    return {item_id: str(one["ticket"] or one["state"]) for item_id, one in sorted(state.items())}


def _step(
    journal: Journal,
    at: AccountDesk,
    item: BacklogItem,
    policy: ExchangePolicy,
    now_ms: Callable[[], int],
    keep: Callable[[str], str],
) -> str:
    one = (journal.get_state(_key(at.account)) or {}).get(item.item_id)
    if one is not None and one["ticket"]:
        return _note(journal, at, item, one)
    if item.kind == "done":
        return ""
    ticket = _ticket(item, at.requester, keep)
    if one is not None:
        found = at.desk.find(ticket, one["sent_ms"] - SKEW_MS)
        if found is not None:
            return _keep(journal, at, item, "filed", ticket=found, sent_ms=one["sent_ms"])
        looked = one["looks"] + (now_ms() - one["looked_ms"] >= policy.look_after_s * 1000)
        looked_ms = now_ms() if looked > one["looks"] else one["looked_ms"]
        if looked < policy.looks:
            _keep(journal, at, item, "unknown", sent_ms=one["sent_ms"], looks=looked, looked_ms=looked_ms)
            return "unknown"
    sent_ms = now_ms()
    _keep(journal, at, item, "sending", sent_ms=sent_ms, looked_ms=sent_ms)
    try:
        number = at.desk.create(ticket)
    except UnknownOutcome:
        _keep(journal, at, item, "unknown", sent_ms=sent_ms, looked_ms=sent_ms)
        return "unknown"
    except (Later, Refused):
        _keep(journal, at, item, "")
        raise
    return _keep(journal, at, item, "filed", ticket=number, sent_ms=sent_ms)


def _note(journal: Journal, at: AccountDesk, item: BacklogItem, one: dict[str, Any]) -> str:
    """What came of an item, as a private note on its ticket; kept first, since a note may be lost but not doubled."""
    if not item.outcome or one.get("noted") == item.outcome:
        return "known"
    _keep(journal, at, item, "filed", ticket=one["ticket"], sent_ms=one["sent_ms"], noted=item.outcome)
    at.desk.add_note(one["ticket"], item.outcome)
    return "noted"


def _keep(journal: Journal, at: AccountDesk, item: BacklogItem, state: str, **facts: Any) -> str:
    kept = journal.get_state(_key(at.account)) or {}
    kept.pop(item.item_id, None)
    if state:
        kept[item.item_id] = {"state": state, "ticket": "", "looks": 0, "looked_ms": 0, **facts}
    journal.set_state(_key(at.account), kept)
    return state


def _ticket(item: BacklogItem, requester: str, keep: Callable[[str], str]) -> NewTicket:
    lines = [item.evidence, ""]
    if item.kind != "incident":
        lines += [
            f"{item.weekly:g} queries in the last week, {item.trend}.",
            f"About {item.gain_weekly:g} more a week would be served.",
            f"Effort: about {item.effort_hours:g} hours.",
        ]
    lines += [f"Asked, for example: {keep(text)}" for text in item.examples]
    lines += ["", f"Backlog item {item.item_id}"]
    subject = f"Virtual agent backlog, {item.kind.replace('_', ' ')}: {keep(item.title)}"[:120]
    return NewTicket(f"{MARK}{item.item_id}", subject, "\n".join(lines), requester, (TAG,))


def _key(account: str) -> str:
    return f"backlog.tickets:{account}"
