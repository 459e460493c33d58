"""Where a catalogue lies: whatever a path leads to is opened behind one interface."""

from pathlib import Path

from hangtag.catalogue.custom_set import CUSTOM_PHOTO_FOLDER, CUSTOM_TABLE, open_custom_folder
from hangtag.catalogue.folder import EXPECTED, TABLE_NAME, FolderCatalogue
from hangtag.catalogue.interface import Catalogue
from hangtag.catalogue.zipped import ZipCatalogue, several_tables
from hangtag.domain.errors import CatalogueError

__all__ = ["Catalogue", "open_catalogue", "open_custom_set"]


def open_catalogue(path: Path) -> Catalogue:
    """Open a catalogue: its folder, its zip, or its table file alone.

    A single folder around the catalogue, as archives tend to have, is looked through.

    Raises `CatalogueError` saying what was expected and what was found.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise CatalogueError("there is no such file or folder", where=path, fix=EXPECTED)
    if path.name == CUSTOM_TABLE:
        return open_custom_folder(path.parent)
    if path.suffix.lower() in {".csv", ".txt"}:
        return FolderCatalogue(path.parent, path.name)
    return ZipCatalogue(path)


def open_custom_set(catalogue_path: Path) -> Catalogue | None:
    """Open the custom set that lies beside a catalogue's table, in its folder or its zip; None if there is none.

    The custom set itself has none beside it.

    Raises `CatalogueError` when there is no catalogue at this path.
    """
    if catalogue_path.is_dir():
        root = _find_root(catalogue_path)
        has_both = root is not None and (root / CUSTOM_TABLE).is_file()
        return open_custom_folder(root) if has_both and root is not None else None
    if catalogue_path.suffix.lower() == ".zip":
        return _open_custom_zip(catalogue_path)
    has_own = catalogue_path.name != CUSTOM_TABLE and (catalogue_path.parent / CUSTOM_TABLE).is_file()
    return open_custom_folder(catalogue_path.parent) if has_own else None


def _open_folder(folder: Path) -> Catalogue:
    root = _find_root(folder)
    if root is not None:
        return FolderCatalogue(root)
    if (folder / CUSTOM_TABLE).is_file():
        return open_custom_folder(folder)
    raise CatalogueError(f"there is no {TABLE_NAME}", where=folder, fix=EXPECTED)


def _find_root(folder: Path) -> Path | None:
    """Return the folder that holds the table: this one, or the one inside it that does."""
    if (folder / TABLE_NAME).is_file():
        return folder
    inside = sorted(table.parent for table in folder.glob(f"*/{TABLE_NAME}"))
    if len(inside) > 1:
        raise several_tables(folder, [path.name for path in inside])
    return inside[0] if inside else None


def _open_custom_zip(path: Path) -> Catalogue | None:
    catalogue = ZipCatalogue(path, CUSTOM_TABLE, CUSTOM_PHOTO_FOLDER)
    if catalogue.has_table():
        return catalogue
    catalogue.close()
    return None
