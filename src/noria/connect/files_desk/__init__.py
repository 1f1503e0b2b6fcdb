"""Plain files as the help desk: the embedded twin of an outside one (docs/help-desk.md)."""

from noria.connect.files_desk.desk import FilesDesk

__all__ = ["FilesDesk"]
