"""The interface of inputs: a photo with a name, its bytes, and extra values for its row."""

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

    `photo_column` names the photo column of tables (None: find it by its name). `connections` photos are fetched at a
    time. Each of `attempts` may take `timeout_s` seconds and follow `redirects`. The pause after the first failure is
    half to all of `backoff_s` seconds, and doubles after each further one. Addresses in private networks are refused
    unless `rules` allow them.

    Raises `UsageError` if a number is too small.
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
"""The other values of a photo's row in a given table, by column name in the table of labels."""

_NOTHING: Final[Extra] = MappingProxyType({})


def no_extra() -> Extra:
    """Return the extra values of a photo that is not from a table."""
    return _NOTHING


class InputPhoto(Protocol):
    """A photo of an input. Compatible with `hangtag.imaging.batches.PhotoSource`: `read` is called on any thread."""

    @property
    def name(self) -> str:
        """The photo's name in tables. It is the same in every run."""
        ...

    @property
    def extra(self) -> Extra:
        """Values that go into this photo's row unchanged."""
        ...

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes. Raises `PhotoError` with the reason if they cannot be read."""
        ...


class PhotoInput(Protocol):
    """Photos to walk, in an order that stays the same as long as the photos do.

    `other_files` is how many files were skipped so far.
    """

    @property
    def other_files(self) -> int:
        """How many files were skipped so far because they do not end like a photo."""
        ...

    def __iter__(self) -> Iterator[InputPhoto]: ...

    def count(self) -> int | None:
        """Count the photos without opening any; None if that is only known after the walk."""
        ...


def as_utf8(path: str) -> str:
    r"""Return a path as text that can be written: bytes that are not UTF-8 become `\xe9`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def name_member(archive: str, member: str) -> str:
    """Return the name of a member in tables: the archive's name, a slash, the member's."""
    return as_utf8(f"{archive}/{member.removeprefix('./')}")


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo to label. `fault` is set if it is already known that it cannot be opened, and why."""

    path: str
    fault: Reason | None = None
    extra: Extra = field(default_factory=no_extra, kw_only=True, hash=False)

    @property
    def name(self) -> str:
        r"""The photo's name in tables: its path. Bytes that are not UTF-8 are written as `\xe9`."""
        return as_utf8(self.path)

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the file's bytes. Raises `PhotoError` with the reason if they cannot be read."""
        if self.fault is not None:
            raise PhotoError(self.fault)
        return read_photo_bytes(Path(self.path), limits)


@dataclass(frozen=True, slots=True)
class FaultyPhoto:
    """A named photo that cannot be read, for a reason that is already known."""

    path: str
    error: PhotoError
    extra: Extra = field(default_factory=no_extra, kw_only=True, hash=False)

    @property
    def name(self) -> str:
        """The photo's name in tables, as given."""
        return as_utf8(self.path)

    def read(self, _limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Raise the photo's `PhotoError`."""
        raise self.error


@dataclass(frozen=True, slots=True)
class BrokenInput(FaultyPhoto):
    """An input that cannot be read, or not to its end. This entry follows those that could be read."""
