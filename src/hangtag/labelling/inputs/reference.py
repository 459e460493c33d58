"""Resolving a name in a table or a list to a file, a URL, or an object in a store."""

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
from hangtag.labelling.inputs.prefetch import AddressedPhoto, ByteStore, Prefetch, RemotePhoto
from hangtag.tables.matching import Likeness, Match, NameMatcher, is_photo_name

if TYPE_CHECKING:
    from hangtag.imaging.fetching import Fetcher
    from hangtag.labelling.inputs.cloud import Stores

WEB_SCHEMES: Final = ("http", "https")
CLOUD_SCHEMES: Final = ("s3", "gs", "az")

MOST_FILES: Final = 500_000
"""The most photos to search for a table's photo that is not at the path in the table."""

MOST_CHARACTERS: Final = 16_384
"""The length limit of a path or an address; systems and servers accept less."""

_SHOWN_CHARACTERS: Final = 200
_DRIVE: Final = re.compile(r"[A-Za-z]:[/\\]")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def scheme_of(text: str) -> str | None:
    """Return the scheme of an address in lower case; None for a path."""
    found = _SCHEME.match(text)
    return found.group(1).lower() if found else None


def path_of(text: str) -> str:
    """Return the path of a `file://` address; any other text unchanged."""
    if scheme_of(text) != "file":
        return text
    host, _, path = os.fsdecode(unquote_to_bytes(text[len("file://") :])).partition("/")
    if _DRIVE.match(path):
        return path
    return f"/{path}" if host.lower() in {"", "localhost"} else f"//{host}/{path}"


class FileFinder:
    """Finds files by the paths in a table or a list, if there is no file at exactly that path.

    Folders are listed on first use. A folder with more than `MOST_FILES` photos is not searched.
    """

    def __init__(self) -> None:
        self._in_folder: dict[str, NameMatcher] = {}
        self._below: dict[str, NameMatcher] = {}

    def find(self, text: str, folder: str, *, below: bool) -> tuple[list[str], Match]:
        """Return the paths of the matching files, and how they were found.

        The search covers the folder that the text names and, with `below`, everything below `folder`.
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
    """Return the relative paths of the photos below a folder; none if there are too many."""
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

    Connections are opened for the first photo that needs them, and closed by `close`.
    """

    def __init__(self, settings: InputSettings) -> None:
        self.settings = settings
        self.store = ByteStore()
        self._files = FileFinder()

    def find_all(self, text: str, folder: str, extra: Extra) -> list[InputPhoto]:
        """Return the photos that a row of a table in `folder` names: one, or several if it has a product's id."""
        text = path_of(text)
        if scheme_of(text) is not None or "\0" in text or len(text) > MOST_CHARACTERS:
            return [self.find(text, folder, extra)]
        return self._find_files(text, folder, extra, below=True)

    def find(self, text: str, folder: str = "", extra: Extra | None = None) -> InputPhoto:
        """Return the photo with a name. Relative paths start from `folder`.

        Raises `UsageError` for an object store if the extra `cloud` is not installed.
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

            return self.make_remote(WebPhoto(text, self.fetcher, extra=extra))
        if scheme in CLOUD_SCHEMES:
            from hangtag.labelling.inputs.cloud import CloudPhoto  # noqa: PLC0415 - an extra

            return self.make_remote(CloudPhoto(text, self.stores, extra=extra))
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

    def make_remote(self, photo: AddressedPhoto) -> RemotePhoto:
        """Return a remote photo as one that can be prefetched."""
        return RemotePhoto(photo, self._prefetch)

    def close(self) -> None:
        """Stop requests in progress, and delete stored bytes."""
        if "fetcher" in vars(self):
            self.fetcher.close()
        if "_prefetch" in vars(self):
            self._prefetch.close()
        self.store.close()

    @cached_property
    def fetcher(self) -> "Fetcher":
        """The client for servers."""
        from hangtag.imaging.fetching import Fetcher  # noqa: PLC0415 - as above

        return Fetcher(self.settings)

    @cached_property
    def stores(self) -> "Stores":
        """The object stores of this run. Raises `UsageError` without the extra `cloud`."""
        from hangtag.labelling.inputs.cloud import Stores  # noqa: PLC0415 - as above

        return Stores(self.settings)

    @cached_property
    def _prefetch(self) -> Prefetch:
        return Prefetch(self.settings.connections, self.store, self.settings.limits)
