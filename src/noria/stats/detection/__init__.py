"""Has it changed? Detectors with a stated run length, and one budget of false alarms for all of them."""

from noria.stats.detection.esr import ESRState, baseline, e_sr
from noria.stats.detection.stratified import QualityWatch, bands

__all__ = ["ESRState", "QualityWatch", "bands", "baseline", "e_sr"]
