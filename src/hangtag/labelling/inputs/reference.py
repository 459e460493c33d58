"""What a name in a table or a list leads to: a file, an address on a server, an object in a store."""

import os
import re
from functools import cached_property
from typing import TYPE_CHECKING, Final

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.labelling.inputs.kept import ByteStore
from hangtag.labelling.inputs.photo import Extra, FaultyPhoto, InputPhoto, PhotoFile, as_utf8, no_extra
from hangtag.labelling.inputs.prefetch import AddressedPhoto, FarPhoto, Prefetch
from hangtag.labelling.inputs.settings import InputSettings

if TYPE_CHECKING:
    from hangtag.imaging.fetching import Fetcher
    from hangtag.labelling.inputs.cloud import Stores

WEB_SCHEMES: Final = ("http", "https")
CLOUD_SCHEMES: Final = ("s3", "gs", "az")

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def scheme_of(text: str) -> str | None:
    """Return what stands before the `://` of an address, in small letters; None for a path."""
    found = _SCHEME.match(text)
    return found.group(1).lower() if found else None


class References:
    """Finds photos by their names.

    Connections are opened when the first photo needs them, and closed by `close`.
    """

    def __init__(self, settings: InputSettings) -> None:
        self.settings = settings
        self.store = ByteStore()

    def find(self, text: str, folder: str = "", extra: Extra | None = None) -> InputPhoto:
        """Return the photo of a name; relative paths start from `folder`.

        Raises `UsageError` when an object store is named and the extra `cloud` is not installed.
        """
        extra = no_extra() if extra is None else extra
        if "\0" in text:
            fault = PhotoError(Reason.UNREADABLE, "no path or address has a zero in it")
            return FaultyPhoto(text, fault, extra=extra)
        scheme = scheme_of(text)
        if scheme is None:
            return PhotoFile(os.path.join(folder, text), extra=extra)  # noqa: PTH118 - as in the walk of folders
        text = as_utf8(text)
        if scheme in WEB_SCHEMES:
            from hangtag.imaging.fetching import WebPhoto  # noqa: PLC0415 - httpx takes long to import

            return self.far(WebPhoto(text, self.fetcher, extra=extra))
        if scheme in CLOUD_SCHEMES:
            from hangtag.labelling.inputs.cloud import CloudPhoto  # noqa: PLC0415 - an extra

            return self.far(CloudPhoto(text, self.stores, extra=extra))
        fault = PhotoError(Reason.UNREADABLE, f"hangtag does not read addresses that start with {scheme}://")
        return FaultyPhoto(text, fault, extra=extra)

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
