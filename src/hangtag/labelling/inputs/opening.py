"""Opening the user's inputs as photos: files, folders, patterns, archives, tables, addresses."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

from hangtag.domain.errors import UsageError
from hangtag.labelling.inputs.archived import TAR_ENDINGS, TarWalk, ZipWalk
from hangtag.labelling.inputs.folder import FolderWalk, PatternWalk, is_folder, is_pattern
from hangtag.labelling.inputs.photo import BrokenInput, InputPhoto, InputSettings, PhotoInput
from hangtag.labelling.inputs.reference import CLOUD_SCHEMES, WEB_SCHEMES, References, path_of, scheme_of
from hangtag.labelling.inputs.table import TableWalk, open_table
from hangtag.tables.cells import Kind
from hangtag.tables.reading import TABLE_ENDINGS, TABLES_READ


@dataclass
class NamedPhoto:
    """A single photo that the user named."""

    text: str
    references: References
    other_files: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[InputPhoto]:
        yield self.references.find(self.text)

    def count(self) -> int:
        """Return 1."""
        return 1


@dataclass
class ListedPhotos:
    """Photos whose names come from a stream, one per line. They can be walked once."""

    stream: BinaryIO
    references: References
    other_files: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[InputPhoto]:
        for line in self.stream:
            name = line.rstrip(b"\r\n")
            if name:
                yield self.references.find(os.fsdecode(name))

    def count(self) -> None:
        """Return None: counting would consume the stream."""


STANDARD_INPUT: Final = "-"

_TABLES: Final = (*TABLE_ENDINGS, ".txt")
_OTHER_TABLES: Final = (
    ".json", ".xml", ".html", ".htm", ".numbers", ".gsheet", ".dbf", ".mdb", ".accdb", ".sqlite", ".db", ".feather",
    ".arrow", ".orc", ".avro", ".csv.bz2", ".csv.xz", ".csv.zst", ".doc", ".docx", ".pdf", ".ppt", ".pptx",
)  # fmt: skip
"""The endings of tables that hangtag does not read. They are listed so that none is taken for a damaged photo."""

_KINDS: Final = (
    "Name photos, folders, patterns, zips, tars, tables, or addresses with http, https, s3, gs or az."
)


class Inputs:
    """The photos of all inputs, one input after the other. Close it, or use it as a context manager.

    The order of every input is the same in every run: folders in name order, archives and tables in their own order,
    stores in key order. `columns` are the extra columns of tables, with their kinds.
    """

    def __init__(self, parts: Sequence[PhotoInput], references: References) -> None:
        self._parts = parts
        self._references = references
        self._other_files = 0
        self._damage: list[str] = []
        self.columns = _join_columns(part for part in parts if isinstance(part, TableWalk))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[InputPhoto]:
        self._other_files = 0
        self._damage.clear()
        for part in self._parts:
            for photo in part:
                if isinstance(photo, BrokenInput):
                    self._damage.append(f"{photo.name}: {photo.error.detail}")
                yield photo
            self._other_files += part.other_files

    @property
    def damage(self) -> Sequence[str]:
        """Inputs walked so far that could not be read to their end: each with its name and what is wrong."""
        return self._damage

    @property
    def notes(self) -> list[str]:
        """Remarks on the tables walked so far: how they were read, and what was skipped."""
        return [note for part in self._parts if isinstance(part, TableWalk) for note in part.notes]

    @property
    def other_files(self) -> int:
        """How many files in the inputs walked so far were skipped because they do not end like a photo."""
        return self._other_files

    def count(self) -> int | None:
        """Count the photos without opening any; None if that is not possible beforehand."""
        total = 0
        for part in self._parts:
            counted = part.count()
            if counted is None:
                return None
            total += counted
        return total

    def close(self) -> None:
        """Close connections, and delete the bytes of photos that nobody read."""
        self._references.close()


def open_inputs(inputs: Sequence[str | Path], settings: InputSettings | None = None) -> Inputs:
    """Open the named inputs. Only the headers of tables are read at once, everything else during the walk.

    Raises `UsageError` if nothing is named, a table cannot be read or names no photos, or the kind of an address is
    unknown.
    """
    if not inputs:
        raise UsageError("there is nothing to label", fix=_KINDS)
    references = References(settings or InputSettings())
    try:
        return Inputs([_open_part(os.fspath(text), references) for text in inputs], references)
    except BaseException:
        references.close()
        raise


def _open_part(text: str, references: References) -> PhotoInput:
    if text == STANDARD_INPUT:
        return ListedPhotos(sys.stdin.buffer, references)
    text = path_of(text)
    scheme = scheme_of(text)
    if scheme is not None:
        return _open_address(text, scheme, references)
    if is_folder(text):
        return FolderWalk(text)
    if os.path.isfile(text):  # noqa: PTH113 - never raises
        return _open_file(text, references)
    if is_pattern(text) and not os.path.lexists(text):
        return PatternWalk(text)
    return NamedPhoto(text, references)


def _open_file(path: str, references: References) -> PhotoInput:
    name = path.lower()
    if name.endswith(".zip"):
        return ZipWalk(path)
    if name.endswith(TAR_ENDINGS):
        return TarWalk(path, references.store, references.settings.limits)
    if name.endswith(_TABLES):
        return open_table(path, references)
    if name.endswith(_OTHER_TABLES):
        problem = "hangtag does not read tables of this format"
        raise UsageError(problem, where=path, fix=f"It reads {TABLES_READ}.")
    return NamedPhoto(path, references)


def _open_address(text: str, scheme: str, references: References) -> PhotoInput:
    if scheme not in WEB_SCHEMES + CLOUD_SCHEMES:
        raise UsageError(
            f"hangtag does not read addresses that start with {scheme}://", where=text, fix=_KINDS
        )
    if text.partition("?")[0].lower().endswith((".zip", *TAR_ENDINGS, *_TABLES)):
        raise UsageError(
            "archives and tables can only be read from this machine",
            where=text,
            fix="Download it, and pass the file.",
        )
    if scheme in WEB_SCHEMES:
        return NamedPhoto(text, references)
    from hangtag.labelling.inputs.cloud import CloudWalk, is_object  # noqa: PLC0415 - an extra

    references.stores.split(text)  # raises now, not after half of the photos
    if is_object(text):
        return NamedPhoto(text, references)
    return CloudWalk(text, references.stores, references.make_remote)


def _join_columns(tables: Iterable[TableWalk]) -> tuple[tuple[str, Kind], ...]:
    """Return the columns of all tables. If tables disagree on the kind of a column, it is text."""
    kinds: dict[str, Kind] = {}
    for table in tables:
        for name, kind in table.table.columns:
            kinds[name] = kind if kinds.get(name, kind) is kind else Kind.TEXT
    return tuple(kinds.items())
