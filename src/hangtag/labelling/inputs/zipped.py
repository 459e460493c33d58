"""Photos in a zip: read where they lie, by as many threads as want to."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import DEFAULT_LIMITS, DecodeLimits, too_large
from hangtag.labelling.inputs.members import Membership, name_member, sort_member
from hangtag.labelling.inputs.photo import BrokenInput, Extra, InputPhoto, no_extra
from hangtag.labelling.inputs.zip_index import NoIndexError, ZipEntry, iter_entries

_LOCAL_HEAD: Final = struct.Struct("<4s2B4H3L2H")
_LOCAL_MARK: Final = b"PK\x03\x04"
_GROWTH_BYTES: Final = 65_536
"""How much longer than a photo its deflated form may be: it grows by 5 bytes for each 16 KiB at most."""


@dataclass(frozen=True, slots=True)
class ZipPhoto:
    """A photo in a zip. Each reading opens the zip anew, which costs microseconds and lets threads read at once."""

    archive: str
    entry: ZipEntry
    extra: Extra = field(default_factory=no_extra, kw_only=True, hash=False)

    @property
    def name(self) -> str:
        """The path of the zip, a slash, and what the zip calls the photo; this is text and never opened as a path."""
        return name_member(self.archive, self.entry.name)

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes, never more than a photo may have, whatever the zip says of its size.

        Raises `PhotoError` with the reason why they cannot be had.
        """
        self._check(limits)
        try:
            data = _inflate(self._read_packed(), self.entry.method, limits.max_bytes + 1)
        except (zipfile.BadZipFile, zlib.error) as error:
            raise PhotoError(Reason.CORRUPT, f"the photo is damaged in the zip ({error})") from None
        except OSError as error:
            raise PhotoError(Reason.UNREADABLE, f"the zip cannot be read ({error.strerror})") from None
        if len(data) > limits.max_bytes:
            raise too_large(limits)
        if zlib.crc32(data) != self.entry.crc:
            raise PhotoError(Reason.CORRUPT, "the photo is damaged in the zip (its checksum differs)")
        return data

    def _check(self, limits: DecodeLimits) -> None:
        entry = self.entry
        if entry.is_link:
            raise PhotoError(Reason.UNREADABLE, "it is a link in the zip, which is not followed")
        if entry.is_encrypted:
            raise PhotoError(Reason.UNREADABLE, "the photo is encrypted in the zip")
        if entry.method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise PhotoError(Reason.UNREADABLE, "the zip is compressed in a way that hangtag does not read")
        if entry.unpacked_bytes > limits.max_bytes or entry.packed_bytes > limits.max_bytes + _GROWTH_BYTES:
            raise too_large(limits)

    def _read_packed(self) -> bytes:
        with Path(self.archive).open("rb") as file:
            file.seek(self.entry.offset)
            head = file.read(_LOCAL_HEAD.size)
            if len(head) < _LOCAL_HEAD.size or not head.startswith(_LOCAL_MARK):
                raise zipfile.BadZipFile("it is not where the index says")
            name_length, extra_length = _LOCAL_HEAD.unpack(head)[-2:]
            file.seek(name_length + extra_length, 1)
            data = file.read(self.entry.packed_bytes)
        if len(data) < self.entry.packed_bytes:
            raise zipfile.BadZipFile("the zip is cut off")
        return data


@dataclass
class ZipWalk:
    """The photos of a zip in the order of its index, which is read as they are walked.

    A zip whose index is damaged is an entry with a reason, after those that could be found.
    """

    path: str
    other_files: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[InputPhoto]:
        self.other_files = 0
        try:
            with Path(self.path).open("rb") as file:
                start = file.read(len(_LOCAL_MARK))
                if not start:
                    yield BrokenInput(self.path, PhotoError(Reason.EMPTY))
                    return
                for entry in iter_entries(file):
                    membership = sort_member(entry.name)
                    if membership is Membership.PHOTO:
                        yield ZipPhoto(self.path, entry)
                    self.other_files += membership is Membership.OTHER
        except OSError as error:
            yield BrokenInput(self.path, PhotoError(Reason.UNREADABLE, f"the zip cannot be read ({error})"))
        except (zipfile.BadZipFile, struct.error) as error:
            is_cut_off = isinstance(error, NoIndexError) and start == _LOCAL_MARK
            reason = Reason.TRUNCATED if is_cut_off else Reason.CORRUPT
            yield BrokenInput(self.path, PhotoError(reason, f"the zip cannot be read ({error})"))

    def count(self) -> int:
        """Count the photos; reads the index in a walk of its own."""
        return sum(1 for _ in ZipWalk(self.path))


def _inflate(packed: bytes, method: int, max_bytes: int) -> bytes:
    if method == zipfile.ZIP_STORED:
        return packed
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    return inflater.decompress(packed, max_bytes)
