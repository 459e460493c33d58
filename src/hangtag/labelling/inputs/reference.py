"""Resolving a name in a table or a list: a file, an address on a server, or an object in a store."""

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.labelling.inputs.photo import (
    Extra,
    FaultyPhoto,
    InputPhoto,
    InputSettings,
    PhotoFile,
    as_utf8,
    no_extra,
)
from hangtag.labelling.inputs.prefetch import AddressedPhoto, ByteStore, FarPhoto, Prefetch
from hangtag.tables.matching import Likeness, Match, NameMatcher, is_photo_name

if TYPE_CHECKING:
    from hangtag.imaging.fetching import Fetcher
    from hangtag.labelling.inputs.cloud import Stores

WEB_SCHEMES: Final = ("http", "https")
CLOUD_SCHEMES: Final = ("s3", "gs", "az")

MOST_FILES: Final = 500_000
"""From how many photos a table's photo is chosen, where it is not at the path that the table writes."""

MOST_CHARACTERS: Final = 16_384
"""What a path or an address has at most; the longest that systems and servers take are shorter."""

_SHOWN_CHARACTERS: Final = 200
_DRIVE: Final = re.compile(r"[A-Za-z]:[/\\]")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def scheme_of(text: str) -> str | None:
    """Return what stands before the `://` of an address, in small letters; None for a path."""
    found = _SCHEME.match(text)
    return found.group(1).lower() if found else None


def path_of(text: str) -> str:
    """Return the path that a `file://` address means; any other text as it is."""
    if scheme_of(text) != "file":
        return text
    host, _, path = os.fsdecode(unquote_to_bytes(text[len("file://") :])).partition("/")
    if _DRIVE.match(path):
        return path
    return f"/{path}" if host.lower() in {"", "localhost"} else f"//{host}/{path}"


class FileFinder:
    """Finds files by how a table or a list writes their paths, where there is no file of exactly that path.

    Folders are listed when they are first needed. Below a folder with more than `MOST_FILES` photos nothing is sought.
    """

    def __init__(self) -> None:
        self._in_folder: dict[str, NameMatcher] = {}
        self._below: dict[str, NameMatcher] = {}

    def find(self, text: str, folder: str, *, below: bool) -> tuple[list[str], Match]:
        """Return the paths of the files that are meant, and how they were found.

        They are sought in the folder that the text leads to and, with `below`, everywhere below `folder`.
        """
        written = os.path.normpath(os.path.join(folder, text.replace("\\", "/")))  # noqa: PTH118 - as in the walk
        head, base = os.path.split(written)
        if head not in self._in_folder:
            self._in_folder[head] = NameMatcher(_list_photos(head))
        matcher, weakest = self._in_folder[head], Likeness.ENCODING
        match = matcher.find(base, weakest)
        if below and not match.photos and not match.is_ambiguous:
            if folder not in self._below:
                self._below[folder] = NameMatcher(_list_photos_below(folder))
            head, matcher = folder, self._below[folder]
            match = matcher.find(text)
        return [os.path.join(head, matcher.names[place]) for place in match.photos], match  # noqa: PTH118 - as above


def _list_photos(folder: str) -> list[str]:
    try:
        return sorted(filter(is_photo_name, os.listdir(folder or os.curdir)))  # noqa: PTH208 - names alone
    except OSError:
        return []


def _list_photos_below(folder: str) -> list[str]:
    """Return the photos below a folder by their paths from there; none where there are too many to choose from."""
    found: list[str] = []
    root = folder or os.curdir
    for path, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__MACOSX"]
        inside = os.path.relpath(path, root)
        around = "" if inside == os.curdir else f"{inside}/"
        found += [around + name for name in files if is_photo_name(name)]
        if len(found) > MOST_FILES:
            return []
    return sorted(found)


class References:
    """Finds photos by their names.

    Connections are opened when the first photo needs them, and closed by `close`.
    """

    def __init__(self, settings: InputSettings) -> None:
        self.settings = settings
        self.store = ByteStore()
        self._files = FileFinder()

    def find_all(self, text: str, folder: str, extra: Extra) -> list[InputPhoto]:
        """Return the photos that a row of a table in `folder` names: one, or more where it writes a product's id."""
        text = path_of(text)
        if scheme_of(text) is not None or "\0" in text or len(text) > MOST_CHARACTERS:
            return [self.find(text, folder, extra)]
        return self._find_files(text, folder, extra, below=True)

    def find(self, text: str, folder: str = "", extra: Extra | None = None) -> InputPhoto:
        """Return the photo of a name; relative paths start from `folder`.

        Raises `UsageError` if an object store is named and the extra `cloud` is not installed.
        """
        extra = no_extra() if extra is None else extra
        text = path_of(text)
        if "\0" in text or len(text) > MOST_CHARACTERS:
            detail = (
                "a path or address cannot contain a null character"
                if "\0" in text
                else "the path or address is too long"
            )
            return FaultyPhoto(text[:_SHOWN_CHARACTERS], PhotoError(Reason.UNREADABLE, detail), extra=extra)
        scheme = scheme_of(text)
        if scheme is None:
            return self._find_files(text, folder, extra, below=False)[0]
        text = as_utf8(text)
        if scheme in WEB_SCHEMES:
            from hangtag.imaging.fetching import WebPhoto  # noqa: PLC0415 - httpx takes long to import

            return self.far(WebPhoto(text, self.fetcher, extra=extra))
        if scheme in CLOUD_SCHEMES:
            from hangtag.labelling.inputs.cloud import CloudPhoto  # noqa: PLC0415 - an extra

            return self.far(CloudPhoto(text, self.stores, extra=extra))
        fault = PhotoError(Reason.UNREADABLE, f"hangtag does not read addresses that start with {scheme}://")
        return FaultyPhoto(text, fault, extra=extra)

    def _find_files(self, text: str, folder: str, extra: Extra, *, below: bool) -> list[InputPhoto]:
        path = os.path.join(folder, text)  # noqa: PTH118 - as in the walk of folders
        if os.path.lexists(path):
            return [PhotoFile(path, extra=extra)]
        found, match = self._files.find(text, folder, below=below)
        if not found and match.candidates:
            fault = PhotoError(Reason.NOT_FOUND, f"{Reason.NOT_FOUND.explanation}; {match.explain()}")
            return [FaultyPhoto(path, fault, extra=extra)]
        return [PhotoFile(file, extra=extra) for file in found or [path]]

    def far(self, photo: AddressedPhoto) -> FarPhoto:
        """Return a photo that is far away as one that can be fetched ahead."""
        return FarPhoto(photo, self._prefetch)

    def close(self) -> None:
        """End what is under way, and remove what was kept."""
        if "fetcher" in vars(self):
            self.fetcher.close()
        if "_prefetch" in vars(self):
            self._prefetch.close()
        self.store.close()

    @cached_property
    def fetcher(self) -> "Fetcher":
        """What fetches from servers."""
        from hangtag.imaging.fetching import Fetcher  # noqa: PLC0415 - as above

        return Fetcher(self.settings)

    @cached_property
    def stores(self) -> "Stores":
        """The object stores of this run; raises `UsageError` without the extra `cloud`."""
        from hangtag.labelling.inputs.cloud import Stores  # noqa: PLC0415 - as above

        return Stores(self.settings)

    @cached_property
    def _prefetch(self) -> Prefetch:
        return Prefetch(self.settings.connections, self.store, self.settings.limits)
