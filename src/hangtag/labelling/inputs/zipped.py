"""Photos in a zip: read where they lie, by as many threads as want to."""

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hangtag.archives.members import Membership, sort_member
from hangtag.archives.zips import LOCAL_MARK, NoIndexError, ZipEntry, iter_entries, read_entry
from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits
from hangtag.labelling.inputs.photo import BrokenInput, Extra, InputPhoto, name_member, no_extra


@dataclass(frozen=True, slots=True)
class ZipPhoto:
    """A photo in a zip, read by as many threads as want to."""

    archive: str
    entry: ZipEntry
    extra: Extra = field(default_factory=no_extra, kw_only=True, hash=False)

    @property
    def name(self) -> str:
        """The path of the zip, a slash, and what the zip calls the photo; this is text and never opened as a path."""
        return name_member(self.archive, self.entry.name)

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes; raises `PhotoError` with the reason why they cannot be had."""
        return read_entry(Path(self.archive), self.entry, limits)


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
                start = file.read(len(LOCAL_MARK))
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
            is_cut_off = isinstance(error, NoIndexError) and start == LOCAL_MARK
            reason = Reason.TRUNCATED if is_cut_off else Reason.CORRUPT
            yield BrokenInput(self.path, PhotoError(reason, f"the zip cannot be read ({error})"))

    def count(self) -> int:
        """Count the photos; reads the index in a walk of its own."""
        return sum(1 for _ in ZipWalk(self.path))
