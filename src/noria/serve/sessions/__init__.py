"""Conversations: rephrasing, small talk, deflection."""

from noria.serve.sessions.deflection import DeflectionBand, deflection
from noria.serve.sessions.following import Follower
from noria.serve.sessions.rephrasing import rephrased
from noria.serve.sessions.small_talk import reply_to_small_talk

__all__ = ["DeflectionBand", "Follower", "deflection", "rephrased", "reply_to_small_talk"]
