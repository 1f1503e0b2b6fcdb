"""Several annotators a task, several right articles, withdrawn labels, adjudication, and what labels come to.

Frozen: changes go into a new revision.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_labels"
down_revision = "0001_first"
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Old rows keep their meaning: one annotator a task, whose latest label settles it."""
    # Plain ADD and DROP COLUMN: making `tasks` anew would need the foreign key of `labels` out of the way on SQLite.
    for column in _new_in_tasks():
        op.add_column("tasks", column)
    for column in _new_in_labels():
        op.add_column("labels", column)
    op.create_index("ix_tasks_unsettled", "tasks", ["unsettled"])
    op.execute(f"UPDATE labels SET article_ids = {_one_in_a_list('article_id')} WHERE article_id IS NOT NULL")
    op.drop_column("labels", "article_id")
    op.create_table(
        "settled",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("prediction_id", ID, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("relevance", sa.Text, nullable=False),
        sa.Column("intent", sa.Text),
        sa.Column("article_ids", sa.JSON, nullable=False),
        sa.Column("helpful", sa.Boolean),
        sa.Column("label_ids", sa.JSON, nullable=False),
        sa.Column("annotators", sa.JSON, nullable=False),
        sa.Column("agreement", sa.Double),
        sa.Column("adjudicated_by", sa.Text),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("task_id", name="pk_settled"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name="fk_settled_task_id"),
        sa.CheckConstraint("status IN ('settled', 'adjudicate', 'open')", name=op.f("ck_settled_status")),
        sa.CheckConstraint(
            "relevance IN ('in_scope', 'new_domain', 'irrelevant', 'small_talk')", name=op.f("ck_settled_relevance")
        ),
    )
    op.create_index("ix_settled_status", "settled", ["status"])
    op.execute(
        "INSERT INTO settled SELECT task_id, prediction_id, 'settled', relevance, intent, article_ids, helpful, "
        f"{_one_in_a_list('label_id')}, {_one_in_a_list('annotator')}, 1.0, NULL, time_ms FROM (SELECT labels.*, "
        "row_number() OVER (PARTITION BY task_id ORDER BY time_ms DESC, label_id DESC) AS place FROM labels) AS latest "
        "WHERE place = 1"
    )


def downgrade() -> None:
    """What was withdrawn goes for good, of several right articles the first stays."""
    op.drop_table("settled")
    op.execute(
        "DELETE FROM labels WHERE EXISTS (SELECT 1 FROM labels AS back WHERE back.withdrawn AND "
        "back.task_id = labels.task_id AND back.annotator = labels.annotator AND "
        "back.adjudication = labels.adjudication AND (back.time_ms > labels.time_ms OR "
        "(back.time_ms = labels.time_ms AND back.label_id >= labels.label_id)))"
    )
    op.add_column("labels", sa.Column("article_id", sa.Text))
    first = "article_ids ->> 0" if _on_postgresql() else "json_extract(article_ids, '$[0]')"
    op.execute(f"UPDATE labels SET article_id = {first}")
    op.drop_index("ix_tasks_unsettled", "tasks")
    for column in _new_in_labels():
        op.drop_column("labels", column.name)
    for column in _new_in_tasks():
        op.drop_column("tasks", column.name)
    op.execute(
        "UPDATE tasks SET status = CASE WHEN EXISTS (SELECT 1 FROM labels WHERE labels.task_id = tasks.task_id) "
        "THEN 'labelled' ELSE 'open' END"
    )


def _new_in_tasks() -> list[sa.Column[object]]:
    return [
        sa.Column("purpose", sa.Text, nullable=False, server_default="estimate"),
        sa.Column("annotators", sa.Integer, nullable=False, server_default="1"),
        sa.Column("confidence", sa.Double, server_default="0"),
        sa.Column("scope_score", sa.Double, server_default="0"),
        sa.Column("expected_right", sa.Double, server_default="0"),
        sa.Column("scope_version", sa.Text, nullable=False, server_default=""),
        sa.Column("unsettled", sa.Boolean, nullable=False, server_default=sa.false()),
    ]


def _new_in_labels() -> list[sa.Column[object]]:
    return [
        sa.Column("article_ids", sa.JSON, nullable=False, server_default="[]"),
        sa.Column("withdrawn", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("adjudication", sa.Boolean, nullable=False, server_default=sa.false()),
    ]


def _on_postgresql() -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _one_in_a_list(column: str) -> str:
    return f"json_build_array({column})" if _on_postgresql() else f"json_array({column})"
