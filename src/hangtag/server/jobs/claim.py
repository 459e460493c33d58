"""One service for each data folder: two would do the same jobs twice."""

import fcntl
import os
from pathlib import Path

from hangtag.domain.errors import UsageError


class FolderClaim:
    """The claim of this process on a folder, which the kernel takes back however the process ends.

    Makes the folder. Raises `UsageError` when another process claims it, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(folder / ".claim", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unusable(f"the data folder cannot be written ({error.strerror})", folder) from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise _unusable("another `hangtag serve` works in this data folder", folder) from None

    def release(self) -> None:
        """Give the folder back."""
        os.close(self._file)


def _unusable(problem: str, folder: Path) -> UsageError:
    return UsageError(problem, where=folder, fix="Choose another --data-folder.")
