"""PHASE 2: a candidate comes in; a verdict, a ledger entry and perhaps a live release come out."""

from noria.release.policy import GatePolicy
from noria.release.rollout import consider, frozen_basket, load_agent, roll_back, roll_out

__all__ = ["GatePolicy", "consider", "frozen_basket", "load_agent", "roll_back", "roll_out"]
