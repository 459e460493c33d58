"""Photos in object stores: `s3://`, `gs://` and `az://`, one object or a prefix. Needs the extra `cloud`."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from hangtag.archives.members import Membership, sort_member
from hangtag.domain.errors import PhotoError, UsageError
from hangtag.domain.extras import missing_extra
from hangtag.domain.reasons import Reason
from hangtag.imaging.budget import DEFAULT_LIMITS, DecodeLimits, too_large
from hangtag.labelling.inputs.folder import PHOTO_ENDINGS
from hangtag.labelling.inputs.photo import Extra, FaultyPhoto, InputPhoto, InputSettings, no_extra
from hangtag.labelling.inputs.prefetch import AddressedPhoto

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_LISTED_AT_ONCE: Final = 1000
_ENDPOINTS: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_CREDENTIALS: Final = (
    "Credentials and region are read from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION; "
    "GOOGLE_APPLICATION_CREDENTIALS; AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY); see docs/labelling.md."
)


class Stores:
    """The buckets and containers of a run, opened on first use. Thread-safe.

    Raises `UsageError` if the extra `cloud` is not installed.
    """

    def __init__(self, settings: InputSettings) -> None:
        try:
            import obstore  # noqa: F401, PLC0415 - an extra, and asked for only here
        except ImportError:
            raise missing_extra("cloud", "reading an object store") from None
        self._settings = settings
        self._open: dict[str, ObjectStore] = {}
        self._lock = Lock()

    def split(self, url: str) -> tuple["ObjectStore", str]:
        """Split an address into its store and key.

        Raises `UsageError` if the address names no bucket or the environment's settings are invalid.
        """
        scheme, _, rest = url.partition("://")
        bucket, _, key = rest.partition("/")
        if not bucket:
            raise UsageError("the address names no bucket", where=url, fix=f"Write {scheme}://BUCKET/KEY.")
        with self._lock:
            root = f"{scheme.lower()}://{bucket}"
            if root not in self._open:
                self._open[root] = self._open_store(root)
            return self._open[root], key

    def _open_store(self, root: str) -> "ObjectStore":
        from obstore.exceptions import BaseError  # noqa: PLC0415 - as above
        from obstore.store import from_url  # noqa: PLC0415 - as above

        settings = self._settings
        endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
        retry_s = settings.timeout_s * settings.attempts
        options: dict[str, Any] = {
            "client_options": {
                "timeout": timedelta(seconds=settings.timeout_s),
                "allow_http": root.startswith("s3:") and endpoint.startswith("http://"),
            },
            "retry_config": {
                "max_retries": settings.attempts - 1,
                "retry_timeout": timedelta(seconds=retry_s),
                "backoff": {"init_backoff": timedelta(seconds=settings.backoff_s), "base": 2.0},
            },
        }
        if root.startswith("s3:") and endpoint:
            options["endpoint"] = endpoint
        try:
            return from_url(root, **options)
        except (BaseError, ValueError) as error:
            raise UsageError(
                f"this store cannot be opened ({_first_line(error)})", where=root, fix=_CREDENTIALS
            ) from None


@dataclass(frozen=True, slots=True)
class CloudPhoto:
    """An object that is a photo; `url` is its full address."""

    url: str
    stores: Stores
    extra: Extra = field(default_factory=no_extra, kw_only=True, hash=False)

    @property
    def name(self) -> str:
        """The address."""
        return self.url

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Fetch the object. Raises `PhotoError` with the reason if that fails."""
        from obstore import get  # noqa: PLC0415 - an extra
        from obstore.exceptions import BaseError  # noqa: PLC0415 - as above

        try:
            store, key = self.stores.split(self.url)
            found = get(store, key)
            if found.meta["size"] > limits.max_bytes:
                raise too_large(limits)
            return bytes(found.bytes())
        except (BaseError, FileNotFoundError, PermissionError, ValueError) as error:
            raise _photo_error(error) from None
        except UsageError as error:
            raise PhotoError(Reason.UNREADABLE, str(error)) from None


@dataclass
class CloudWalk:
    """The photos below a prefix, in key order, listed during the walk.

    `make_remote` turns each into a photo that can be prefetched.

    Raises `UsageError` if the store cannot be listed, or the listing breaks off.
    """

    url: str
    stores: Stores
    make_remote: Callable[[AddressedPhoto], InputPhoto]
    other_files: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[InputPhoto]:
        from obstore.exceptions import BaseError  # noqa: PLC0415 - an extra

        self.other_files = 0
        found = False
        try:
            for photo in self._walk():
                found = True
                yield photo
        except (BaseError, OSError, ValueError) as error:
            raise UsageError(
                f"it cannot be listed ({_first_line(error)})", where=self.url, fix=_CREDENTIALS
            ) from None
        if not found and not self.other_files:
            yield FaultyPhoto(self.url, PhotoError(Reason.NOT_FOUND, "there is nothing below this prefix"))

    def count(self) -> None:
        """Return None: a second listing would cost as much as the first."""

    def _walk(self) -> Iterator[InputPhoto]:
        from obstore import list as list_objects  # noqa: PLC0415 - as above

        store, prefix = self.stores.split(self.url)
        root = self.url.partition("://")[0] + "://" + self.url.partition("://")[2].partition("/")[0]
        for chunk in list_objects(store, prefix=prefix or None, chunk_size=_LISTED_AT_ONCE):
            for found in chunk:
                membership = sort_member(found["path"].removeprefix(prefix))
                if membership is Membership.PHOTO:
                    yield self.make_remote(CloudPhoto(f"{root}/{found['path']}", self.stores))
                self.other_files += membership is Membership.OTHER


def is_object(url: str) -> bool:
    """Return whether an address names one photo. Any other address is a prefix, like a folder."""
    return url.lower().endswith(PHOTO_ENDINGS)


def _photo_error(error: Exception) -> PhotoError:
    from obstore import exceptions  # noqa: PLC0415 - an extra

    detail = _first_line(error)
    if isinstance(error, (exceptions.NotFoundError, FileNotFoundError)):
        return PhotoError(Reason.NOT_FOUND, detail)
    if isinstance(
        error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, PermissionError)
    ):
        return PhotoError(Reason.REFUSED, detail)
    if isinstance(error, (exceptions.InvalidPathError, ValueError)):
        return PhotoError(Reason.UNREADABLE, detail)
    return PhotoError(Reason.TIMED_OUT if "timed out" in detail else Reason.UNREACHABLE, detail)


def _first_line(error: Exception) -> str:
    """Return the first line of an error, without the pages of its inner causes."""
    return (str(error).splitlines() or [type(error).__name__])[0]
