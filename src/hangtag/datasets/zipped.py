"""A catalogue inside a zip, as downloaded."""

import threading
import zipfile
import zlib
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Self, cast

from hangtag.datasets.folder import EXPECTED, PHOTO_FOLDER, TABLE_NAME
from hangtag.domain.errors import CatalogueError, PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import DEFAULT_LIMITS
from hangtag.tables.matching import is_photo_name


class ZipCatalogue:
    """A catalogue inside a zip, with or without a folder around it. Nothing is unpacked to disk.

    `deep`: the photos in sub-folders of the photo folder are photos too.
    """

    def __init__(
        self, path: Path, table: str = TABLE_NAME, photos: str = PHOTO_FOLDER, *, deep: bool = False
    ) -> None:
        self.name = path.stem
        self._path = path
        self._table = table
        self._deep = deep
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise CatalogueError(f"the zip cannot be opened ({error})", where=path, fix=EXPECTED) from error
        self._lock = threading.Lock()  # ZipFile counts its open members without one
        self._root = _find_root(path, self._zip.namelist())
        self._photos = f"{self._root}{photos}/"

    def has_table(self) -> bool:
        """Tell whether the table is in the zip."""
        return self._root + self._table in self._zip.NameToInfo

    def open_table(self) -> BinaryIO:
        """Open the product table; raises `CatalogueError` when it cannot be read."""
        try:
            with self._lock:
                return cast("BinaryIO", self._zip.open(self._root + self._table))
        except (OSError, RuntimeError, KeyError, zipfile.BadZipFile) as error:  # RuntimeError: a password
            raise CatalogueError(f"{self._table} cannot be read ({error})", where=self._path) from error

    def photo_names(self) -> frozenset[str]:
        """Return the file names in the photo folder; raises `CatalogueError` when there is none."""
        if not self._members:
            raise CatalogueError("there is no folder of photos", where=self._path, fix=EXPECTED)
        return frozenset(self._members)

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        inside = ((info.filename.removeprefix(self._photos), info) for info in self._zip.infolist())
        return {
            name: info
            for name, info in inside
            if name != info.filename and (self._deep or "/" not in name) and is_photo_name(name)
        }

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo; raises `PhotoError`."""
        member = self._members.get(name)
        if member is None:
            raise PhotoError(Reason.NOT_FOUND)
        if member.file_size > DEFAULT_LIMITS.max_bytes:
            raise PhotoError(Reason.TOO_MANY_BYTES)
        try:
            with self._lock:
                return self._zip.read(member)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise PhotoError(Reason.CORRUPT, f"the photo is damaged inside the zip ({error})") from None
        except (OSError, RuntimeError, NotImplementedError) as error:
            raise PhotoError(Reason.UNREADABLE, f"the photo cannot be read from the zip ({error})") from None

    def close(self) -> None:
        """Close the zip."""
        self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _find_root(path: Path, names: list[str]) -> str:
    own = (name for name in names if not name.startswith("__MACOSX/"))
    tables = [name for name in own if PurePosixPath(name).name == TABLE_NAME]
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
