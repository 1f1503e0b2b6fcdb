"""Personal data and secrets in texts, found and blotted out before a text is kept. Pure."""

from noria.records.redaction.recognisers import RECOGNISERS, Recogniser, of_pattern
from noria.records.redaction.redaction import Redacted, redact

__all__ = ["RECOGNISERS", "Recogniser", "Redacted", "of_pattern", "redact"]
