"""Challengers and what they answered beside the live release, in the journal."""

from noria.stores.journal.staging.door import StagingDoor
from noria.stores.journal.staging.figures import Failures, Latencies, Thumbs

__all__ = ["Failures", "Latencies", "StagingDoor", "Thumbs"]
