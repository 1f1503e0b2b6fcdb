"""The tables of the exchange with help desks (see `noria.stores.journal.schema`)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Connection,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    false,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from noria.stores.journal.schema import ID, METADATA

# A hand-over without a row here was not tried yet: making one costs a live answer nothing.
DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("hand_over_id", ID, primary_key=True),
    Column("account", ID, nullable=False),
    Column("prediction_id", ID, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("ticket_id", ID, nullable=False, server_default=""),
    Column("sends", Integer, nullable=False, server_default="0"),
    Column("looks", Integer, nullable=False, server_default="0"),
    Column("sent_ms", BigInteger, nullable=False, server_default="0"),
    Column("due_ms", BigInteger, nullable=False, server_default="0"),
    Column("changed_ms", BigInteger, nullable=False),
    Column("status", Text, nullable=False, server_default=""),
    Column("over", Boolean, nullable=False, server_default=false()),
    CheckConstraint("state IN ('pending', 'sending', 'unknown', 'delivered', 'refused')", name="state"),
    Index("ix_deliveries_account_state", "account", "state"),
    Index("ix_deliveries_account_ticket_id", "account", "ticket_id"),
)

# Where reading each stream of an account's desk goes on, and not before when; the stream "" is the account's budget.
DESK_STREAMS = Table(
    "desk_streams",
    METADATA,
    Column("account", ID, nullable=False),
    Column("stream", ID, nullable=False),
    Column("cursor", Text, nullable=False, server_default=""),
    Column("due_ms", BigInteger, nullable=False, server_default="0"),
    Column("whole_ms", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("account", "stream"),
)

# What desks rang about by a webhook, until it is read.
DESK_RINGS = Table(
    "desk_rings",
    METADATA,
    Column("account", ID, nullable=False),
    Column("ticket_id", ID, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("account", "ticket_id"),
)


def insert_into(connection: Connection, table: Table) -> Any:
    """An INSERT that knows what to do on a conflict, in the words of the connection's database."""
    insert = (sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert)(table)
    return insert.execution_options(preserve_rowcount=True)  # or PostgreSQL's driver would say -1
