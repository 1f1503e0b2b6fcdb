"""Groups of like texts: how near they must be, the groups, their identity over time, their key phrases, their trend."""

from noria.stats.grouping.groups import choose_cut, distances, groups
from noria.stats.grouping.identity import same_groups
from noria.stats.grouping.phrases import key_phrases, phrase_counts
from noria.stats.grouping.trend import Trend, trend

__all__ = ["Trend", "choose_cut", "distances", "groups", "key_phrases", "phrase_counts", "same_groups", "trend"]
