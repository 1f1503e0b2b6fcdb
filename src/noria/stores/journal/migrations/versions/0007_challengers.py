"""Challengers, and what they answered beside the live release.

Frozen: changes go into a new revision.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007_challengers"
down_revision = "0006_watching"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "challengers",
        sa.Column("challenger_id", ID, nullable=False),
        sa.Column("candidate", sa.JSON, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("share", sa.Double, nullable=False),
        sa.Column("shares", sa.JSON, nullable=False),
        sa.Column("stage", sa.Integer, nullable=False),
        sa.Column("unit", sa.Text, nullable=False),
        sa.Column("against", ID, nullable=False),
        sa.Column("began_ms", sa.BigInteger, nullable=False),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
        sa.Column("judged", sa.BigInteger),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("failure", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("challenger_id", name="pk_challengers"),
        sa.CheckConstraint("mode IN ('shadow', 'canary')", name=op.f("ck_challengers_mode")),
        sa.CheckConstraint("unit IN ('session', 'account')", name=op.f("ck_challengers_unit")),
        sa.CheckConstraint("state IN ('running', 'released', 'withdrawn')", name=op.f("ck_challengers_state")),
        sa.CheckConstraint("share >= 0 AND share <= 1", name=op.f("ck_challengers_share")),
    )
    op.create_index("ix_challengers_state", "challengers", ["state"])
    op.create_table(
        "shadow_answers",
        sa.Column("prediction_id", ID, nullable=False),
        sa.Column("tag", ID, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("decision", sa.Text),
        sa.Column("intent", sa.Text, nullable=False),
        sa.Column("confidence", sa.Double),
        sa.Column("latency_ms", sa.Double),
        sa.Column("error", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "tag", name="pk_shadow_answers"),
        sa.CheckConstraint("decision IN ('answer', 'clarify', 'handoff')", name=op.f("ck_shadow_answers_decision")),
    )
    op.create_index("ix_shadow_answers_tag_time_ms", "shadow_answers", ["tag", "time_ms"])


def downgrade() -> None:
    """Drops both; a challenger that was running is forgotten, the ledger keeps what was said of it."""
    op.drop_table("shadow_answers")
    op.drop_table("challengers")
