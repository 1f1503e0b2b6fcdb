"""Reads and writes challengers and their answers: each method is one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Engine, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from noria.errors import UsageError
from noria.records import Candidate, LedgerEntry, LedgerKind
from noria.records.serving.staging import Challenger, ShadowAnswer
from noria.stores.journal import releases
from noria.stores.journal.codec import Row, Stored, candidate_from, candidate_json, check_texts, figure, number
from noria.stores.journal.engine import fetch, lock_ledger, reading, replace_row, writing
from noria.stores.journal.schema import PREDICTIONS
from noria.stores.journal.staging import figures
from noria.stores.journal.staging.schema import CHALLENGERS, SHADOW_ANSWERS


class StagingDoor:
    """Challengers, each step of theirs together with its ledger entry, and the answers that were given in shadow."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def running(self) -> Challenger | None:
        """The challenger that is on its way; None where there is none."""
        with reading(self._engine) as connection:
            return _running(connection)

    def challengers(self) -> list[Challenger]:
        """Every challenger there was, oldest first."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(CHALLENGERS).order_by(CHALLENGERS.c.challenger_id)).mappings().all()
        return [_challenger(row) for row in rows]

    def step(
        self,
        before: Challenger | None,
        after: Challenger,
        *,
        time_ms: int,
        kind: LedgerKind | None = None,
        release: str | None = None,
        candidate: Candidate | None = None,
        evidence: Mapping[str, Any] | None = None,
    ) -> LedgerEntry | None:
        """Writes where a challenger stands now and, in the same transaction, the ledger entry that says why.

        Args:
            before: where it stood when this was decided; None for one that begins.
            after: where it stands now.
            time_ms: when.
            kind: of the ledger entry; None = this is no verdict. For one that begins, `after.judged` becomes the
                entry's number.
            release: as the ledger keeps it.
            candidate: that the entry is about; None = the challenger's.
            evidence: of the entry.

        Raises:
            UsageError: meanwhile somebody else moved the challenger, started another, or changed the live release.
        """
        with writing(self._engine) as connection:
            lock_ledger(connection)
            found, live = _running(connection), releases.find_current(connection)
            if found != before and not (found and before and replace(found, failure=before.failure) == before):
                raise UsageError(
                    f"{(found or after).challenger_id} has moved on meanwhile; look again: noria release status."
                )
            if after.state != "withdrawn" and (live is None or live.release != after.against):
                raise UsageError(
                    f"{after.challenger_id} was compared with {after.against}, which is no longer live; end it and "
                    "propose its tag again."
                )
            entry = None
            if kind is not None:
                entry = releases.append(
                    connection, kind=kind, time_ms=time_ms, release=release,
                    candidate=candidate or after.candidate, evidence=evidence or {},
                )  # fmt: skip
                if before is None:
                    after = replace(after, judged=entry.seq)
            replace_row(connection, CHALLENGERS, _row(after))
            return entry

    def note_failure(self, challenger_id: str, why: str) -> None:
        """Notes why a server could not load a running challenger; the first reason stays."""
        which = CHALLENGERS.c.challenger_id == challenger_id, CHALLENGERS.c.failure == ""
        with writing(self._engine) as connection:
            connection.execute(update(CHALLENGERS).where(*which).values(check_texts("challenger", {"failure": why})))

    def add_answers(self, answers: Sequence[ShadowAnswer]) -> None:
        """Adds answers; of a prediction and tag that are known the first stays."""
        if not answers:
            return
        with writing(self._engine) as connection:
            dialect_insert = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
            into = dialect_insert(SHADOW_ANSWERS).on_conflict_do_nothing(index_elements=["prediction_id", "tag"])
            connection.execute(into, [_answer_row(answer) for answer in answers])

    def answers(self, prediction_ids: Sequence[str]) -> dict[str, list[ShadowAnswer]]:
        """Prediction id → what others than the agent that was shown made of it; those without any are left out."""
        found: dict[str, list[ShadowAnswer]] = {}
        with reading(self._engine) as connection:
            for row in fetch(connection, SHADOW_ANSWERS, SHADOW_ANSWERS.c.prediction_id, prediction_ids):
                found.setdefault(row["prediction_id"], []).append(_answer(row))
        return found

    def release_of_session(self, account: str, session: str) -> str | None:
        """The release that gave a session its latest answer; None for one that asked nothing yet."""
        of = PREDICTIONS.c.account == account, PREDICTIONS.c.session == session
        last = PREDICTIONS.c.time_ms.desc(), PREDICTIONS.c.prediction_id.desc()
        with reading(self._engine) as connection:
            return connection.execute(select(PREDICTIONS.c.release).where(*of).order_by(*last).limit(1)).scalar()

    def failures(self, challenger: Challenger, champion_tag: str, until_ms: int) -> figures.Failures:
        """How often challenger and champion failed on the same queries since the stage began."""
        with reading(self._engine) as connection:
            return figures.failures(connection, challenger, champion_tag, until_ms)

    def latencies(self, challenger: Challenger, champion_tag: str, until_ms: int) -> figures.Latencies:
        """How long both took since the stage began; the latest of many."""
        with reading(self._engine) as connection:
            return figures.latencies(connection, challenger, champion_tag, until_ms)

    def thumbs(self, challenger: Challenger, until_ms: int) -> figures.Thumbs:
        """What users said of either since the stage began, once a session."""
        with reading(self._engine) as connection:
            return figures.thumbs(connection, challenger, until_ms)


def _running(connection: Connection) -> Challenger | None:
    row = connection.execute(select(CHALLENGERS).where(CHALLENGERS.c.state == "running")).mappings().first()
    return None if row is None else _challenger(row)


def _challenger(row: Stored) -> Challenger:
    kept = {name: row[name] for name in ("challenger_id", "unit", "against", "began_ms", "since_ms", "stage", "judged",
                                         "state", "failure")}  # fmt: skip
    return Challenger(candidate=candidate_from(row["candidate"]), shares=tuple(row["shares"]), **kept)


def _row(challenger: Challenger) -> Row:
    row: Row = {name: getattr(challenger, name) for name in CHALLENGERS.columns.keys()}  # noqa: SIM118 - no dict
    row |= {"candidate": candidate_json(challenger.candidate), "shares": list(challenger.shares)}
    return check_texts("challenger", row)


def _answer_row(answer: ShadowAnswer) -> Row:
    row: Row = {name: getattr(answer, name) for name in SHADOW_ANSWERS.columns.keys()}  # noqa: SIM118 - no dict
    row |= {"confidence": figure(answer.confidence), "latency_ms": figure(answer.latency_ms)}
    return check_texts("shadow answer", row)


def _answer(row: Stored) -> ShadowAnswer:
    figures = {name: number(row[name]) for name in ("confidence", "latency_ms")}
    return ShadowAnswer(**{**row, **figures})
