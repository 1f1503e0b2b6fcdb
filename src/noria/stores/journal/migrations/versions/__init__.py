"""One file per revision, found by Alembic."""
