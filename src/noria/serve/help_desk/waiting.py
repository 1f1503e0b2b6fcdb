"""A desk that asked to wait is left alone by everybody, in all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from noria.records import Receipt

if TYPE_CHECKING:
    from noria.stores.journal import Journal


def still_waiting(journal: Journal, account: str, now_ms: int) -> Receipt | None:
    """What to say in place of calling the desk; None where it may be called."""
    wait_ms = journal.desk_reading.held_until_ms(account) - now_ms
    if wait_ms <= 0:
        return None
    said = f"{account}: the help desk asked to wait, or failed; it is called again in {wait_ms / 1000:.0f} s."
    return Receipt("serve", {}, {"account": account}, warnings=(said,))
