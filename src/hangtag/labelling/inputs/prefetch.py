"""Photos that are far away are fetched ahead, by more threads than decode: most of the time they only wait."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from hangtag.domain.errors import PhotoError
from hangtag.domain.reasons import Reason
from hangtag.imaging.decode import DEFAULT_LIMITS, DecodeLimits
from hangtag.labelling.inputs.kept import ByteStore, KeptBytes
from hangtag.labelling.inputs.photo import Carried, InputPhoto, carry_nothing


@dataclass(frozen=True, slots=True)
class FetchedPhoto:
    """A photo that is being fetched."""

    name: str
    arriving: Future[KeptBytes]
    carried: Carried = field(default_factory=carry_nothing, kw_only=True, hash=False)

    def read(self, _limits: DecodeLimits = DEFAULT_LIMITS) -> bytes:
        """Wait for the photo and return its bytes, once; raises `PhotoError` with the reason why they did not come."""
        return self.arriving.result().take()


class Prefetch:
    """Fetches photos on `connections` threads.

    How far ahead it gets is up to whoever walks the photos: a decoder takes so many batches and no more. What has
    arrived waits in `store`.
    """

    def __init__(self, connections: int, store: ByteStore, limits: DecodeLimits = DEFAULT_LIMITS) -> None:
        self._store = store
        self._limits = limits
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="fetch")

    def start(self, photo: InputPhoto) -> FetchedPhoto:
        """Begin to fetch a photo."""
        return FetchedPhoto(photo.name, self._pool.submit(self._fetch, photo), carried=photo.carried)

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
