"""Counts and latencies of a challenger beside the champion: functions on an open connection."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Text, case, cast, func, select

from noria.records.serving.staging import Challenger
from noria.stores.journal.schema import FEEDBACK, PREDICTIONS
from noria.stores.journal.staging.schema import SHADOW_ANSWERS

MOST_LATENCIES = 20_000
"""The latest so many of each; a quantile gets no better by more."""
_THUMBS = ("helpful", "not_helpful")


@dataclass(frozen=True, slots=True)
class Failures:
    """Queries that both answered, and those of them on which only one failed."""

    both: int = 0
    only_challenger: int = 0
    only_champion: int = 0


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds that answers took."""

    challenger_ms: tuple[float, ...] = ()
    champion_ms: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Thumbs:
    """Sessions that said anything, and those of them whose last word was "helpful"."""

    challenger: int = 0
    challenger_up: int = 0
    champion: int = 0
    champion_up: int = 0


def failures(connection: Connection, challenger: Challenger, champion_tag: str, until_ms: int) -> Failures:
    """Counts failures on the queries that both answered, whoever was shown."""
    shadow_failed = (SHADOW_ANSWERS.c.error != "").label("shadow_failed")
    shown_failed = (cast(PREDICTIONS.c.missing, Text) != "[]").label("shown_failed")
    shown = (PREDICTIONS.c.release == challenger.challenger_id).label("shown")
    query = (
        select(shown, shadow_failed, shown_failed, func.count())
        .join(PREDICTIONS, PREDICTIONS.c.prediction_id == SHADOW_ANSWERS.c.prediction_id)
        .where(*_in_stage(challenger, until_ms), PREDICTIONS.c.release.in_(_names(challenger)))
        .where(SHADOW_ANSWERS.c.tag == _shadow_tag(challenger, champion_tag))
        .group_by(shown, shadow_failed, shown_failed)
    )
    both = mine = theirs = 0
    for was_shown, in_shadow, live, count in connection.execute(query):
        challenger_failed, champion_failed = (live, in_shadow) if was_shown else (in_shadow, live)
        both += count
        mine += count * (challenger_failed and not champion_failed)
        theirs += count * (champion_failed and not challenger_failed)
    return Failures(both, mine, theirs)


def latencies(connection: Connection, challenger: Challenger, champion_tag: str, until_ms: int) -> Latencies:
    """In shadow: on the same queries. In a canary: on those that each was shown for, which is what users wait for.

    A canary of all traffic leaves the champion none: of it, what it takes in shadow.
    """
    if challenger.mode == "shadow":
        query = (
            select(SHADOW_ANSWERS.c.latency_ms, PREDICTIONS.c.latency_ms)
            .join(PREDICTIONS, PREDICTIONS.c.prediction_id == SHADOW_ANSWERS.c.prediction_id)
            .where(*_in_stage(challenger, until_ms), SHADOW_ANSWERS.c.tag == challenger.candidate.tag)
            .where(SHADOW_ANSWERS.c.error == "", PREDICTIONS.c.release == challenger.against)
            .order_by(SHADOW_ANSWERS.c.time_ms.desc())
            .limit(MOST_LATENCIES)
        )
        pairs = [(own, live) for own, live in connection.execute(query) if own is not None and live is not None]
        return Latencies(tuple(own for own, _ in pairs), tuple(live for _, live in pairs))
    own, live = (_shown(connection, name, challenger.since_ms, until_ms) for name in _names(challenger))
    return Latencies(own, live or _in_shadow(connection, champion_tag, challenger, until_ms))


def thumbs(connection: Connection, challenger: Challenger, until_ms: int) -> Thumbs:
    """The last thumb of each session that either answered alone."""
    p = PREDICTIONS.c
    query = (
        select(p.account, p.session, p.release, FEEDBACK.c.kind)
        .join(FEEDBACK, FEEDBACK.c.prediction_id == p.prediction_id)
        .where(p.time_ms >= challenger.since_ms, p.time_ms < until_ms, p.release.in_(_names(challenger)))
        .where(FEEDBACK.c.kind.in_(_THUMBS), FEEDBACK.c.time_ms < until_ms)
        .order_by(FEEDBACK.c.time_ms, FEEDBACK.c.event_id)
    )
    last: dict[tuple[str, str], tuple[str, bool]] = {}
    for account, session, release, kind in connection.execute(query):
        last[account, session] = release, kind == "helpful"
    own = [up for release, up in last.values() if release == challenger.challenger_id]
    others = [up for release, up in last.values() if release == challenger.against]
    return Thumbs(len(own), sum(own), len(others), sum(others))


def _names(challenger: Challenger) -> tuple[str, str]:
    return challenger.challenger_id, challenger.against


def _shadow_tag(challenger: Challenger, champion_tag: str) -> ColumnElement[str]:
    """Whose answer in shadow goes with a prediction: that of the other one."""
    return case((PREDICTIONS.c.release == challenger.challenger_id, champion_tag), else_=challenger.candidate.tag)


def _in_stage(challenger: Challenger, until_ms: int) -> tuple[ColumnElement[bool], ...]:
    return SHADOW_ANSWERS.c.time_ms >= challenger.since_ms, SHADOW_ANSWERS.c.time_ms < until_ms


def _in_shadow(connection: Connection, tag: str, challenger: Challenger, until_ms: int) -> tuple[float, ...]:
    query = (
        select(SHADOW_ANSWERS.c.latency_ms)
        .where(*_in_stage(challenger, until_ms), SHADOW_ANSWERS.c.tag == tag, SHADOW_ANSWERS.c.error == "")
        .order_by(SHADOW_ANSWERS.c.time_ms.desc())
        .limit(MOST_LATENCIES)
    )
    return tuple(float(row.latency_ms) for row in connection.execute(query) if row.latency_ms is not None)


def _shown(connection: Connection, release: str, since_ms: int, until_ms: int) -> tuple[float, ...]:
    p = PREDICTIONS.c
    query = (
        select(p.latency_ms)
        .where(p.time_ms >= since_ms, p.time_ms < until_ms, p.release == release)
        .order_by(p.time_ms.desc())
        .limit(MOST_LATENCIES)
    )
    return tuple(float(row.latency_ms) for row in connection.execute(query) if row.latency_ms is not None)
