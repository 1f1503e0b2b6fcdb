"""PHASE 3: predictions come in; label tasks drawn with known probability, labels and corrected examples come out."""

from noria.label.corrections import corrected, for_gate
from noria.label.drawing.sampling import SamplingPolicy, send
from noria.label.gathering import gather
from noria.label.settling import SettlingPolicy

__all__ = ["SamplingPolicy", "SettlingPolicy", "corrected", "for_gate", "gather", "send"]
