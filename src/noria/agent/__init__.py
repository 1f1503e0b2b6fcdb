"""The thing that answers, pure once loaded: intent, scope, retrieval, decision, and the bundle that holds them."""

from noria.agent.agent import Agent
from noria.agent.bundle import pack, unpack
from noria.agent.fitting import fit
from noria.agent.recipe import Recipe
from noria.agent.refit import refit

__all__ = ["Agent", "Recipe", "fit", "pack", "refit", "unpack"]
