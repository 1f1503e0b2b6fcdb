"""Joins stores, counterparts, clock and settings: the one place that knows all of them."""

from noria.app.wiring.clock import new_id, now_ms
from noria.app.wiring.desks import label_studio_desk, open_desk
from noria.app.wiring.encoders import (
    ENCODER_SPECS,
    add_encoder,
    encoder_or_warning,
    encoder_shelf,
    encoder_to_train,
    load_encoder,
    user_cache,
    with_cache,
)
from noria.app.wiring.rooms import code_facts, open_house, open_stores
from noria.app.wiring.serving.live import LiveHouse
from noria.app.wiring.sources import open_source
from noria.app.wiring.worker import open_worker

__all__ = [
    "ENCODER_SPECS",
    "LiveHouse",
    "add_encoder",
    "code_facts",
    "encoder_or_warning",
    "encoder_shelf",
    "encoder_to_train",
    "label_studio_desk",
    "load_encoder",
    "new_id",
    "now_ms",
    "open_desk",
    "open_house",
    "open_source",
    "open_stores",
    "open_worker",
    "user_cache",
    "with_cache",
]
