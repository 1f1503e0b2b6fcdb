"""A challenger beside the live agent: it answers in shadow, or a share of the sessions."""

from noria.serve.challenger.beside import Beside
from noria.serve.challenger.routing import Canary, Routing, place_of
from noria.serve.challenger.shadow import Shadow

__all__ = ["Beside", "Canary", "Routing", "Shadow", "place_of"]
