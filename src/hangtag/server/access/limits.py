"""Limits on how often someone may ask, and on how often a password may be guessed."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

_MOST_KEYS: Final = 20_000
"""How many callers are remembered; whoever was heard of last is forgotten first."""

_MINUTE_S: Final = 60.0
LONGEST_WAIT_S: Final = 900.0


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimit:
    """A bucket of tokens for each caller: so many requests a minute, and as many at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._clock = clock
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def take(self, caller: Hashable) -> float:
        """Count a request; return 0 if it may go on, else the seconds to wait."""
        now = self._clock()
        bucket = self._buckets.get(caller)
        if bucket is None:
            bucket = self._buckets[caller] = _Bucket(self._size, now)
        self._buckets.move_to_end(caller)
        bucket.left = min(self._size, bucket.left + (now - bucket.at) * self._size / _MINUTE_S)
        bucket.at = now
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        if bucket.left < 1:
            return (1 - bucket.left) * _MINUTE_S / self._size
        bucket.left -= 1
        return 0.0


@dataclass(slots=True)
class _Failures:
    count: int
    until: float


class Backoff:
    """A delay that doubles with every failure after the first few, up to 15 minutes."""

    def __init__(self, free: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = free
        self._clock = clock
        self._failures: OrderedDict[Hashable, _Failures] = OrderedDict()

    def wait_s(self, key: Hashable) -> float:
        """Return the seconds that have to pass before the next try."""
        found = self._failures.get(key)
        return 0.0 if found is None else max(0.0, found.until - self._clock())

    def fail(self, key: Hashable) -> None:
        """Count a failure."""
        found = self._failures.setdefault(key, _Failures(0, 0.0))
        found.count += 1
        beyond = found.count - self._free
        if beyond >= 0:
            found.until = self._clock() + min(LONGEST_WAIT_S, 2.0 ** min(beyond, 20))
        self._failures.move_to_end(key)
        if len(self._failures) > _MOST_KEYS:
            self._failures.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """Forget the failures of a key, after a success."""
        self._failures.pop(key, None)
