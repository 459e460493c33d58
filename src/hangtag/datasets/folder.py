"""A catalogue in a folder or in a downloaded zip, and the folder of photos that other readers share."""

import os
import struct
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from hangtag.archives.members import Membership, sort_member
from hangtag.archives.zips import ZipEntry, iter_entries, open_entry, read_entry
from hangtag.datasets.interface import KeepsNothingOpen
from hangtag.domain.errors import CatalogueError, PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import read_photo_bytes
from hangtag.tables.matching import is_photo_name

TABLE_NAME: Final = "styles.csv"
PHOTO_FOLDER: Final = "images"
CUSTOM_TABLE: Final = "custom_clothing_metadata.csv"
CUSTOM_PHOTO_FOLDER: Final = "images_custom"
CUSTOM_MARK: Final = " (custom)"
"""The suffix that distinguishes a custom set's name from its catalogue's."""

CLEANED_CSV: Final = "cleaned.csv"
CLEANED_PARQUET: Final = "cleaned.parquet"
REJECTS_CSV: Final = "rejects.csv"
REPORT_JSON: Final = "clean-report.json"
CLEANED_FILES: Final = (CLEANED_CSV, CLEANED_PARQUET, REJECTS_CSV, REPORT_JSON)
"""The files that `hangtag clean` writes."""

OWN_FILES: Final = "custom_"
"""The prefix of the files that `hangtag custom` writes next to the photos."""

EXPECTED: Final = (
    f"A catalogue is a folder or a zip that holds {TABLE_NAME} and a folder {PHOTO_FOLDER}/; "
    "or photos in a folder for each class; or a table that a catalogue.toml describes."
)


class PhotoFolder:
    """The photos in a folder and, if `deep`, in its subfolders: `Shirts/7.jpg`."""

    def __init__(self, folder: Path, *, deep: bool = False) -> None:
        self.folder = folder
        self._deep = deep

    @cached_property
    def names(self) -> frozenset[str]:
        """The photos by name. Raises `CatalogueError` if there is no such folder."""
        return frozenset(_need_utf8(name, self.folder) for name in self._files if is_photo_name(name))

    @property
    def other_files(self) -> list[str]:
        """The names of the files that do not end like a photo, without hidden ones."""
        visible = (name for name in self._files if not PurePosixPath(name).name.startswith("."))
        return sorted(name for name in visible if not is_photo_name(name))

    @cached_property
    def _files(self) -> list[str]:
        try:
            return self._walk() if self._deep else os.listdir(self.folder)  # noqa: PTH208 - names alone
        except (FileNotFoundError, NotADirectoryError):
            packed = self.folder.with_suffix(".zip")
            fix = f"Unpack {packed.name}, which is next to it." if packed.is_file() else EXPECTED
            raise CatalogueError("there is no folder of photos", where=self.folder, fix=fix) from None
        except OSError as error:
            problem = f"the folder of photos cannot be read ({error.strerror})"
            raise CatalogueError(problem, where=error.filename) from error

    def _walk(self) -> list[str]:
        found: list[str] = []
        for path, folders, files in os.walk(self.folder, onerror=_raise):
            folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
            inside = PurePosixPath(path).relative_to(self.folder)
            found += [str(inside / name) for name in files]
        return found

    def read(self, name: str) -> bytes:
        """Return the bytes of one photo. Raises `PhotoError`."""
        path = PurePosixPath(name)
        is_inside = ".." not in path.parts and not path.is_absolute() if self._deep else path.name == name
        if not is_inside:  # a plain name cannot leave the folder
            raise PhotoError(Reason.NOT_FOUND)
        return read_photo_bytes(self.folder / path)


def _raise(error: OSError) -> None:
    """Raise the error of an unreadable subfolder instead of skipping it."""
    raise error


def _need_utf8(name: str, folder: Path) -> str:
    """Return a photo's name as text that can be stored in tables."""
    if not name.isascii() and any("\ud800" <= sign <= "\udfff" for sign in name):
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        raise CatalogueError(f"the name {shown} is not UTF-8", where=folder, fix="Rename the file.")
    return name


class FolderCatalogue(KeepsNothingOpen):
    """A catalogue in a folder: the table `table`, and photos named by product id."""

    def __init__(self, folder: Path, table: str = TABLE_NAME, photos: PhotoFolder | None = None) -> None:
        self.name = folder.resolve().name
        self._table = folder / table
        self._photos = photos or PhotoFolder(folder / PHOTO_FOLDER, deep=True)
        self.photo_folders = (self._photos.folder,)

    def open_table(self) -> BinaryIO:
        """Open the product table. Raises `CatalogueError` if it cannot be read."""
        try:
            return self._table.open("rb")
        except OSError as error:
            raise CatalogueError(f"the table cannot be read ({error.strerror})", where=self._table) from error

    def photo_names(self) -> frozenset[str]:
        """Return the file names in the photo folder. Raises `CatalogueError` if there is none."""
        return self._photos.names

    def other_files(self) -> Mapping[str, int]:
        """Count the files in the photo folder that do not have a photo's extension, by extension."""
        return count_endings(self._photos.other_files)

    def read_photo(self, name: str) -> bytes:
        """Return the bytes of one photo. Raises `PhotoError`."""
        return self._photos.read(name)


def count_endings(names: Iterable[str]) -> dict[str, int]:
    """Count files by ending, such as `.jxl`, the most frequent first. A file without one is counted by name."""
    paths = map(PurePosixPath, names)
    return dict(Counter(path.suffix.lower() or path.name for path in paths).most_common())


def custom_photos(folder: Path) -> PhotoFolder:
    """Return the photos of a custom set: those in `images_custom/` if it exists, or else those next to the table.

    Subfolders are included in both cases.
    """
    own = folder / CUSTOM_PHOTO_FOLDER
    return PhotoFolder(own if own.is_dir() else folder, deep=True)


def open_custom_folder(folder: Path) -> FolderCatalogue:
    """Open the custom set in a folder."""
    catalogue = FolderCatalogue(folder, CUSTOM_TABLE, custom_photos(folder))
    catalogue.name += CUSTOM_MARK
    return catalogue


class ZipCatalogue(KeepsNothingOpen):
    """A catalogue inside a zip, with or without a folder around it. Nothing is unpacked to disk.

    The photos in sub-folders of the photo folder are photos too.
    """

    def __init__(
        self,
        path: Path,
        table: str = TABLE_NAME,
        photos: str = PHOTO_FOLDER,
        entries: Mapping[str, ZipEntry] | None = None,
    ) -> None:
        self.name = path.stem
        self._path = path
        self._table = table
        self._entries = list_entries(path) if entries is None else entries
        self._root = _find_root(path, list(self._entries))
        self._photos = f"{self._root}{photos}/"

    def has_table(self) -> bool:
        """Return whether the table is in the zip."""
        return self._root + self._table in self._entries

    def open_table(self) -> BinaryIO:
        """Open the product table. Raises `CatalogueError` if it cannot be read."""
        try:
            return open_entry(self._path, self._entries[self._root + self._table])
        except (OSError, KeyError, zipfile.BadZipFile, PhotoError) as error:
            raise CatalogueError(f"{self._table} cannot be read ({error})", where=self._path) from error

    def photo_names(self) -> frozenset[str]:
        """Return the names of the photos in the photo folder. Raises `CatalogueError` if there is none."""
        if not self._members:
            raise CatalogueError("there is no folder of photos", where=self._path, fix=EXPECTED)
        return frozenset(self._members)

    def other_files(self) -> Mapping[str, int]:
        """Count the files in the photo folder that do not have a photo's extension, by extension."""
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
        """Return the bytes of one photo. Raises `PhotoError`."""
        entry = self._members.get(name)
        if entry is None:
            raise PhotoError(Reason.NOT_FOUND)
        return read_entry(self._path, entry)


class ZipPhotos:
    """The photos of a zip without a table, by path: a `PhotoFolder` that is not unpacked.

    A single folder around everything does not count.
    """

    def __init__(self, path: Path, entries: Mapping[str, ZipEntry]) -> None:
        self.folder = path
        names = list(entries)
        while names and len({name.partition("/")[:2] for name in names}) == 1 and "/" in names[0]:
            names = [name.partition("/")[2] for name in names]
        self.files = dict(zip(names, entries.values(), strict=True))
        self.names = frozenset(name for name in self.files if is_photo_name(name))

    @property
    def other_files(self) -> list[str]:
        """The names of the files that do not end like a photo."""
        return sorted(self.files.keys() - self.names)

    def read(self, name: str) -> bytes:
        """Return the bytes of one photo. Raises `PhotoError`."""
        if name not in self.names:
            raise PhotoError(Reason.NOT_FOUND)
        return read_entry(self.folder, self.files[name])


def list_entries(path: Path) -> dict[str, ZipEntry]:
    """Return the entries of a zip by name, without those added by macOS. Of entries with one name, the last is used.

    Raises `CatalogueError` if it cannot be opened.
    """
    if path.suffix.lower() in _OTHER_ARCHIVES:
        raise CatalogueError(
            "a catalogue is read from a zip, but from no other archive",
            where=path,
            fix="Unpack it, and name its folder.",
        )
    try:
        with path.open("rb") as file:
            return {
                entry.name: entry
                for entry in iter_entries(file)
                if sort_member(entry.name) is not Membership.IGNORED
            }
    except (OSError, zipfile.BadZipFile, struct.error) as error:
        raise CatalogueError(f"the zip cannot be opened ({error})", where=path, fix=EXPECTED) from error


_OTHER_ARCHIVES: Final = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")


def has_table(names: Iterable[str]) -> bool:
    """Return whether a catalogue's table is among the entries of a zip."""
    return any(PurePosixPath(name).name == TABLE_NAME for name in names)


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
    """Return the error for a place with several catalogues."""
    problem = f"{TABLE_NAME} was found in {', '.join(sorted(found)[:5])}"
    return CatalogueError(problem, where=where, fix=fix)
