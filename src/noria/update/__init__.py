"""PHASE 5: labels and findings come in; a plan with what to learn, what to accept and a backlog comes out."""

from noria.update.backlog import BacklogPolicy
from noria.update.discovery import DiscoveryPolicy
from noria.update.planning import UpdatePolicy, plan
from noria.update.triage import TriagePolicy

__all__ = ["BacklogPolicy", "DiscoveryPolicy", "TriagePolicy", "UpdatePolicy", "plan"]
