"""The tables of challengers (see `noria.stores.journal.schema`)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from noria.stores.journal.schema import ID, METADATA

CHALLENGERS = Table(
    "challengers",
    METADATA,
    Column("challenger_id", ID, primary_key=True),
    Column("candidate", JSON, nullable=False),
    Column("mode", Text, nullable=False),
    Column("share", Double, nullable=False),
    Column("shares", JSON, nullable=False),
    Column("stage", Integer, nullable=False),
    Column("unit", Text, nullable=False),
    Column("against", ID, nullable=False),
    Column("began_ms", BigInteger, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("judged", BigInteger),
    Column("state", Text, nullable=False),
    Column("failure", Text, nullable=False),
    CheckConstraint("mode IN ('shadow', 'canary')", name="mode"),
    CheckConstraint("unit IN ('session', 'account')", name="unit"),
    CheckConstraint("state IN ('running', 'released', 'withdrawn')", name="state"),
    CheckConstraint("share >= 0 AND share <= 1", name="share"),
    Index("ix_challengers_state", "state"),
)

# No foreign key to predictions: an answer in shadow never waits for the one that was shown. And no text of the query.
SHADOW_ANSWERS = Table(
    "shadow_answers",
    METADATA,
    Column("prediction_id", ID, nullable=False),
    Column("tag", ID, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("decision", Text),
    Column("intent", Text, nullable=False),
    Column("confidence", Double),
    Column("latency_ms", Double),
    Column("error", Text, nullable=False),
    PrimaryKeyConstraint("prediction_id", "tag"),
    CheckConstraint("decision IN ('answer', 'clarify', 'handoff')", name="decision"),
    Index("ix_shadow_answers_tag_time_ms", "tag", "time_ms"),
)
