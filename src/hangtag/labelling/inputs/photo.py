"""The interface between inputs and the rest: a photo with a name, its bytes, and extra values for its row."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.reasons import Reason
from hangtag.imaging.addresses import PUBLIC_ONLY, AddressRules
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.imaging.decode import read_photo_bytes


@dataclass(frozen=True, slots=True)
class InputSettings:
    """How photos are found in tables and fetched from servers and stores.

    `photo_column` names the column of tables, None to find it by its name. `connections` photos are fetched at a time;
    each of `attempts` may take `timeout_s` seconds and follow `redirects`. After the first failure it waits half to all
    of `backoff_s` seconds, and twice as long after each further one. Addresses in private networks are not fetched from
    unless `rules` allow it.

    Raises `UsageError` if a number is too small to mean anything.
    """

    photo_column: str | None = None
    connections: int = 16
    timeout_s: float = 30.0
    attempts: int = 4
    redirects: int = 5
    backoff_s: float = 0.5
    rules: AddressRules = PUBLIC_ONLY
    limits: DecodeLimits = field(default_factory=DecodeLimits.from_environment)

    def __post_init__(self) -> None:
        if self.connections < 1 or self.attempts < 1 or self.timeout_s <= 0:
            raise UsageError("connections and attempts must be at least 1, and the time-out over 0 seconds")


Extra = Mapping[str, object]
"""What a row of a given table says of its photo: values by the name of their column in the table of labels."""

_NOTHING: Final[Extra] = MappingProxyType({})


def no_extra() -> Extra:
    """Return the values of a photo that no table names."""
    return _NOTHING


class InputPhoto(Protocol):
    """A photo of an input. Compatible with `hangtag.imaging.batches.PhotoSource`: `read` is called on any thread."""

    @property
    def name(self) -> str:
        """What a table calls this photo; the same for the same photo in every run."""
        ...

    @property
    def extra(self) -> Extra:
        """The values that go into this photo's row as they are."""
        ...

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes; raises `PhotoError` with the reason why they cannot be had."""
        ...


class PhotoInput(Protocol):
    """Photos to walk, in an order that is the same as long as the photos are.

    `other_files` is how many files were passed over, as far as the walk has come.
    """

    @property
    def other_files(self) -> int:
        """How many files were passed over so far, since they do not end like a photo."""
        ...

    def __iter__(self) -> Iterator[InputPhoto]: ...

    def count(self) -> int | None:
        """Count the photos without opening any, None if that cannot be known before they have been walked."""
        ...


def as_utf8(path: str) -> str:
    r"""Return a path as text that can be written: bytes that are not UTF-8 become `\xe9`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def name_member(archive: str, member: str) -> str:
    """Return what a table calls a member: the archive's name, a slash, the member's."""
    return as_utf8(f"{archive}/{member.removeprefix('./')}")


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo to label. `fault` is the reason, known before it is opened, why that cannot be."""

    path: str
    fault: Reason | None = None
    extra: Extra = field(default_factory=no_extra, kw_only=True, hash=False)

    @property
    def name(self) -> str:
        r"""What tables call this photo: its path. Bytes that are not UTF-8 are written as `\xe9`."""
        return as_utf8(self.path)

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the file's bytes; raises `PhotoError` with the reason why they cannot be had."""
        if self.fault is not None:
            raise PhotoError(self.fault)
        return read_photo_bytes(Path(self.path), limits)


@dataclass(frozen=True, slots=True)
class FaultyPhoto:
    """A photo that is named and cannot be had, for a reason known at once."""

    path: str
    error: PhotoError
    extra: Extra = field(default_factory=no_extra, kw_only=True, hash=False)

    @property
    def name(self) -> str:
        """What tables call this photo: what it was called."""
        return as_utf8(self.path)

    def read(self, _limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Raise the photo's `PhotoError`."""
        raise self.error


@dataclass(frozen=True, slots=True)
class BrokenInput(FaultyPhoto):
    """An input that cannot be read, or not to its end: the entry behind those of it that could be."""
