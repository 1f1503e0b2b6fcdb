"""Hand-overs on their way to a help desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from noria.records.sessions import HandOver

DeliveryState = Literal["pending", "sending", "unknown", "delivered", "refused"]
DELIVERY_STATES: tuple[DeliveryState, ...] = ("pending", "sending", "unknown", "delivered", "refused")
"""pending: not sent, or surely not taken. sending: a call is out. unknown: a call was lost, a ticket may exist.
delivered: the ticket is known. refused: the desk, or we, said no for good."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a hand-over is on its way to the help desk; ids and states only, what was said stays in the session.

    `prediction_id`: the session's last before the hand-over, which feedback from the ticket is about. `reason`: one
    word on why it is where it is. `sends`: calls that may have made a ticket. `looks`: how often a lost one was looked
    for. `sent_ms`: when the last call began. `due_ms`: not to be touched before. `status`: of the ticket, as last read.
    `over`: nothing more is expected of the ticket. Times are UTC milliseconds.
    """

    hand_over_id: str
    account: str
    prediction_id: str
    state: DeliveryState
    changed_ms: int
    reason: str = ""
    ticket_id: str = ""
    sends: int = 0
    looks: int = 0
    sent_ms: int = 0
    due_ms: int = 0
    status: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A hand-over that waits for something to be done; `delivery` None = nothing was tried yet."""

    hand_over: HandOver
    delivery: Delivery | None
