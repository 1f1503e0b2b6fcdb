"""The tables of access and of conversations (see `noria.stores.journal.schema`)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    true,
)

from noria.stores.journal.schema import ID, METADATA

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("key_id", ID, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("account", ID, nullable=False),
    Column("role", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger),
    Column("revoked_ms", BigInteger),
    CheckConstraint("role IN ('widget', 'agent', 'reader', 'operator', 'admin')", name="role"),
)

ACCOUNT_RULES = Table(
    "account_rules",
    METADATA,
    Column("account", ID, primary_key=True),
    Column("redact", Boolean, nullable=False, server_default=true()),
    Column("origins", JSON, nullable=False),
)

# Append-only, by triggers.
AUDIT = Table(
    "audit",
    METADATA,
    Column("entry_id", ID, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("account", ID, nullable=False),
    Column("target", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Index("ix_audit_time_ms", "time_ms"),
)

# No foreign keys between these and predictions: a session is known before its first query is committed.
SESSIONS = Table(
    "sessions",
    METADATA,
    Column("account", ID, nullable=False),
    Column("session", ID, nullable=False),
    Column("requester", ID, nullable=False),
    Column("channel", Text, nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "session"),
    Index("ix_sessions_account_requester", "account", "requester"),
)

HAND_OVERS = Table(
    "hand_overs",
    METADATA,
    Column("hand_over_id", ID, primary_key=True),
    Column("account", ID, nullable=False),
    Column("session", ID, nullable=False),
    Column("requester", ID, nullable=False),
    Column("reason", Text, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Index("ix_hand_overs_account_session", "account", "session"),
    Index("ix_hand_overs_account_time_ms", "account", "time_ms"),
)
