"""What the members of archives and stores are called, and which of them are photos."""

from enum import Enum, auto
from typing import Final

from hangtag.labelling.inputs.folder import PHOTO_ENDINGS
from hangtag.labelling.inputs.photo import as_utf8

_MAC_FOLDER: Final = "__MACOSX"


class Membership(Enum):
    """What a member is, by its name: a photo, something else, or nothing that anyone put there on purpose."""

    PHOTO = auto()
    OTHER = auto()
    IGNORED = auto()


def sort_member(name: str) -> Membership:
    """Say what a member is. Folders, hidden files and what macOS adds are ignored, as they are in a folder."""
    parts = name.split("/")
    if not parts[-1] or _MAC_FOLDER in parts or any(_is_hidden(part) for part in parts):
        return Membership.IGNORED
    return Membership.PHOTO if name.lower().endswith(PHOTO_ENDINGS) else Membership.OTHER


def name_member(archive: str, member: str) -> str:
    """Return what a table calls a member: the archive's name, a slash, the member's."""
    return as_utf8(f"{archive}/{member.removeprefix('./')}")


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part not in (".", "..")
