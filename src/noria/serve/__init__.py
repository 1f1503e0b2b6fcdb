"""PHASE 2: queries and feedback come in; answers go out and stand in the journal."""

from noria.serve.service import Service

__all__ = ["Service"]
