"""Run by Alembic for each migration; takes the connection, inside its transaction, from the configuration."""

from alembic import context

from noria.stores.journal.migrations import VERSION_TABLE
from noria.stores.journal.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
