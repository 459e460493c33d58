"""Which members of an archive are photos, by their names."""

from enum import Enum, auto
from typing import Final

from hangtag.imaging.decode import PHOTO_SUFFIXES

_PHOTO_ENDINGS: Final = tuple(sorted(PHOTO_SUFFIXES))
_MAC_FOLDER: Final = "__MACOSX"


class Membership(Enum):
    """What a member is, judged by its name: a photo, something else, or a file that no person put there."""

    PHOTO = auto()
    OTHER = auto()
    IGNORED = auto()


def sort_member(name: str) -> Membership:
    """Classify a member. Folders, hidden files and files added by macOS are ignored, as in a folder."""
    parts = name.split("/")
    if not parts[-1] or _MAC_FOLDER in parts or any(_is_hidden(part) for part in parts):
        return Membership.IGNORED
    return Membership.PHOTO if name.lower().endswith(_PHOTO_ENDINGS) else Membership.OTHER


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part not in (".", "..")
