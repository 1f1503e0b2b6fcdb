"""The door of the journal: each method is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine

from noria.errors import NoriaError, UsageError
from noria.records import (
    Candidate,
    Feedback,
    Finding,
    Judged,
    Label,
    LabelTask,
    LedgerEntry,
    LedgerKind,
    Prediction,
    Release,
    Settled,
    SettledStatus,
    TurnReceipt,
)
from noria.records.sessions import HandOver, OwnFeedback, Session
from noria.stores.journal import labels, loop, releases, traffic
from noria.stores.journal.access import AccessDoor, LeaseDoor, SessionDoor
from noria.stores.journal.access.sessions import put_hand_overs, put_sessions
from noria.stores.journal.engine import open_engine, reading, translated, writing
from noria.stores.journal.help_desk import DeskReading, Outbox
from noria.stores.journal.labels import Settle
from noria.stores.journal.staging import StagingDoor
from noria.stores.journal.watching import WatchDoor

Entry = Prediction | Feedback | OwnFeedback | Label | Session | HandOver
"""What comes in while serving and labelling, and can be written together."""
_LAST = (Feedback, OwnFeedback, Label)  # may be about an entry that is written with them


class Journal:
    """Traffic, labels, releases and the loop's records in one SQL database; what a method wrote is on disk.

    Safe to use from several threads and, on the same database, from several processes. Spans of time are half-open:
    since_ms <= time < until_ms. Every method may raise OutsideError when the database cannot be used.

    `access`: keys, rules of accounts, audit, erasure. `sessions`: conversations. `leases`: what one at a time may do.
    `outbox`: hand-overs on their way to a help desk. `desk_reading`: where reading the help desks goes on.
    `staging`: challengers. `watching`: columns, hours to look at, explanations, alerts.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.access, self.sessions = AccessDoor(engine), SessionDoor(engine)
        self.outbox, self.desk_reading = Outbox(engine), DeskReading(engine)
        self.leases, self.staging, self.watching = LeaseDoor(engine), StagingDoor(engine), WatchDoor(engine)

    @classmethod
    def open(cls, url: str) -> Journal:
        """Opens, creates or migrates the journal at `sqlite:///PATH` or `postgresql://USER@HOST/NAME`.

        Raises:
            UsageError: the URL names no such database. OutsideError: the database cannot be reached.
            StateError: the database was made by a newer Noria or belongs to something else.
        """
        return cls(open_engine(url))

    def close(self) -> None:
        """Closes all connections that are not in use."""
        self._engine.dispose()

    def add_predictions(self, rows: Sequence[Prediction]) -> None:
        """Adds predictions, all or none. One known with the same content is no fault, with another: UsageError."""
        with writing(self._engine) as connection:
            traffic.put_predictions(connection, rows)

    def add_feedback(self, rows: Sequence[Feedback]) -> int:
        """Adds events, all or none; returns how many ids were new. NotFound for an unknown prediction."""
        with writing(self._engine) as connection:
            return len(traffic.put_feedback(connection, rows))

    def write(self, entries: Sequence[Entry]) -> list[bool]:
        """Adds all or none, in one transaction; says for each whether it was new, where it is feedback, else True."""
        with writing(self._engine) as connection:
            return _put(connection, entries)

    def write_each(self, entries: Sequence[Entry]) -> list[bool | NoriaError]:
        """Adds what can be added, in one transaction: for each entry what `write` says, or why it was left out.

        Feedback and labels go last, whatever their place. Raises OutsideError when nothing could be.
        """
        outcome: list[bool | NoriaError] = [True] * len(entries)
        first = sorted(range(len(entries)), key=lambda place: isinstance(entries[place], _LAST))
        with writing(self._engine) as connection:
            for place in first:
                try:
                    with translated(), connection.begin_nested():
                        outcome[place] = _put(connection, [entries[place]])[0]
                except NoriaError as error:
                    if error.retry_helps:
                        raise
                    outcome[place] = error
                except (TypeError, ValueError, AttributeError) as error:
                    outcome[place] = UsageError(f"the journal cannot keep {entries[place]!r:.200}: {error}")
        return outcome

    def prediction(self, prediction_id: str) -> Prediction:
        """One prediction, or NotFound."""
        with reading(self._engine) as connection:
            return traffic.get_prediction(connection, prediction_id)

    def predictions(
        self, since_ms: int, until_ms: int, account: str | None = None, which: traffic.Which = traffic.EVERY
    ) -> list[Prediction]:
        """Predictions by query time, of one account or all, in order of time, id."""
        with reading(self._engine) as connection:
            return traffic.list_predictions(connection, since_ms, until_ms, account, which)

    def feedback(self, since_ms: int, until_ms: int) -> list[Feedback]:
        """Feedback by event time, in order of time, id."""
        with reading(self._engine) as connection:
            return traffic.list_feedback(connection, since_ms, until_ms)

    def feedback_of(self, prediction_id: str) -> list[Feedback]:
        """The events about one prediction, in order of time, id; empty also when there is no such prediction."""
        with reading(self._engine) as connection:
            return traffic.list_feedback_of(connection, prediction_id)

    def counts_by_day(self) -> dict[str, int]:
        """UTC day ("YYYY-MM-DD") → predictions, in order of day, days without any left out."""
        with reading(self._engine) as connection:
            return traffic.count_by_day(connection)

    def accounts(self, since_ms: int) -> list[str]:
        """Accounts that asked something since a time, the busiest first."""
        with reading(self._engine) as connection:
            return traffic.list_accounts(connection, since_ms)

    def add_tasks(self, tasks: Sequence[LabelTask], state: tuple[str, Mapping[str, Any]] | None = None) -> int:
        """Adds tasks, all or none; returns how many ids were new, of a known one the first draw stays.

        `state`: key and value of a room's state, set in the same transaction (see `set_state`).
        """
        with writing(self._engine) as connection:
            if state is not None:
                loop.write_state(connection, *state)
            return labels.put_tasks(connection, tasks)

    def open_tasks(self, limit: int = 100, annotator: str | None = None) -> list[LabelTask]:
        """Tasks that lack answers, oldest first; for an annotator, without those that he or she has answered."""
        with reading(self._engine) as connection:
            return labels.list_open_tasks(connection, limit, annotator)

    def task(self, task_id: str) -> LabelTask:
        """One task, labelled or not; or NotFound."""
        with reading(self._engine) as connection:
            return labels.get_task(connection, task_id)

    def tasks(self, since_ms: int, until_ms: int) -> list[LabelTask]:
        """Every task by query time, labelled or not, in order of query time, id."""
        with reading(self._engine) as connection:
            return labels.list_tasks(connection, since_ms, until_ms)

    def add_labels(self, rows: Sequence[Label]) -> int:
        """Adds labels, all or none; returns how many ids were new. NotFound for an unknown task."""
        with writing(self._engine) as connection:
            return labels.put_labels(connection, rows)

    def labels(self, since_ms: int, until_ms: int | None = None) -> list[Label]:
        """Labels by the time they were made (None = no end), in order of time, id."""
        with reading(self._engine) as connection:
            return labels.list_labels(connection, since_ms, until_ms)

    def labels_of(self, task_ids: Sequence[str]) -> list[Label]:
        """Every label of some tasks, withdrawn and replaced ones too, in order of time, id."""
        with reading(self._engine) as connection:
            return labels.list_labels_of(connection, task_ids)

    def settle(self, how: Settle, batch: int = 500) -> list[Settled | None]:
        """Settles every task that labels came in for since it was settled; None stands for one without labels now."""
        made: list[Settled | None] = []
        while True:
            with writing(self._engine) as connection:
                part = labels.settle(connection, how, batch)
            made += part
            if len(part) < batch:
                return made

    def judged(self, since_ms: int, until_ms: int, status: SettledStatus = "settled") -> list[Judged]:
        """Tasks by query time, each with its settled label, in order of query time, task id.

        The other statuses are no rows of estimates: "adjudicate" is the queue of those on which people disagree.
        """
        with reading(self._engine) as connection:
            return labels.list_settled(connection, status, since_ms, until_ms)

    def task_counts(self) -> dict[str, int]:
        """`open`, `labelled`, and `oldest_open_ms` (creation time) if any is open."""
        with reading(self._engine) as connection:
            return labels.count_tasks(connection)

    def record_release(
        self,
        *,
        kind: LedgerKind,
        time_ms: int,
        release: str | None,
        candidate: Candidate,
        evidence: Mapping[str, Any],
    ) -> LedgerEntry:
        """Appends a verdict to the ledger; "release" makes the named release, "rollback" puts an old one live again.

        Raises:
            UsageError: a name is missing, taken ("release") or live already ("rollback").
            NotFound: a rollback to a release that never was.
        """
        with writing(self._engine) as connection:
            return releases.append(
                connection, kind=kind, time_ms=time_ms, release=release, candidate=candidate, evidence=evidence
            )

    def current_release(self) -> Release | None:
        """The release that is live, since when it last went live; None before the first."""
        with reading(self._engine) as connection:
            return releases.find_current(connection)

    def releases(self) -> list[Release]:
        """Every release, oldest first, since when it first went live."""
        with reading(self._engine) as connection:
            return releases.list_releases(connection)

    def release(self, name: str) -> Release:
        """One release, or NotFound with the nearest names."""
        with reading(self._engine) as connection:
            return releases.get_release(connection, name)

    def ledger(self) -> list[LedgerEntry]:
        """Every ledger entry, oldest first."""
        with reading(self._engine) as connection:
            return releases.list_ledger(connection)

    def verify_ledger(self) -> None:
        """Recomputes the hash chain; StateError names the first broken entry."""
        with reading(self._engine) as connection:
            releases.verify(connection)

    def add_turn(self, turn: TurnReceipt) -> None:
        """Adds a turn of the loop; the same one again is no fault."""
        with writing(self._engine) as connection:
            loop.put_turn(connection, turn)

    def turns(self, limit: int = 100) -> list[TurnReceipt]:
        """The latest turns, newest first."""
        with reading(self._engine) as connection:
            return loop.list_turns(connection, limit)

    def add_findings(self, findings: Sequence[Finding]) -> None:
        """Adds findings; of a known id the first stays."""
        with writing(self._engine) as connection:
            loop.put_findings(connection, findings)

    def replace_findings(self, findings: Sequence[Finding]) -> None:
        """Puts findings that were placed again in place of those of the same ids."""
        with writing(self._engine) as connection:
            loop.replace_findings(connection, findings)

    def findings(self) -> list[Finding]:
        """Every finding, in order of the time it was raised, id."""
        with reading(self._engine) as connection:
            return loop.list_findings(connection)

    def set_state(self, key: str, value: Mapping[str, Any]) -> None:
        """Keeps a small mapping of JSON values for a room, in place of the last one under `key`."""
        with writing(self._engine) as connection:
            loop.write_state(connection, key, value)

    def get_state(self, key: str) -> dict[str, Any] | None:
        """What a room kept under `key`, or None."""
        with reading(self._engine) as connection:
            return loop.read_state(connection, key)


def _put(connection: Connection, entries: Sequence[Entry]) -> list[bool]:
    kinds: dict[type, list[Any]] = {}
    for entry in entries:
        kinds.setdefault(type(entry), []).append(entry)
    put_sessions(connection, kinds.get(Session, ()))
    traffic.put_predictions(connection, kinds.get(Prediction, ()))
    if len(kinds.keys() - {Session, Prediction}) == 0:
        return [True] * len(entries)
    new = traffic.put_feedback(connection, [entry for entry in entries if isinstance(entry, Feedback | OwnFeedback)])
    labels.put_labels(connection, kinds.get(Label, ()))
    put_hand_overs(connection, kinds.get(HandOver, ()))
    told = []
    for entry in entries:
        event = entry.event if isinstance(entry, OwnFeedback) else entry
        told.append(not isinstance(event, Feedback) or event.event_id in new)
        if isinstance(event, Feedback):
            new.discard(event.event_id)  # of one that stands in here twice only the first was new
    return told
