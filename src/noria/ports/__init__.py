"""Small protocols for what has more than one real counterpart; the counterparts live in `connect`."""

from noria.ports.label_desk import DeskStatus, LabelDesk
from noria.ports.questions import BadAnswer, label_studio_config, read_answers

__all__ = ["BadAnswer", "DeskStatus", "LabelDesk", "label_studio_config", "read_answers"]
