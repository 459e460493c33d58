"""A custom set: a few photos of one's own with a table like a catalogue's, to test a model on or to train with."""

from pathlib import Path
from typing import Final

from hangtag.catalogue.folder import FolderCatalogue, PhotoFolder

CUSTOM_TABLE: Final = "custom_clothing_metadata.csv"
CUSTOM_PHOTO_FOLDER: Final = "images_custom"
CUSTOM_MARK: Final = " (custom)"
"""Tells the name of a custom set from that of the catalogue in the same folder."""


def custom_photos(folder: Path) -> PhotoFolder:
    """Return the photos of a custom set: those in `images_custom/` where there is one, else those beside the table.

    Sub-folders are looked through in either.
    """
    own = folder / CUSTOM_PHOTO_FOLDER
    return PhotoFolder(own if own.is_dir() else folder, deep=True)


def open_custom_folder(folder: Path) -> FolderCatalogue:
    """Open the custom set in a folder."""
    catalogue = FolderCatalogue(folder, CUSTOM_TABLE, custom_photos(folder))
    catalogue.name += CUSTOM_MARK
    return catalogue
