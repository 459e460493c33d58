"""A catalogue inside a zip, as downloaded."""

import struct
import zipfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from hangtag.archives.members import Membership, sort_member
from hangtag.archives.zips import ZipEntry, iter_entries, open_entry, read_entry
from hangtag.datasets.folder import EXPECTED, PHOTO_FOLDER, TABLE_NAME, count_endings
from hangtag.datasets.interface import KeepsNothingOpen
from hangtag.domain.errors import CatalogueError, PhotoError
from hangtag.domain.reasons import Reason


class ZipCatalogue(KeepsNothingOpen):
    """A catalogue inside a zip, with or without a folder around it. Nothing is unpacked to disk.

    The photos in sub-folders of the photo folder are photos too.
    """

    def __init__(self, path: Path, table: str = TABLE_NAME, photos: str = PHOTO_FOLDER) -> None:
        self.name = path.stem
        self._path = path
        self._table = table
        self._entries = _list_entries(path)
        self._root = _find_root(path, list(self._entries))
        self._photos = f"{self._root}{photos}/"

    def has_table(self) -> bool:
        """Tell whether the table is in the zip."""
        return self._root + self._table in self._entries

    def open_table(self) -> BinaryIO:
        """Open the product table; raises `CatalogueError` when it cannot be read."""
        try:
            return open_entry(self._path, self._entries[self._root + self._table])
        except (OSError, KeyError, zipfile.BadZipFile, PhotoError) as error:
            raise CatalogueError(f"{self._table} cannot be read ({error})", where=self._path) from error

    def photo_names(self) -> frozenset[str]:
        """Return the names of the photos in the photo folder; raises `CatalogueError` when there is none."""
        if not self._members:
            raise CatalogueError("there is no folder of photos", where=self._path, fix=EXPECTED)
        return frozenset(self._members)

    def other_files(self) -> Mapping[str, int]:
        """Count the files in the photo folder that do not end like a photo, by their ending."""
        inside = (name.removeprefix(self._photos) for name in self._entries if name.startswith(self._photos))
        return count_endings(name for name in inside if sort_member(name) is Membership.OTHER)

    @cached_property
    def _members(self) -> dict[str, ZipEntry]:
        inside = ((name.removeprefix(self._photos), entry) for name, entry in self._entries.items())
        return {
            name: entry
            for name, entry in inside
            if len(name) < len(entry.name) and sort_member(name) is Membership.PHOTO
        }

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo; raises `PhotoError`."""
        entry = self._members.get(name)
        if entry is None:
            raise PhotoError(Reason.NOT_FOUND)
        return read_entry(self._path, entry)


def _list_entries(path: Path) -> dict[str, ZipEntry]:
    """Return the entries of a zip by name, of several with one name the last, without what macOS adds."""
    try:
        with path.open("rb") as file:
            return {
                entry.name: entry
                for entry in iter_entries(file)
                if sort_member(entry.name) is not Membership.IGNORED
            }
    except (OSError, zipfile.BadZipFile, struct.error) as error:
        raise CatalogueError(f"the zip cannot be opened ({error})", where=path, fix=EXPECTED) from error


def _find_root(path: Path, names: list[str]) -> str:
    tables = [name for name in names if PurePosixPath(name).name == TABLE_NAME]
    shallowest = min((name.count("/") for name in tables), default=0)
    roots = [name.removesuffix(TABLE_NAME) for name in tables if name.count("/") == shallowest]
    if len(roots) == 1:
        return roots[0]
    if not roots:
        raise CatalogueError(f"there is no {TABLE_NAME}", where=path, fix=EXPECTED)
    raise several_tables(path, roots, "Unpack it, and name one of these folders.")


def several_tables(where: Path, found: list[str], fix: str = "Name one of these folders.") -> CatalogueError:
    """Return the error that a place holds several catalogues."""
    problem = f"{TABLE_NAME} was found in {', '.join(sorted(found)[:5])}"
    return CatalogueError(problem, where=where, fix=fix)
