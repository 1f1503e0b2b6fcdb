"""The settings of a home: `noria.toml`; an unknown key is an error that names the nearest one."""

from noria.app.settings.mapping import from_mapping
from noria.app.settings.reading import DESKS, label_desk, loop_policy, read_settings
from noria.app.settings.sections import (
    AlertSettings,
    EncoderChoice,
    LabelStudioSettings,
    ServeSettings,
    Settings,
    StoreSettings,
)
from noria.app.settings.template import TEMPLATE

__all__ = [
    "DESKS",
    "TEMPLATE",
    "AlertSettings",
    "EncoderChoice",
    "LabelStudioSettings",
    "ServeSettings",
    "Settings",
    "StoreSettings",
    "from_mapping",
    "label_desk",
    "loop_policy",
    "read_settings",
]
