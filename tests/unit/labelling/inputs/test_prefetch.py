import errno
import threading

import pytest

from hangtag.labelling.inputs.prefetch import ByteStore, Prefetch, RemotePhoto

PATIENCE_S = 20


class Unreachable:
    """A photo on a machine that does not answer: the system's own error, not one of the photo."""

    name = url = "far"

    def read(self, _limits):
        raise OSError(errno.ETIMEDOUT, "Connection timed out")  # which Python makes a TimeoutError


def test_a_fetch_that_timed_out_ends_the_wait_for_its_photo():
    prefetch = Prefetch(1, ByteStore())
    photo = RemotePhoto(Unreachable(), prefetch)
    photo.start()
    never_ends = threading.Timer(PATIENCE_S, prefetch.give_up)
    never_ends.start()
    with pytest.raises(TimeoutError, match="Connection timed out"):
        photo.read()
    never_ends.cancel()
    prefetch.close()
