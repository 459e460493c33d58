import signal
import sys
import threading

import pytest

from fakes import FakeModel, encode, paint, press_ctrl_c
from hangtag.domain.columns import PATH
from hangtag.labelling.inputs import PhotoWalk
from hangtag.labelling.run import Labeller

pytestmark = [
    pytest.mark.usefixtures("interruptible"),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal to send to oneself"),
]

PATIENCE_S = 20


class Rows:
    """A table that only counts."""

    photos = 0

    def write(self, rows):
        self.photos += len(rows[PATH])


@pytest.fixture
def photos(tmp_path):
    """Two hundred photos."""
    for number in range(200):
        (tmp_path / f"{number:03}.png").write_bytes(encode(paint("Red")))
    return PhotoWalk([tmp_path])


@pytest.fixture(autouse=True)
def impatient():
    """Fail rather than wait for ever."""

    def lose_patience(_number, _frame):
        raise AssertionError(f"the run had not ended after {PATIENCE_S} s")

    signal.signal(signal.SIGALRM, lose_patience)
    signal.alarm(PATIENCE_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def test_it_ends_between_two_batches(photos):
    class Interrupted(FakeModel):
        def run(self, pixels):
            if len(self.batches) == 2:
                press_ctrl_c()
            return super().run(pixels)

    rows = Rows()
    with pytest.raises(KeyboardInterrupt):
        Labeller({"fake": Interrupted()}).label(photos, rows)
    assert rows.photos == 64


@pytest.mark.parametrize("moment", [5, 6, 7])
def test_no_lock_is_left_taken(photos, monkeypatch, moment):
    """Ctrl-C comes when a future's lock has just been taken, before Python knows that it has to give it back."""
    enter, main, taken = threading.Condition.__enter__, threading.get_ident(), []

    def enter_and_press(condition):
        got = enter(condition)
        if threading.get_ident() == main:
            taken.append(condition)
            if len(taken) == moment:
                press_ctrl_c()
        return got

    monkeypatch.setattr(threading.Condition, "__enter__", enter_and_press)
    with pytest.raises(KeyboardInterrupt):
        Labeller({"fake": FakeModel()}).label(photos, Rows())
    assert len(taken) >= moment
