"""Opening the catalogue at a path, or several as one, so that a split table can use photos of all of them."""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import BinaryIO, Final, Self

from hangtag.archives.zips import ZipEntry
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
    PhotoFolder,
    ZipCatalogue,
    ZipPhotos,
    has_table,
    list_entries,
    open_custom_folder,
    several_tables,
)
from hangtag.datasets.interface import Catalogue, list_photo_folders
from hangtag.datasets.layouts import ClassFolders, FashionMnist, holds_idx_files
from hangtag.datasets.mapped import MAPPING_NAME, MappedCatalogue, read_mapping
from hangtag.domain.errors import CatalogueError

JOINT: Final = ":"
"""Separates the name of a joined catalogue from the name of its photo."""


class JoinedCatalogue:
    """A main catalogue and others, each joined under a name: the photo `7.jpg` of `custom` is `custom:7.jpg`.

    Since a photo's name without its extension is a product's id, the others' products are likewise `custom:7`. The
    table is the main catalogue's; the others' products come from a split table with these names. Closing closes all of
    them.
    """

    def __init__(self, main: Catalogue, others: Mapping[str, Catalogue]) -> None:
        self._main = main
        self._others = dict(others)
        self.photo_folders = tuple(
            folder for part in (main, *others.values()) for folder in list_photo_folders(part)
        )

    @property
    def name(self) -> str:
        """The names of all, the main one first."""
        return " + ".join([self._main.name, *(other.name for other in self._others.values())])

    def open_table(self) -> BinaryIO:
        """Open the main catalogue's table."""
        return self._main.open_table()

    def photo_names(self) -> frozenset[str]:
        """Return the names of all photos, those of other catalogues prefixed by their catalogue's name."""
        return self._main.photo_names().union(
            joined_name(key, photo) for key, other in self._others.items() for photo in other.photo_names()
        )

    def other_files(self) -> Mapping[str, int]:
        """Count the skipped files of all catalogues by their ending."""
        counts: Counter[str] = Counter()
        for catalogue in (self._main, *self._others.values()):
            counts.update(catalogue.other_files())
        return counts

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo, from the catalogue in its name. Raises `PhotoError`."""
        key, joint, photo = name.partition(JOINT)
        if joint and key in self._others:
            return self._others[key].read_photo(photo)
        return self._main.read_photo(name)

    def close(self) -> None:
        """Close all catalogues."""
        for catalogue in (self._main, *self._others.values()):
            catalogue.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def joined_name(key: str, name: str) -> str:
    """Return the joined name of a photo, or of a product's id, of the catalogue joined as `key`."""
    return f"{key}{JOINT}{name}"


_TABLE_SUFFIXES: Final = frozenset(
    {".csv", ".tsv", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".parquet", ".jsonl", ".ndjson"}
)

__all__ = ["Catalogue", "list_table_files", "open_catalogue", "open_custom_set"]


def open_catalogue(path: Path) -> Catalogue:
    """Open a catalogue: its folder, its zip, its table file alone, or the mapping of another table.

    If the catalogue is inside a single folder, as in many archives, that is used.

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
    if suffix in _TABLE_SUFFIXES:
        fix = f"Save it as CSV, or describe it in a {MAPPING_NAME}: table = {path.name!r}."
        raise CatalogueError("a catalogue's own table is a CSV file", where=path, fix=fix)
    return _open_zip(path)


def open_custom_set(catalogue_path: Path) -> Catalogue | None:
    """Open the custom set next to a catalogue's table, in its folder or its zip; None if there is none.

    A custom set itself has none.

    Raises `CatalogueError` if there is no catalogue at this path.
    """
    if catalogue_path.is_dir():
        root = _find_root(catalogue_path)
        return None if root is None or not (root / CUSTOM_TABLE).is_file() else open_custom_folder(root)
    if catalogue_path.suffix.lower() == ".zip":
        return _open_custom_zip(catalogue_path)
    has_own = catalogue_path.name != CUSTOM_TABLE and (catalogue_path.parent / CUSTOM_TABLE).is_file()
    return open_custom_folder(catalogue_path.parent) if has_own else None


def list_table_files(path: Path) -> list[Path]:
    """Return the files, besides photos, that a catalogue is read from, so that no output overwrites them.

    If there is no catalogue, return only the path: opening it reports what is wrong.
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
    """Return the folder of a catalogue with a table: this one, or the single one inside it."""
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
        photos = PhotoFolder(mapping.photos, deep=True)
        return ClassFolders(name, photos, mapping.folders, (mapping.licence, mapping.attribution))
    return MappedCatalogue(name, mapping)


def _open_class_folders(folder: Path) -> ClassFolders:
    inside = [path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))]
    _refuse_unknown_table(folder, [path.name for path in inside if path.is_file()])
    if PHOTO_FOLDER in {path.name for path in inside} or not any(path.is_dir() for path in inside):
        raise CatalogueError(f"there is no {TABLE_NAME}", where=folder, fix=EXPECTED)
    if len(inside) == 1:
        return _open_class_folders(inside[0])
    return ClassFolders(folder.resolve().name, PhotoFolder(folder, deep=True))


def _open_zip(path: Path) -> Catalogue:
    """Open a zip: with a table or, if there is none, with a folder for each class."""
    entries = list_entries(path)
    if has_table(entries):
        return ZipCatalogue(path, entries=entries)
    return _open_class_zip(path, entries)


def _open_class_zip(path: Path, entries: Mapping[str, ZipEntry]) -> ClassFolders:
    photos = ZipPhotos(path, entries)
    if MAPPING_NAME in photos.files:
        fix = "Unpack the zip, and name its folder."
        raise CatalogueError(f"a {MAPPING_NAME} is read in a folder only", where=path, fix=fix)
    classes = {name.partition("/")[0] for name in photos.names if "/" in name}
    if classes:
        _refuse_unknown_table(path, [name for name in photos.files if "/" not in name])
    if not classes or PHOTO_FOLDER in classes:
        raise CatalogueError(f"there is no {TABLE_NAME}", where=path, fix=EXPECTED)
    return ClassFolders(path.stem, photos)


def _refuse_unknown_table(folder: Path, files: Iterable[str]) -> None:
    """Raise `CatalogueError` for a table without a mapping: its labels would be ignored silently."""
    names = sorted(name for name in files if PurePath(name).suffix.lower() in _TABLE_SUFFIXES)
    unknown = [name for name in names if not name.startswith(OWN_FILES) and name not in CLEANED_FILES]
    if unknown:
        raise CatalogueError(
            f"{unknown[0]} is next to the photos, but no mapping describes it",
            where=folder,
            fix=f"Describe it in a {MAPPING_NAME}. Or call it {TABLE_NAME} and the folder of photos {PHOTO_FOLDER}. "
            "Or move it away, if the folders of the photos are their classes.",
        )


def _open_custom_zip(path: Path) -> Catalogue | None:
    entries = list_entries(path)
    if not has_table(entries):
        _open_class_zip(path, entries)
        return None
    catalogue = ZipCatalogue(path, CUSTOM_TABLE, CUSTOM_PHOTO_FOLDER, entries)
    catalogue.name += CUSTOM_MARK
    if catalogue.has_table():
        return catalogue
    catalogue.close()
    return None
