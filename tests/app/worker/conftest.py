"""The databases that the worker keeps its steps in."""

from tests.stores.conftest import new_database, postgres_server  # noqa: F401 - fixtures
