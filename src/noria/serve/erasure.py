"""Erasure of a requester across journal, label desk and lake, with a report of what was found and of what is left."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from noria.errors import StateError, UsageError
from noria.records import DataVersion, Example, Receipt
from noria.records.access import AuditEntry
from noria.stores.lake.care.erasures import erasure_note, pinned_versions

if TYPE_CHECKING:
    from noria.stores import Stores
    from noria.stores.lake import Lake

LABEL_ORIGIN = "label:"


def erase_requester(
    stores: Stores, account: str, requester: str, entry: AuditEntry, *, outside_desk: bool = False
) -> Receipt:
    """Empties all that a requester of an account said, and reports it.

    In the journal, texts, notes and values are emptied; predictions, labels and figures stay as counts of nobody. The
    built-in label desk is part of it. In the lake, examples that were made of the person's queries leave the tables by
    a new version; experiments on versions that held them can no longer be repeated exactly once those are removed: the
    new version's note names these versions, and `noria reproduce` says so.

    Args:
        stores: of the home.
        account, requester: whose words.
        entry: for the audit log, written with the journal's part.
        outside_desk: tasks also lie on another label desk, which the report names.
    """
    tickets = stores.journal.outbox.tickets_of(account, requester) if requester else []
    found = stores.journal.access.erase(account, requester, entry)
    asked = set(found.prediction_ids)
    rewritten, left, needed = _out_of_the_lake(stores.lake, asked, entry.time_ms) if found.label_ids else ([], [], [])
    warnings = [
        f"Examples {ref} and older still hold some of it, because an experiment may need them: it can be repeated "
        "exactly only until they are removed."
        for ref in left
    ]
    if needed:
        warnings.append(
            f"Held by what experiments are pinned to, and marked for 'noria reproduce': {'; '.join(needed)}."
        )
    if outside_desk and found.task_ids:
        warnings.append(
            f"{len(found.task_ids)} tasks were also sent to the label desk outside; delete them there: "
            f"{', '.join(found.task_ids[:20])}{' …' if len(found.task_ids) > 20 else ''}."
        )
    if tickets:
        warnings.append(
            f"{len(tickets)} tickets at the help desk of {account} hold it as well; have the person forgotten there: "
            f"{', '.join(tickets[:20])}{' …' if len(tickets) > 20 else ''}."
        )
    if found.prediction_ids:
        warnings.append("Backups of the journal keep what they hold until they are replaced.")
    counts = {
        "sessions": found.sessions,
        "predictions": len(found.prediction_ids),
        "feedback_events": found.feedback,
        "label_tasks": len(found.task_ids),
        "labels": len(found.label_ids),
        "hand_overs": found.hand_overs,
        "examples": sum(rows for _, rows in rewritten),
    }
    return Receipt("serve", counts, {v.name: v.ref for v, _ in rewritten}, warnings=tuple(warnings))


def _out_of_the_lake(
    lake: Lake, prediction_ids: set[str], time_ms: int
) -> tuple[list[tuple[DataVersion, int]], list[str], list[str]]:
    """(new version, rows that left) of each examples table that held any; older versions; what needs those that did."""
    rewritten, left, needed = [], [], []
    for table in lake.tables():
        if table.kind != "examples":
            continue
        before, rows = lake.examples(table.name)
        kept = [row for row in rows if not _made_of(row, prediction_ids)]
        pinned = pinned_versions(lake, table.kind, table.name)
        held = {v: why for v, why in pinned.items() if _holds(lake, v, prediction_ids)}
        if len(kept) == len(rows) and not held:
            continue
        gone = len(rows) - len(kept)
        note = erasure_note(gone, held, before)
        after = lake.write_examples(table.name, kept, mode="replace", note=note, time_ms=time_ms, expect=before)
        rewritten.append((after, gone))
        left.append(before.ref)
        needed += [f"{version.ref} ({', '.join(why)})" for version, why in held.items()]
    return rewritten, left, needed


def _holds(lake: Lake, version: DataVersion, prediction_ids: set[str]) -> bool:
    try:
        return any(_made_of(row, prediction_ids) for row in lake.examples(version.name, version.version)[1])
    except (StateError, UsageError):  # it was removed already
        return False


def _made_of(row: Example, prediction_ids: set[str]) -> bool:
    """Whether a row was corrected from a label on one of these predictions, as its origin tells."""
    told = parse_qs(row.origin.partition("?")[2]) if row.origin.startswith(LABEL_ORIGIN) else {}
    return not prediction_ids.isdisjoint(told.get("prediction", ()))
