"""PHASE 5: labels and findings come in; a plan with what to learn, what to accept and a backlog comes out."""

from noria.update.planning import UpdatePolicy, plan

__all__ = ["UpdatePolicy", "plan"]
