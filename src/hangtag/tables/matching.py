"""The names of photos: which files are photos, and which product each one shows."""

from collections.abc import Collection
from pathlib import PurePosixPath

from hangtag.imaging.decode import PHOTO_SUFFIXES
from hangtag.tables.values import drop_invisible, single_spaced


def is_photo_name(name: str) -> bool:
    """Tell whether a file is taken for a photo, by its name alone; a name that starts with a dot is hidden."""
    path = PurePosixPath(name)
    return not path.name.startswith(".") and path.suffix.lower() in PHOTO_SUFFIXES


def product_id(name: str) -> str:
    """Return the id of the product that a photo shows: its name without the ending, tidied as the table's values.

    `15970.jpg` belongs to 15970, and where photos lie in sub-folders `Shirts/7.jpg` belongs to Shirts/7.
    """
    return single_spaced(drop_invisible(name.rpartition(".")[0]))


def photos_by_id(names: Collection[str]) -> dict[str, str]:
    """Return the photo of each product. Of several, JPEG is preferred."""
    is_jpeg = {name: name.lower().endswith((".jpg", ".jpeg")) for name in names}
    return {product_id(name): name for name in sorted(names, key=lambda name: (is_jpeg[name], name))}
