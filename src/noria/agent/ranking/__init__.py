"""Ranking of articles: words, vectors, lessons of earlier questions, and the learnt weights that join them."""

from noria.agent.ranking.ranker import FEATURES, Ranker
from noria.agent.ranking.signals import Citation, citations_of_feedback, citations_of_labels

__all__ = ["FEATURES", "Citation", "Ranker", "citations_of_feedback", "citations_of_labels"]
