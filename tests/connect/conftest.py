"""One real Label Studio for all tests of a process; each test has its own project there."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory):
    """The real server (see `RealServer`); the test is skipped where it is not installed."""
    from tests.connect.label_studio_server import RealServer

    server = RealServer(tmp_path_factory.mktemp("label-studio"))
    yield server
    server.stop()
