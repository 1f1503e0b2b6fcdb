"""What watching needs of the journal: columns of traffic, explanations, alerts, comments, lists of queries."""

from noria.stores.journal.watching.door import WatchDoor

__all__ = ["WatchDoor"]
