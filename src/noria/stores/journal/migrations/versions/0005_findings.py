"""What is known of a finding beyond its interval: stream, slice, shape, counts of queries, when it was placed.

Frozen: changes go into a new revision.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005_findings"
down_revision = "0004_help_desk"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A column that older findings leave empty."""
    op.add_column("findings", sa.Column("details", sa.JSON))


def downgrade() -> None:
    """Drops it; the findings stay."""
    op.drop_column("findings", "details")
