"""The label desk on a Label Studio server: tasks go there, what people answered comes back checked."""

from noria.connect.label_studio.client import LabelStudioClient
from noria.connect.label_studio.desk import LabelStudioDesk
from noria.connect.label_studio.memory import DeskReport, Fault

__all__ = ["DeskReport", "Fault", "LabelStudioClient", "LabelStudioDesk"]
