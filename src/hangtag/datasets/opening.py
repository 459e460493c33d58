"""Where a catalogue lies: whatever a path leads to is opened behind one interface."""

import contextlib
from pathlib import Path
from typing import Final

from hangtag.datasets.class_folders import ClassFolders
from hangtag.datasets.fashion_mnist import FashionMnist, holds_idx_files
from hangtag.datasets.folder import (
    CLEANED_FILES,
    CUSTOM_MARK,
    CUSTOM_PHOTO_FOLDER,
    CUSTOM_TABLE,
    EXPECTED,
    OWN_FILES,
    PHOTO_FOLDER,
    TABLE_NAME,
    FolderCatalogue,
    open_custom_folder,
)
from hangtag.datasets.interface import Catalogue
from hangtag.datasets.mapped import MappedCatalogue
from hangtag.datasets.mapping import MAPPING_NAME, read_mapping
from hangtag.datasets.zipped import ZipCatalogue, several_tables
from hangtag.domain.errors import CatalogueError

_TABLE_SUFFIXES: Final = frozenset(
    {".csv", ".tsv", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".parquet", ".jsonl", ".ndjson"}
)

__all__ = ["Catalogue", "list_table_files", "open_catalogue", "open_custom_set"]


def open_catalogue(path: Path) -> Catalogue:
    """Open a catalogue: its folder, its zip, its table file alone, or the mapping of another table.

    A single folder around the catalogue, as archives tend to have, is looked through.

    Raises `CatalogueError` saying what was expected and what was found.
    """
    if path.is_dir():
        return _open_folder(path)
    if not path.exists():
        raise CatalogueError("there is no such file or folder", where=path, fix=EXPECTED)
    if path.name == CUSTOM_TABLE:
        return open_custom_folder(path.parent)
    suffix = path.suffix.lower()
    if suffix == ".toml":
        return _open_mapped(path)
    if suffix in {".csv", ".txt"}:
        return FolderCatalogue(path.parent, path.name)
    return ZipCatalogue(path)


def open_custom_set(catalogue_path: Path) -> Catalogue | None:
    """Open the custom set that lies beside a catalogue's table, in its folder or its zip; None if there is none.

    The custom set itself has none beside it.

    Raises `CatalogueError` when there is no catalogue at this path.
    """
    if catalogue_path.is_dir():
        root = _find_root(catalogue_path)
        return None if root is None or not (root / CUSTOM_TABLE).is_file() else open_custom_folder(root)
    if catalogue_path.suffix.lower() == ".zip":
        return _open_custom_zip(catalogue_path)
    has_own = catalogue_path.name != CUSTOM_TABLE and (catalogue_path.parent / CUSTOM_TABLE).is_file()
    return open_custom_folder(catalogue_path.parent) if has_own else None


def list_table_files(path: Path) -> list[Path]:
    """Return the files, besides photos, that a catalogue is read from: whatever is written must be none of these.

    Where there is no catalogue, the path alone: opening it says what is wrong.
    """
    found = [path]
    with contextlib.suppress(CatalogueError, OSError):
        root = _find_root(path) if path.is_dir() else None
        if root is not None:
            found += [root / name for name in (TABLE_NAME, MAPPING_NAME, CUSTOM_TABLE)]
        mapping = path if path.suffix.lower() == ".toml" else (root or path) / MAPPING_NAME
        if mapping.is_file():
            table = read_mapping(mapping).table
            found += [] if table is None else [table]
    found.append((path if path.is_dir() else path.parent) / CUSTOM_TABLE)
    return found


def _open_folder(folder: Path) -> Catalogue:
    root = _find_root(folder)
    if root is None and (folder / CUSTOM_TABLE).is_file():
        return open_custom_folder(folder)
    if root is None:
        return _open_class_folders(folder)
    if (root / MAPPING_NAME).is_file():
        return _open_mapped(root / MAPPING_NAME)
    return FolderCatalogue(root) if (root / TABLE_NAME).is_file() else FashionMnist(root)


def _find_root(folder: Path) -> Path | None:
    """Return the folder that holds a catalogue with a table: this one, or the one inside it that does."""
    if _holds_table(folder):
        return folder
    inside = sorted(path for path in folder.iterdir() if path.is_dir() and _holds_table(path))
    if len(inside) > 1:
        raise several_tables(folder, [path.name for path in inside])
    return inside[0] if inside else None


def _holds_table(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (MAPPING_NAME, TABLE_NAME)) or holds_idx_files(folder)


def _open_mapped(path: Path) -> Catalogue:
    mapping = read_mapping(path)
    name = path.resolve().parent.name if path.name == MAPPING_NAME else path.stem
    if mapping.table is None:
        return ClassFolders(name, mapping.photos, mapping.folders, (mapping.licence, mapping.attribution))
    return MappedCatalogue(name, mapping)


def _open_class_folders(folder: Path) -> ClassFolders:
    inside = [path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))]
    _refuse_unknown_table(folder, inside)
    if PHOTO_FOLDER in {path.name for path in inside} or not any(path.is_dir() for path in inside):
        raise CatalogueError(f"there is no {TABLE_NAME}", where=folder, fix=EXPECTED)
    if len(inside) == 1:
        return _open_class_folders(inside[0])
    return ClassFolders(folder.resolve().name, folder)


def _refuse_unknown_table(folder: Path, inside: list[Path]) -> None:
    """Raise `CatalogueError` for a table that nobody described: its labels would be passed over without a word."""
    names = sorted(path.name for path in inside if path.suffix.lower() in _TABLE_SUFFIXES and path.is_file())
    unknown = [name for name in names if not name.startswith(OWN_FILES) and name not in CLEANED_FILES]
    if unknown:
        raise CatalogueError(
            f"{unknown[0]} lies beside the photos, and nothing says what is in it",
            where=folder,
            fix=f"Describe it in a {MAPPING_NAME}. Or call it {TABLE_NAME} and the folder of photos {PHOTO_FOLDER}. "
            "Or move it away, if the folders of the photos are their classes.",
        )


def _open_custom_zip(path: Path) -> Catalogue | None:
    catalogue = ZipCatalogue(path, CUSTOM_TABLE, CUSTOM_PHOTO_FOLDER)
    catalogue.name += CUSTOM_MARK
    if catalogue.has_table():
        return catalogue
    catalogue.close()
    return None
