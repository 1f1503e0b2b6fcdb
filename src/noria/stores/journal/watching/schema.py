"""The tables of alerts, explanations and comments (see `noria.stores.journal.schema`)."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, Table, Text

from noria.stores.journal.schema import ID, METADATA

EXPLANATIONS = Table(
    "explanations",
    METADATA,
    Column("finding_id", ID, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("body", JSON, nullable=False),
)

ALERTS = Table(
    "alerts",
    METADATA,
    Column("alert_id", ID, primary_key=True),
    Column("severity", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("finding_ids", JSON, nullable=False),
    Column("sentence", Text, nullable=False),
    Column("opened_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("told", JSON, nullable=False),
    Column("acknowledged_by", Text, nullable=False),
    Column("acknowledged_ms", BigInteger),
    Column("resolved_ms", BigInteger),
    Column("resolution", Text, nullable=False),
    CheckConstraint("severity IN ('info', 'low', 'medium', 'high')", name="severity"),
    CheckConstraint("status IN ('open', 'acknowledged', 'resolved')", name="status"),
)

COMMENTS = Table(
    "comments",
    METADATA,
    Column("comment_id", ID, primary_key=True),
    Column("finding_id", ID, nullable=False),
    Column("author", Text, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("text", Text, nullable=False),
    Index("ix_comments_finding_id", "finding_id"),
)
