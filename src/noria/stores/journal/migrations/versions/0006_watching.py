"""Hours whose figures are to be made anew; explanations, alerts and comments.

Frozen: changes go into a new revision.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006_watching"
down_revision = "0005_findings"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
HOUR_MS = 3_600_000


def upgrade() -> None:
    """New tables; every hour that has traffic is to be looked at."""
    op.create_table(
        "touched",
        sa.Column("touched_id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("hour_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("touched_id", name="pk_touched"),
    )
    op.execute(f"INSERT INTO touched (hour_ms) SELECT DISTINCT time_ms - time_ms % {HOUR_MS} FROM predictions")
    op.create_table(
        "explanations",
        sa.Column("finding_id", ID, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("finding_id", name="pk_explanations"),
    )
    op.create_table(
        "alerts",
        sa.Column("alert_id", ID, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("finding_ids", sa.JSON, nullable=False),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.Column("opened_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("told", sa.JSON, nullable=False),
        sa.Column("acknowledged_by", sa.Text, nullable=False),
        sa.Column("acknowledged_ms", sa.BigInteger),
        sa.Column("resolved_ms", sa.BigInteger),
        sa.Column("resolution", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("alert_id", name="pk_alerts"),
        sa.CheckConstraint("severity IN ('info', 'low', 'medium', 'high')", name=op.f("ck_alerts_severity")),
        sa.CheckConstraint("status IN ('open', 'acknowledged', 'resolved')", name=op.f("ck_alerts_status")),
    )
    op.create_table(
        "comments",
        sa.Column("comment_id", ID, nullable=False),
        sa.Column("finding_id", ID, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("comment_id", name="pk_comments"),
    )
    op.create_index("ix_comments_finding_id", "comments", ["finding_id"])


def downgrade() -> None:
    """Drops them with all that they hold; findings stay."""
    for table in ("comments", "alerts", "explanations", "touched"):
        op.drop_table(table)
