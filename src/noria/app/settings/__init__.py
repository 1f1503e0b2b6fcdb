"""The settings of a home: `noria.toml`; an unknown key is an error that names the nearest one."""

from noria.app.settings.ecs import EcsSettings
from noria.app.settings.environment import with_environment
from noria.app.settings.help_desk import DeskSettings, HelpDeskSettings, help_desk
from noria.app.settings.mapping import from_mapping
from noria.app.settings.reading import DESKS, label_desk, loop_policy, read_settings
from noria.app.settings.sections import (
    AlertSettings,
    EncoderChoice,
    LabelStudioSettings,
    ServeSettings,
    Settings,
    StoreSettings,
    WorkerSettings,
)
from noria.app.settings.template import TEMPLATE

__all__ = [
    "DESKS",
    "TEMPLATE",
    "AlertSettings",
    "DeskSettings",
    "EcsSettings",
    "EncoderChoice",
    "HelpDeskSettings",
    "LabelStudioSettings",
    "ServeSettings",
    "Settings",
    "StoreSettings",
    "WorkerSettings",
    "from_mapping",
    "help_desk",
    "label_desk",
    "loop_policy",
    "read_settings",
    "with_environment",
]
