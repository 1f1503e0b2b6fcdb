"""The loop: rooms turned in order, once (`turn`) or many times on a simulated clock (`replay`)."""

from noria.loop.house import House, LoopPolicy
from noria.loop.replay import ReplayPolicy, replay
from noria.loop.turn import turn

__all__ = ["House", "LoopPolicy", "ReplayPolicy", "replay", "turn"]
