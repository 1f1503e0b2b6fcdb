"""Fixtures for tests of feeds on real databases."""

from tests.stores.conftest import new_database, postgres_server

__all__ = ["new_database", "postgres_server"]
