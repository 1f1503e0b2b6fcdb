"""Freshservice as the help desk, by its public API v2 (docs/freshservice.md)."""

from noria.connect.freshservice.client import FreshserviceClient
from noria.connect.freshservice.desk import FreshserviceDesk

__all__ = ["FreshserviceClient", "FreshserviceDesk"]
