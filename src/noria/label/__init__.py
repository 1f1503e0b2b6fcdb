"""PHASE 3: predictions come in; label tasks drawn with known probability, labels and corrected examples come out."""

from noria.label.gathering import corrected, for_gate, gather
from noria.label.sampling import SamplingPolicy, send

__all__ = ["SamplingPolicy", "corrected", "for_gate", "gather", "send"]
