"""Which of many runs to offer for release: a policy in, a choice with its reasons out."""

from noria.release.choice.choosing import Choice, Run, choose, shortlisted
from noria.release.choice.policy import ChoicePolicy, Limit, Objective
from noria.release.choice.report import report

__all__ = ["Choice", "ChoicePolicy", "Limit", "Objective", "Run", "choose", "report", "shortlisted"]
