"""Deliveries of hand-overs, where reading help desks goes on, and what became of tickets as feedback.

Frozen: changes go into a new revision.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004_help_desk"
down_revision = "0003_access"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
OLD = "'helpful', 'not_helpful', 'article_opened', 'rephrased', 'ticket_created', 'agent_replied'"
NEW = f"{OLD}, 'ticket_resolved', 'ticket_reopened', 'ticket_rated'"


def upgrade() -> None:
    """New tables, and more kinds of feedback."""
    op.create_table(
        "deliveries",
        sa.Column("hand_over_id", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("prediction_id", ID, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("ticket_id", ID, nullable=False, server_default=""),
        sa.Column("sends", sa.Integer, nullable=False, server_default="0"),
        sa.Column("looks", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sent_ms", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("due_ms", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("changed_ms", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default=""),
        sa.Column("over", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("hand_over_id", name="pk_deliveries"),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'unknown', 'delivered', 'refused')", name=op.f("ck_deliveries_state")
        ),
    )
    op.create_index("ix_deliveries_account_state", "deliveries", ["account", "state"])
    op.create_index("ix_deliveries_account_ticket_id", "deliveries", ["account", "ticket_id"])
    op.create_table(
        "desk_streams",
        sa.Column("account", ID, nullable=False),
        sa.Column("stream", ID, nullable=False),
        sa.Column("cursor", sa.Text, nullable=False, server_default=""),
        sa.Column("due_ms", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("whole_ms", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("account", "stream", name="pk_desk_streams"),
    )
    op.create_table(
        "desk_rings",
        sa.Column("account", ID, nullable=False),
        sa.Column("ticket_id", ID, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("account", "ticket_id", name="pk_desk_rings"),
    )
    op.create_index("ix_hand_overs_account_time_ms", "hand_overs", ["account", "time_ms"])
    _kinds(NEW)


def downgrade() -> None:
    """Drops them with all that they hold; feedback of the new kinds goes, for the old schema has no word for it."""
    op.execute("DELETE FROM feedback WHERE kind IN ('ticket_resolved', 'ticket_reopened', 'ticket_rated')")
    _kinds(OLD)
    op.drop_index("ix_hand_overs_account_time_ms", "hand_overs")
    for table in ("desk_rings", "desk_streams", "deliveries"):
        op.drop_table(table)


def _kinds(kinds: str) -> None:
    """Changes which kinds of feedback may stand in the journal."""
    check = f"kind IN ({kinds})"
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_feedback_kind"), "feedback", type_="check")
        op.create_check_constraint(op.f("ck_feedback_kind"), "feedback", check)
        return
    # SQLite cannot change a constraint: the table is made anew. Nothing refers to it.
    op.create_table(
        "feedback_made_anew",
        sa.Column("event_id", ID, nullable=False),
        sa.Column("prediction_id", ID, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_feedback"),
        sa.ForeignKeyConstraint(["prediction_id"], ["predictions.prediction_id"], name="fk_feedback_prediction_id"),
        sa.CheckConstraint(check, name=op.f("ck_feedback_kind")),
    )
    columns = "event_id, prediction_id, kind, time_ms, value"
    op.execute(f"INSERT INTO feedback_made_anew ({columns}) SELECT {columns} FROM feedback")
    op.drop_table("feedback")
    op.rename_table("feedback_made_anew", "feedback")
    op.create_index("ix_feedback_prediction_id", "feedback", ["prediction_id"])
    op.create_index("ix_feedback_time_ms", "feedback", ["time_ms"])
