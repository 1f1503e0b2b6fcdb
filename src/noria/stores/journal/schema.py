"""The tables of the journal, as SQLAlchemy Core; the same on SQLite and PostgreSQL.

Times are UTC milliseconds since 1970 (BigInteger). Ids are compared byte by byte on both databases, so that "in order
of time, id" means the same everywhere. A NULL in a figure column means "not a number". The migrations repeat these
definitions in frozen form; a test holds the two against each other.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    false,
)

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(column_0_N_label)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
# PostgreSQL sorts text by locale unless told otherwise; SQLite sorts by bytes.
ID = Text().with_variant(Text(collation="C"), "postgresql")

PREDICTIONS = Table(
    "predictions",
    METADATA,
    Column("prediction_id", ID, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("account", ID, nullable=False),
    Column("query_id", ID, nullable=False),
    Column("session", ID, nullable=False),
    Column("text", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("intent", Text, nullable=False),
    Column("intent_confidence", Double),
    Column("scope_score", Double),
    Column("in_scope", Boolean, nullable=False),
    Column("articles", JSON, nullable=False),
    Column("choices", JSON, nullable=False),
    Column("scores", JSON, nullable=False),
    Column("thresholds", JSON, nullable=False),
    Column("release", ID, nullable=False),
    Column("latency_ms", Double),
    Column("missing", JSON, nullable=False),
    CheckConstraint("decision IN ('answer', 'clarify', 'handoff')", name="decision"),
    Index("ix_predictions_time_ms", "time_ms"),
    Index("ix_predictions_account_time_ms", "account", "time_ms"),
    Index("ix_predictions_account_session", "account", "session"),
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("event_id", ID, primary_key=True),
    Column("prediction_id", ID, ForeignKey("predictions.prediction_id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("value", Text, nullable=False),
    CheckConstraint(
        "kind IN ('helpful', 'not_helpful', 'article_opened', 'rephrased', 'ticket_created', 'agent_replied', "
        "'ticket_resolved', 'ticket_reopened', 'ticket_rated')",
        name="kind",
    ),
    Index("ix_feedback_prediction_id", "prediction_id"),
    Index("ix_feedback_time_ms", "time_ms"),
)

# No foreign key to predictions: tasks and labels outlive predictions that were rolled into the lake.
TASKS = Table(
    "tasks",
    METADATA,
    Column("task_id", ID, primary_key=True),
    Column("prediction_id", ID, nullable=False),
    Column("account", ID, nullable=False),
    Column("text", Text, nullable=False),
    Column("predicted_intent", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("article_ids", JSON, nullable=False),
    Column("release", ID, nullable=False),
    Column("query_time_ms", BigInteger, nullable=False),
    Column("stratum", Text, nullable=False),
    Column("inclusion_probability", Double, nullable=False),
    Column("seed", Text, nullable=False),  # decimal digits: a seed may be wider than 64 bits
    Column("design", Text, nullable=False),
    Column("scope", JSON, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("show_prediction", Boolean, nullable=False),
    Column("status", Text, nullable=False, server_default="open"),
    Column("purpose", Text, nullable=False, server_default="estimate"),
    Column("annotators", Integer, nullable=False, server_default="1"),
    Column("confidence", Double, server_default="0"),
    Column("scope_score", Double, server_default="0"),
    Column("expected_right", Double, server_default="0"),
    Column("scope_version", Text, nullable=False, server_default=""),
    Column("unsettled", Boolean, nullable=False, server_default=false()),  # labels came in since it was settled
    CheckConstraint("decision IN ('answer', 'clarify', 'handoff')", name="decision"),
    CheckConstraint("status IN ('open', 'labelled')", name="status"),
    CheckConstraint("inclusion_probability > 0 AND inclusion_probability <= 1", name="inclusion_probability"),
    Index("ix_tasks_status_created_ms", "status", "created_ms"),
    Index("ix_tasks_query_time_ms", "query_time_ms"),
    Index("ix_tasks_unsettled", "unsettled"),
)

LABELS = Table(
    "labels",
    METADATA,
    Column("label_id", ID, primary_key=True),
    Column("task_id", ID, ForeignKey("tasks.task_id"), nullable=False),
    Column("prediction_id", ID, nullable=False),
    Column("annotator", Text, nullable=False),
    Column("relevance", Text, nullable=False),
    Column("intent", Text),
    Column("helpful", Boolean),
    Column("time_ms", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("article_ids", JSON, nullable=False, server_default="[]"),
    Column("withdrawn", Boolean, nullable=False, server_default=false()),
    Column("adjudication", Boolean, nullable=False, server_default=false()),
    CheckConstraint("relevance IN ('in_scope', 'new_domain', 'irrelevant', 'small_talk')", name="relevance"),
    Index("ix_labels_task_id", "task_id"),
    Index("ix_labels_time_ms", "time_ms"),
)

# What the labels of a task come to. Made from tasks and labels, and made anew whenever a label comes in.
SETTLED = Table(
    "settled",
    METADATA,
    Column("task_id", ID, ForeignKey("tasks.task_id"), primary_key=True),
    Column("prediction_id", ID, nullable=False),
    Column("status", Text, nullable=False),
    Column("relevance", Text, nullable=False),
    Column("intent", Text),
    Column("article_ids", JSON, nullable=False),
    Column("helpful", Boolean),
    Column("label_ids", JSON, nullable=False),
    Column("annotators", JSON, nullable=False),
    Column("agreement", Double),
    Column("adjudicated_by", Text),
    Column("time_ms", BigInteger, nullable=False),
    CheckConstraint("status IN ('settled', 'adjudicate', 'open')", name="status"),
    CheckConstraint("relevance IN ('in_scope', 'new_domain', 'irrelevant', 'small_talk')", name="relevance"),
    Index("ix_settled_status", "status"),
)

LEDGER = Table(
    "ledger",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("release", ID),
    Column("tag", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("previous_hash", Text, nullable=False),
    Column("hash", Text, nullable=False),
    CheckConstraint("kind IN ('release', 'hold', 'refuse', 'rollback')", name="kind"),
)

RELEASES = Table(
    "releases",
    METADATA,
    Column("release", ID, primary_key=True),
    Column("seq", BigInteger, ForeignKey("ledger.seq"), nullable=False, unique=True),
    Column("since_ms", BigInteger, nullable=False),
    Column("candidate", JSON, nullable=False),
)

TURNS = Table(
    "turns",
    METADATA,
    Column("turn_id", ID, primary_key=True),
    Column("time_ms", BigInteger, nullable=False),
    Column("receipts", JSON, nullable=False),
    Column("verdict", Text),
    Column("release", ID),
    Index("ix_turns_time_ms", "time_ms"),
)

FINDINGS = Table(
    "findings",
    METADATA,
    Column("finding_id", ID, primary_key=True),
    Column("metric", Text, nullable=False),
    Column("raised_ms", BigInteger, nullable=False),
    Column("inception_ms", BigInteger, nullable=False),
    Column("inception_low_ms", BigInteger, nullable=False),
    Column("inception_high_ms", BigInteger, nullable=False),
    Column("before", Double),
    Column("after", Double),
    Column("sentence", Text, nullable=False),
    Column("details", JSON),
)

STATE = Table(
    "state",
    METADATA,
    Column("key", ID, primary_key=True),
    Column("value", JSON, nullable=False),
)

# Hours whose figures are to be made anew: one row for each commit that changed something in one. Never updated, and
# deleted by id once the figures are made, so that no two writers wait for each other and nothing is missed.
TOUCHED = Table(
    "touched",
    METADATA,
    Column("touched_id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("hour_ms", BigInteger, nullable=False),
)
