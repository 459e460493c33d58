"""Photos that are far away are fetched ahead, by more threads than decode: most of the time they only wait."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import DEFAULT_LIMITS, DecodeLimits
from hangtag.labelling.inputs.kept import ByteStore, KeptBytes
from hangtag.labelling.inputs.photo import Carried, InputPhoto


class Prefetch:
    """Fetches photos on `connections` threads; what has arrived waits in `store`."""

    def __init__(self, connections: int, store: ByteStore, limits: DecodeLimits = DEFAULT_LIMITS) -> None:
        self._store = store
        self._limits = limits
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="fetch")

    def start(self, photo: InputPhoto) -> Future[KeptBytes]:
        """Begin to fetch a photo."""
        return self._pool.submit(self._fetch, photo)

    def close(self) -> None:
        """Fetch nothing more, and wait for what is under way."""
        self._pool.shutdown(cancel_futures=True)

    def _fetch(self, photo: InputPhoto) -> KeptBytes:
        data = photo.read(self._limits)
        try:
            return self._store.keep(data)
        except OSError as error:
            raise PhotoError(
                Reason.UNREADABLE, f"there is no room for the photo ({error.strerror})"
            ) from None


@dataclass(slots=True)
class FarPhoto:
    """A photo that can begin to be fetched before it is read."""

    photo: InputPhoto
    prefetch: Prefetch
    _arriving: Future[KeptBytes] | None = field(default=None, init=False)

    @property
    def name(self) -> str:
        """The photo's name."""
        return self.photo.name

    @property
    def carried(self) -> Carried:
        """What the photo carries."""
        return self.photo.carried

    def start(self) -> None:
        """Begin to fetch the photo."""
        self._arriving = self.prefetch.start(self.photo)

    def read(self, limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Return the photo's bytes when they have come; raises `PhotoError` with the reason why they did not."""
        if self._arriving is None:
            return self.photo.read(limits)
        arriving, self._arriving = self._arriving, None
        return arriving.result().take()


def fetch_ahead(photos: Iterable[InputPhoto]) -> Iterator[InputPhoto]:
    """Yield photos, and begin to fetch those that are far away.

    How far ahead this gets is up to whoever takes them: a decoder takes so many batches and no more.
    """
    for photo in photos:
        if isinstance(photo, FarPhoto):
            photo.start()
        yield photo
