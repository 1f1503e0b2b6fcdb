"""When did it change? The likely beginning, and the set that holds it: in rates, in any series, among vectors."""

from noria.stats.inception.scan import HOURLY_RAMPS, Inception, Shape, locate

__all__ = ["HOURLY_RAMPS", "Inception", "Shape", "locate"]
