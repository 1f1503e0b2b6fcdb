"""Where things are kept, one door each: lake (Delta tables), journal (SQL), tracker (MLflow), blobs (bundles)."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noria.stores.blobs import Blobs
    from noria.stores.journal import Journal
    from noria.stores.lake import Lake
    from noria.stores.tracker import Tracker

__all__ = ["Stores"]


class Stores:
    """The four stores of a home, each opened when it is first used: serving never loads the tracker's libraries.

    Args:
        lake: root of the tables: a folder, or `s3://bucket/prefix`.
        blobs: root of the bundles, likewise.
        journal: SQLAlchemy URL.
        tracker: MLflow tracking URI.
        artifacts: root folder of the tracker's artefacts.
    """

    def __init__(self, *, lake: Path | str, blobs: Path | str, journal: str, tracker: str, artifacts: Path) -> None:
        self._lake, self._blobs, self._artifacts = lake, blobs, artifacts
        self._urls = {"journal": journal, "tracker": tracker}

    @cached_property
    def lake(self) -> Lake:
        """Versioned tables."""
        from noria.stores.lake import Lake

        return Lake(self._lake)

    @cached_property
    def blobs(self) -> Blobs:
        """Model bundles by content."""
        from noria.stores.blobs import Blobs

        return Blobs(self._blobs)

    @cached_property
    def journal(self) -> Journal:
        """Predictions, feedback, labels, releases, ledger."""
        from noria.stores.journal import Journal

        return Journal.open(self._urls["journal"])

    @cached_property
    def tracker(self) -> Tracker:
        """Experiments."""
        from noria.stores.tracker import Tracker

        return Tracker(self._urls["tracker"], self._artifacts)

    def close(self) -> None:
        """Closes what was opened."""
        if "journal" in self.__dict__:
            self.journal.close()
