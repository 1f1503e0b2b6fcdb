"""The first schema of the journal: traffic, labels, releases with their ledger, the loop's own records.

Frozen: changes go into a new revision.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001_first"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TABLES = ("state", "findings", "turns", "releases", "ledger", "labels", "tasks", "feedback", "predictions")
APPEND_ONLY = ("ledger", "releases")


def upgrade() -> None:
    """Makes all tables, indexes and triggers."""
    _traffic()
    _labels()
    _releases()
    _loop()
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgresql_triggers()


def downgrade() -> None:
    """Drops everything, with all that is recorded."""
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION noria_append_only()")


def _traffic() -> None:
    op.create_table(
        "predictions",
        sa.Column("prediction_id", ID, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("query_id", ID, nullable=False),
        sa.Column("session", ID, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("intent", sa.Text, nullable=False),
        sa.Column("intent_confidence", sa.Double),
        sa.Column("scope_score", sa.Double),
        sa.Column("in_scope", sa.Boolean, nullable=False),
        sa.Column("articles", sa.JSON, nullable=False),
        sa.Column("choices", sa.JSON, nullable=False),
        sa.Column("scores", sa.JSON, nullable=False),
        sa.Column("thresholds", sa.JSON, nullable=False),
        sa.Column("release", ID, nullable=False),
        sa.Column("latency_ms", sa.Double),
        sa.Column("missing", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", name="pk_predictions"),
        sa.CheckConstraint("decision IN ('answer', 'clarify', 'handoff')", name=op.f("ck_predictions_decision")),
    )
    op.create_index("ix_predictions_time_ms", "predictions", ["time_ms"])
    op.create_index("ix_predictions_account_time_ms", "predictions", ["account", "time_ms"])
    op.create_table(
        "feedback",
        sa.Column("event_id", ID, nullable=False),
        sa.Column("prediction_id", ID, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_feedback"),
        sa.ForeignKeyConstraint(["prediction_id"], ["predictions.prediction_id"], name="fk_feedback_prediction_id"),
        sa.CheckConstraint(
            "kind IN ('helpful', 'not_helpful', 'article_opened', 'rephrased', 'ticket_created', 'agent_replied')",
            name=op.f("ck_feedback_kind"),
        ),
    )
    op.create_index("ix_feedback_prediction_id", "feedback", ["prediction_id"])
    op.create_index("ix_feedback_time_ms", "feedback", ["time_ms"])


def _labels() -> None:
    op.create_table(
        "tasks",
        sa.Column("task_id", ID, nullable=False),
        sa.Column("prediction_id", ID, nullable=False),
        sa.Column("account", ID, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("predicted_intent", sa.Text, nullable=False),
        sa.Column("decision", sa.Text, nullable=False),
        sa.Column("article_ids", sa.JSON, nullable=False),
        sa.Column("release", ID, nullable=False),
        sa.Column("query_time_ms", sa.BigInteger, nullable=False),
        sa.Column("stratum", sa.Text, nullable=False),
        sa.Column("inclusion_probability", sa.Double, nullable=False),
        sa.Column("seed", sa.Text, nullable=False),
        sa.Column("design", sa.Text, nullable=False),
        sa.Column("scope", sa.JSON, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("show_prediction", sa.Boolean, nullable=False),
        sa.Column("status", sa.Text, nullable=False, server_default="open"),
        sa.PrimaryKeyConstraint("task_id", name="pk_tasks"),
        sa.CheckConstraint("decision IN ('answer', 'clarify', 'handoff')", name=op.f("ck_tasks_decision")),
        sa.CheckConstraint("status IN ('open', 'labelled')", name=op.f("ck_tasks_status")),
        sa.CheckConstraint(
            "inclusion_probability > 0 AND inclusion_probability <= 1", name=op.f("ck_tasks_inclusion_probability")
        ),
    )
    op.create_index("ix_tasks_status_created_ms", "tasks", ["status", "created_ms"])
    op.create_index("ix_tasks_query_time_ms", "tasks", ["query_time_ms"])
    op.create_table(
        "labels",
        sa.Column("label_id", ID, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("prediction_id", ID, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("relevance", sa.Text, nullable=False),
        sa.Column("intent", sa.Text),
        sa.Column("article_id", sa.Text),
        sa.Column("helpful", sa.Boolean),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("label_id", name="pk_labels"),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.task_id"], name="fk_labels_task_id"),
        sa.CheckConstraint(
            "relevance IN ('in_scope', 'new_domain', 'irrelevant', 'small_talk')", name=op.f("ck_labels_relevance")
        ),
    )
    op.create_index("ix_labels_task_id", "labels", ["task_id"])
    op.create_index("ix_labels_time_ms", "labels", ["time_ms"])


def _releases() -> None:
    op.create_table(
        "ledger",
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("release", ID),
        sa.Column("tag", sa.Text, nullable=False),
        sa.Column("evidence", sa.JSON, nullable=False),
        sa.Column("previous_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_ledger"),
        sa.CheckConstraint("kind IN ('release', 'hold', 'refuse', 'rollback')", name=op.f("ck_ledger_kind")),
    )
    op.create_table(
        "releases",
        sa.Column("release", ID, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
        sa.Column("candidate", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("release", name="pk_releases"),
        sa.ForeignKeyConstraint(["seq"], ["ledger.seq"], name="fk_releases_seq"),
        sa.UniqueConstraint("seq", name="uq_releases_seq"),
    )


def _loop() -> None:
    op.create_table(
        "turns",
        sa.Column("turn_id", ID, nullable=False),
        sa.Column("time_ms", sa.BigInteger, nullable=False),
        sa.Column("receipts", sa.JSON, nullable=False),
        sa.Column("verdict", sa.Text),
        sa.Column("release", ID),
        sa.PrimaryKeyConstraint("turn_id", name="pk_turns"),
    )
    op.create_index("ix_turns_time_ms", "turns", ["time_ms"])
    op.create_table(
        "findings",
        sa.Column("finding_id", ID, nullable=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("raised_ms", sa.BigInteger, nullable=False),
        sa.Column("inception_ms", sa.BigInteger, nullable=False),
        sa.Column("inception_low_ms", sa.BigInteger, nullable=False),
        sa.Column("inception_high_ms", sa.BigInteger, nullable=False),
        sa.Column("before", sa.Double),
        sa.Column("after", sa.Double),
        sa.Column("sentence", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("finding_id", name="pk_findings"),
    )
    op.create_table(
        "state",
        sa.Column("key", ID, nullable=False),
        sa.Column("value", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_state"),
    )


def _sqlite_triggers() -> None:
    for table in APPEND_ONLY:
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    # INSERT OR REPLACE deletes without firing a delete trigger.
    op.execute(
        "CREATE TRIGGER ledger_no_replace BEFORE INSERT ON ledger "
        "WHEN EXISTS (SELECT 1 FROM ledger WHERE seq >= NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'ledger is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER releases_no_replace BEFORE INSERT ON releases "
        'WHEN EXISTS (SELECT 1 FROM releases WHERE "release" = NEW."release" OR seq = NEW.seq) '
        "BEGIN SELECT RAISE(ABORT, 'releases is append-only'); END"
    )


def _postgresql_triggers() -> None:
    op.execute(
        "CREATE FUNCTION noria_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION noria_append_only()"
        )
