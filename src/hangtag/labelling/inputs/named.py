"""Photos that are named one by one: on the command line, or on standard input."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from hangtag.labelling.inputs.photo import InputPhoto
from hangtag.labelling.inputs.reference import References


@dataclass
class NamedPhoto:
    """A photo that was named by itself, whatever it is called."""

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
    """Photos whose names come from a stream, one on a line; they can be walked once."""

    stream: BinaryIO
    references: References
    other_files: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[InputPhoto]:
        for line in self.stream:
            name = line.rstrip(b"\r\n")
            if name:
                yield self.references.find(os.fsdecode(name))

    def count(self) -> None:
        """Return None: to count them would be to take them."""
