"""The label desk that Noria brings along: tasks and labels in its own journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from noria.errors import UsageError, nearest
from noria.ports import DeskStatus
from noria.records import RELEVANCES, RESERVED_INTENTS, Label, LabelTask
from noria.stores.journal import Journal


class BuiltinDesk:
    """A `LabelDesk` on the journal, with what its page needs besides: the next tasks, one task, a checked submit."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def push(self, tasks: Sequence[LabelTask]) -> int:
        """See `LabelDesk.push`."""
        return self._journal.add_tasks(tasks)

    def collect(self, since_ms: int) -> list[Label]:
        """See `LabelDesk.collect`."""
        return self._journal.labels(since_ms)

    def status(self) -> DeskStatus:
        """See `LabelDesk.status`."""
        counts = self._journal.task_counts()
        return DeskStatus(counts["open"], counts["labelled"], counts.get("oldest_open_ms"))

    def next_tasks(self, limit: int = 20) -> list[LabelTask]:
        """At most `limit` tasks without a label, oldest first."""
        return self._journal.open_tasks(limit)

    def task(self, task_id: str) -> LabelTask:
        """One task, labelled or not; or NotFound."""
        return self._journal.task(task_id)

    def submit(self, label: Label) -> Label:
        """Checks a label, stores it and returns it as stored (spaces in the intent tidied).

        To correct a label, submit another for the same task with a new label_id and a later time: the latest counts.

        Raises:
            NotFound: the task is unknown.
            UsageError: the label contradicts itself or its task; the sentence says how.
        """
        task = self._journal.task(label.task_id)
        if not label.annotator.strip():
            raise UsageError("a label needs the name of who gives it (annotator).")
        if label.relevance not in RELEVANCES:
            raise UsageError(f"relevance cannot be {label.relevance!r}. {nearest(label.relevance, RELEVANCES)}")
        intent = " ".join((label.intent or "").split()) or None
        _check_intent(label.relevance, intent, task.scope)
        tidy = replace(label, intent=intent)
        self._journal.add_labels([tidy])
        return tidy


def _check_intent(relevance: str, intent: str | None, scope: tuple[str, ...]) -> None:
    if relevance == "in_scope":
        if intent is None:
            raise UsageError("a label 'in_scope' needs the right intent; choose one of the task's scope.")
        if intent not in scope:
            raise UsageError(
                f"intent {intent!r} is not in the scope of this task. {nearest(intent, scope)} "
                "For a request outside the scope choose 'new_domain' and name it freely."
            )
    elif relevance == "new_domain":
        if intent in scope:
            raise UsageError(f"intent {intent!r} is in the scope of this task; choose 'in_scope' for it.")
        if intent in RESERVED_INTENTS:
            raise UsageError(f"{intent!r} is a reserved word; name the new domain, or leave the intent empty.")
    elif intent is not None:
        raise UsageError(f"a label {relevance!r} takes no intent; leave {intent!r} out or choose 'in_scope'.")
