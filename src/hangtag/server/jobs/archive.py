"""A zip of photos, as it was uploaded: what is in it. Nothing is unpacked; photos are read where they lie."""

import struct
import unicodedata
import zipfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from hangtag.archives.members import Membership, sort_member
from hangtag.archives.zips import iter_entries, measure_index
from hangtag.domain.text import printable
from hangtag.server.jobs.given_table import is_table_file
from hangtag.server.problems import InvalidRequestError, TooManyFilesError
from hangtag.server.schemas import InvalidValue
from hangtag.server.uploads import MAX_NAME_CHARACTERS

ZIP_STARTS: Final = (b"PK\x03\x04", b"PK\x05\x06")
"""How a zip begins: with an entry, or with the end of one that holds nothing."""

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
    try:
        if (
            measure_index(path) > max_entries * _INDEX_BYTES_AN_ENTRY
        ):  # before an object is made of each entry
            raise _too_many(max_entries)
        with path.open("rb") as file:
            entries = list(islice(iter_entries(file), max_entries + 1))
    except (zipfile.BadZipFile, struct.error, OSError) as error:
        raise _broken(str(error)) from None
    if len(entries) > max_entries:
        raise _too_many(max_entries)
    content = ArchiveContent([], [], [])
    for index, entry in enumerate(entries):
        name = printable(unicodedata.normalize("NFC", entry.name))[-MAX_NAME_CHARACTERS:]
        membership = sort_member(entry.name)
        if membership is Membership.PHOTO:
            content.photos.append(ArchiveEntry(index, name))
        elif membership is Membership.OTHER and is_table_file(name):
            content.tables.append(ArchiveEntry(index, name))
        elif membership is Membership.OTHER:
            content.others.append(name)
    return content


def _broken(why: str) -> InvalidRequestError:
    return InvalidRequestError(InvalidValue(field="files", message=f"the zip cannot be read ({why})"))


def _too_many(limit: int) -> TooManyFilesError:
    return TooManyFilesError(
        f"the zip has more than {limit:,} entries",
        fix="Make several jobs of it, each with a part of the photos.",
    )
