"""PHASE 2, by stages: a candidate that passed the gate answers in shadow, then for a share, before it goes live."""

from noria.release.staging.deciding import Step, decide
from noria.release.staging.entering import check_alone, go_live, start_canary, start_shadow
from noria.release.staging.policy import StagePolicy
from noria.release.staging.watching import Watched, end, watch

__all__ = [
    "StagePolicy",
    "Step",
    "Watched",
    "check_alone",
    "decide",
    "end",
    "go_live",
    "start_canary",
    "start_shadow",
    "watch",
]
