"""Where a catalogue lies: the folder or the zip as downloaded, behind one small interface."""

import threading
import zipfile
import zlib
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final, Protocol, Self, cast

from hangtag.domain.errors import CatalogueError, PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import DEFAULT_LIMITS, PHOTO_SUFFIXES, read_photo_bytes

TABLE_NAME: Final = "styles.csv"
PHOTO_FOLDER: Final = "images"
EXPECTED: Final = f"A catalogue is a folder or a zip that holds {TABLE_NAME} and a folder {PHOTO_FOLDER}/."


class Catalogue(Protocol):
    """A table of products and a folder of photos. Every method may be called from several threads."""

    @property
    def name(self) -> str:
        """What a report calls this catalogue."""
        ...

    def open_table(self) -> BinaryIO:
        """Open the product table. The caller closes it."""
        ...

    def photo_names(self) -> frozenset[str]:
        """Return the file names of all photos, such as `15970.jpg`.

        Raises `CatalogueError` when there is no folder of photos.
        """
        ...

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo; raises `PhotoError` (NOT_FOUND and others)."""
        ...

    def close(self) -> None:
        """Let go of open files."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class FolderCatalogue:
    """A catalogue that lies in a folder, its table in `table`."""

    def __init__(self, folder: Path, table: str = TABLE_NAME) -> None:
        self.name = folder.resolve().name
        self._table = folder / table
        self._photos = folder / PHOTO_FOLDER

    def open_table(self) -> BinaryIO:
        """Open the product table; raises `CatalogueError` when it cannot be read."""
        try:
            return self._table.open("rb")
        except OSError as error:
            raise CatalogueError(f"the table cannot be read ({error.strerror})", where=self._table) from error

    def photo_names(self) -> frozenset[str]:
        """Return the file names in the photo folder; raises `CatalogueError` when there is none."""
        return self._names

    @cached_property
    def _names(self) -> frozenset[str]:
        try:
            names = frozenset(path.name for path in self._photos.iterdir())
        except OSError as error:
            raise CatalogueError("there is no folder of photos", where=self._photos, fix=EXPECTED) from error
        return frozenset(filter(_is_photo_name, names))

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo; raises `PhotoError`."""
        if PurePosixPath(name).name != name:  # a name, never a way out of the folder
            raise PhotoError(Reason.NOT_FOUND)
        return read_photo_bytes(self._photos / name)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ZipCatalogue:
    """A catalogue inside a zip, with or without a folder around it. Nothing is unpacked to disk."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise CatalogueError(f"the zip cannot be opened ({error})", where=path, fix=EXPECTED) from error
        self._lock = threading.Lock()  # ZipFile counts its open members without one
        self._root = _root_in_zip(path, self._zip.namelist())

    def open_table(self) -> BinaryIO:
        """Open the product table; raises `CatalogueError` when it cannot be read."""
        try:
            with self._lock:
                return cast("BinaryIO", self._zip.open(self._root + TABLE_NAME))
        except (OSError, RuntimeError, zipfile.BadZipFile) as error:  # RuntimeError: it wants a password
            raise CatalogueError(f"{TABLE_NAME} cannot be read ({error})", where=self._path) from error

    def photo_names(self) -> frozenset[str]:
        """Return the file names in the photo folder; raises `CatalogueError` when there is none."""
        if not self._members:
            raise CatalogueError("there is no folder of photos", where=self._path, fix=EXPECTED)
        return frozenset(self._members)

    @cached_property
    def _members(self) -> dict[str, zipfile.ZipInfo]:
        folder = f"{self._root}{PHOTO_FOLDER}/"
        inside = ((info.filename.removeprefix(folder), info) for info in self._zip.infolist())
        return {
            name: info
            for name, info in inside
            if name != info.filename and "/" not in name and _is_photo_name(name)
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


def open_catalogue(path: Path) -> Catalogue:
    """Open a catalogue: its folder, its zip, or its table file alone.

    A single folder around the catalogue, as archives tend to have, is looked through.

    Raises `CatalogueError` saying what was expected and what was found.
    """
    if path.is_dir():
        return FolderCatalogue(_root_in_folder(path))
    if not path.exists():
        raise CatalogueError("there is no such file or folder", where=path, fix=EXPECTED)
    if path.suffix.lower() in {".csv", ".txt"}:
        return FolderCatalogue(path.parent, path.name)
    return ZipCatalogue(path)


def _root_in_folder(folder: Path) -> Path:
    if (folder / TABLE_NAME).is_file():
        return folder
    inside = sorted(table.parent for table in folder.glob(f"*/{TABLE_NAME}"))
    if len(inside) == 1:
        return inside[0]
    raise _not_one_table(folder, [path.name for path in inside])


def _root_in_zip(path: Path, names: list[str]) -> str:
    own = (name for name in names if not name.startswith("__MACOSX/"))
    tables = [name for name in own if PurePosixPath(name).name == TABLE_NAME]
    shallowest = min((name.count("/") for name in tables), default=0)
    roots = [name.removesuffix(TABLE_NAME) for name in tables if name.count("/") == shallowest]
    if len(roots) == 1 and shallowest <= 1:
        return roots[0]
    raise _not_one_table(path, roots)


def _not_one_table(where: Path, found: list[str]) -> CatalogueError:
    if found:
        several = ", ".join(sorted(found)[:5])
        problem = f"{TABLE_NAME} was found in {several}"
        return CatalogueError(problem, where=where, fix="Name one of these folders.")
    return CatalogueError(f"there is no {TABLE_NAME}", where=where, fix=EXPECTED)


def _is_photo_name(name: str) -> bool:
    return not name.startswith(".") and PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES
