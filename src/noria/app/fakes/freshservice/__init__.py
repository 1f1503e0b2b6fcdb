"""A small Freshservice in memory. It is not Freshservice: it behaves as its public documentation says."""

from noria.app.fakes.freshservice.faults import Faults
from noria.app.fakes.freshservice.made_up import made_up_data
from noria.app.fakes.freshservice.server import FakeFreshservice, Reply
from noria.app.fakes.freshservice.transport import asgi_app, in_process

__all__ = ["FakeFreshservice", "Faults", "Reply", "asgi_app", "in_process", "made_up_data"]
