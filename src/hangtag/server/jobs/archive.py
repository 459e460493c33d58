"""A zip of photos, as it was uploaded: what is in it. Nothing is unpacked; photos are read where they lie."""

import contextlib
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from hangtag.domain.text import printable
from hangtag.imaging.decode import PHOTO_SUFFIXES
from hangtag.server.jobs.given_table import is_table_file
from hangtag.server.problems import InvalidRequestError, TooManyFilesError
from hangtag.server.schemas import InvalidValue
from hangtag.server.uploads import MAX_NAME_CHARACTERS

ZIP_STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06")
"""How a zip begins: with an entry, or with the end of one that holds nothing."""

_NAMES_ARE_UTF8: Final = 0x800
_INDEX_BYTES_AN_ENTRY: Final = 46 + 2 * MAX_NAME_CHARACTERS
"""What the index says of an entry: 46 bytes and its name, twice where another system's spelling is added."""


@dataclass(frozen=True, slots=True)
class ArchiveEntry:
    """An entry of a zip: its index and its name, which is for people and never a path."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class ArchiveContent:
    """The photos of a zip, the tables among them, and the names of what is neither."""

    photos: list[ArchiveEntry]
    tables: list[ArchiveEntry]
    others: list[str]


def list_archive(path: Path, max_entries: int) -> ArchiveContent:
    """Return what a zip holds, in its order. Folders, hidden files and what macOS adds are passed over.

    Raises `InvalidRequestError` for a broken zip and `TooManyFilesError` for one with too many entries.
    """
    _check_index_size(path, max_entries)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        raise _broken(str(error)) from None
    if len(entries) > max_entries:
        raise _too_many(max_entries)
    content = ArchiveContent([], [], [])
    for index, entry in enumerate(entries):
        name = _name(entry)
        if entry.is_dir() or _is_hidden(name):
            continue
        if PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES:
            content.photos.append(ArchiveEntry(index, name))
        elif is_table_file(name):
            content.tables.append(ArchiveEntry(index, name))
        else:
            content.others.append(name)
    return content


def _check_index_size(path: Path, max_entries: int) -> None:
    """Look at the size of the index before it is read: Python makes an object of each of its entries."""
    try:
        with path.open("rb") as file:
            # Not another way of finding the index, which a crafted file could lead elsewhere than the one used below.
            end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001
    except OSError as error:
        raise _broken(str(error)) from None
    if end is None:
        raise _broken("it has no index; it may be cut off")
    if end[zipfile._ECD_SIZE] > max_entries * _INDEX_BYTES_AN_ENTRY:  # type: ignore[attr-defined]  # noqa: SLF001
        raise _too_many(max_entries)


def _name(entry: zipfile.ZipInfo) -> str:
    """Return an entry's name. Many systems write UTF-8 without saying so, which Python then takes for cp437."""
    name = entry.filename
    if not entry.flag_bits & _NAMES_ARE_UTF8:
        with contextlib.suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return printable(unicodedata.normalize("NFC", name))[-MAX_NAME_CHARACTERS:]


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") and part != ".." for part in parts)


def _broken(why: str) -> InvalidRequestError:
    return InvalidRequestError(InvalidValue(field="files", message=f"the zip cannot be read ({why})"))


def _too_many(limit: int) -> TooManyFilesError:
    return TooManyFilesError(
        f"the zip has more than {limit:,} entries",
        fix="Make several jobs of it, each with a part of the photos.",
    )
