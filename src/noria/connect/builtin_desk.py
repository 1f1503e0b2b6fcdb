"""The label desk that Noria brings along: tasks and labels in its own journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from noria.errors import UsageError
from noria.ports import DeskStatus
from noria.ports.questions import answers_of, read_answers
from noria.records import FOREVER_MS, Label, LabelTask, standing
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

    def next_tasks(self, limit: int = 20, annotator: str | None = None) -> list[LabelTask]:
        """At most `limit` tasks that lack answers, oldest first, without those that `annotator` has answered."""
        return self._journal.open_tasks(limit, annotator)

    def disputed(self, limit: int = 20) -> list[tuple[LabelTask, list[Label]]]:
        """At most `limit` tasks on which people disagree, oldest query first, each with the labels that count."""
        tasks = [row.task for row in self._journal.judged(0, FOREVER_MS, "adjudicate")[:limit]]
        labels = standing(self._journal.labels_of([task.task_id for task in tasks]))
        return [(task, [label for label in labels if label.task_id == task.task_id]) for task in tasks]

    def task(self, task_id: str) -> LabelTask:
        """One task, labelled or not; or NotFound."""
        return self._journal.task(task_id)

    def submit(self, label: Label) -> Label:
        """Checks a label, stores it and returns it as stored (spaces in free texts tidied).

        To correct a label, submit another with a new label_id and a later time: the latest of an annotator counts.

        Raises:
            NotFound: the task is unknown.
            BadAnswer: the label contradicts itself or its task; the sentence says how.
            UsageError: it names nobody who gives it.
        """
        task = self._journal.task(label.task_id)
        annotator = " ".join(label.annotator.split())
        if not annotator:
            raise UsageError("a label needs the name of who gives it (annotator).")
        judged = read_answers(task, answers_of(label, task))
        tidy = replace(
            label, annotator=annotator, intent=judged.intent, article_ids=judged.article_ids, note=judged.note
        )
        self._journal.add_labels([tidy])
        return tidy

    def withdraw(self, task_id: str, annotator: str, *, label_id: str, time_ms: int) -> Label:
        """Takes back what an annotator said about a task, by a new label that says so: nothing is deleted.

        Raises:
            NotFound: the task is unknown. UsageError: the annotator has no label there that counts.
        """
        labels = standing(self._journal.labels_of([self._journal.task(task_id).task_id]))
        mine = [label for label in labels if label.annotator == annotator and not label.adjudication]
        if not mine:
            raise UsageError(f"{annotator!r} has no label on task {task_id!r} to take back.")
        back = replace(mine[-1], label_id=label_id, time_ms=max(time_ms, mine[-1].time_ms + 1), withdrawn=True)
        self._journal.add_labels([back])
        return back
