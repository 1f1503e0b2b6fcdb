"""The members of an intent model: each an opinion of its own, fused late in `heads.intent`."""

from noria.agent.members.dense import DenseHead
from noria.agent.members.neighbours import Neighbours
from noria.agent.members.svm import NgramSvm
from noria.agent.members.tuned import TunedEncoder

__all__ = ["DenseHead", "Neighbours", "NgramSvm", "TunedEncoder"]
