"""PHASE 2: queries and feedback come in; answers go out and stand in the journal."""

from noria.serve.access import Keyring, Principal
from noria.serve.service import Asked, Service

__all__ = ["Asked", "Keyring", "Principal", "Service"]
