"""The databases that a study is tested on: those of the journal's tests."""

from tests.stores.conftest import new_database, postgres_server

__all__ = ["new_database", "postgres_server"]
