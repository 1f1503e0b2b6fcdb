"""API keys, rules of accounts, the audit log, sessions and hand-overs.

Frozen: changes go into a new revision.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003_access"
down_revision = "0002_labels"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """New tables, and the index by which a conversation is found."""
    op.create_index("ix_predictions_account_session", "predictions", ["account", "session"])
    op.create_table(
        "api_keys",
        sa.Column("key_id", ID, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_ms", sa.BigInteger),
        sa.Column("revoked_ms", sa.BigInteger),
        sa.PrimaryKeyConstraint("key_id", name="pk_api_keys"),
        sa.CheckConstraint("role IN ('widget', 'agent', 'reader', 'operator', 'admin')", name=op.f("ck_api_keys_role")),
    )
    op.create_table(
        "account_rules",
        sa.Column("account", ID, nullable=False),
        sa.Column("redact", sa.Boolean, nullable=False, server_default=sa.true()),
        sa.Column("origins", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("account", name="pk_account_rules"),
    )
    _audit()
    op.create_table(
        "sessions",
        sa.Column("account", ID, nullable=False),
        sa.Column("session", ID, nullable=False),
        sa.Column("requester", ID, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("started_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account", "session", name="pk_sessions"),
    )
    op.create_index("ix_sessions_account_requester", "sessions", ["account", "requester"])
    op.create_table(
        "hand_overs",
        sa.Column("hand_over_id", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("session", ID, nullable=False),
        sa.Column("requester", ID, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("hand_over_id", name="pk_hand_overs"),
    )
    op.create_index("ix_hand_overs_account_session", "hand_overs", ["account", "session"])


def downgrade() -> None:
    """Drops them with all that they hold; traffic stays."""
    for table in ("hand_overs", "sessions", "audit", "account_rules", "api_keys"):
        op.drop_table(table)
    op.drop_index("ix_predictions_account_session", "predictions")


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("entry_id", ID, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_audit"),
    )
    op.create_index("ix_audit_time_ms", "audit", ["time_ms"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION noria_append_only()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{verb.lower()} BEFORE {verb} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END"
        )
    # INSERT OR REPLACE deletes without firing a delete trigger.
    op.execute(
        "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
        "WHEN EXISTS (SELECT 1 FROM audit WHERE entry_id = NEW.entry_id) "
        "BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END"
    )
