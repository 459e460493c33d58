import signal
import sys
import threading

import pytest

from fakes import press_ctrl_c
from hangtag.domain.interrupts import deferring_interrupts

pytestmark = [
    pytest.mark.usefixtures("interruptible"),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal to send to oneself"),
]


def test_an_interrupt_waits_until_it_is_let_through():
    done = []

    def work():
        with deferring_interrupts() as let_through:
            let_through()
            press_ctrl_c()
            done.append("the step")
            let_through()
            done.append("the next step")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the step"]


def test_the_end_of_the_block_lets_it_through():
    with pytest.raises(KeyboardInterrupt), deferring_interrupts():
        press_ctrl_c()


def test_a_failure_of_the_block_is_what_is_told():
    def work():
        with deferring_interrupts():
            press_ctrl_c()
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        work()


def test_the_second_interrupt_comes_through_at_once():
    done = []

    def work():
        with deferring_interrupts(lambda: done.append("told")):
            press_ctrl_c()
            press_ctrl_c()
            done.append("the step")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["told"]


def test_afterwards_interrupts_are_as_they_were():
    with deferring_interrupts():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_where_ctrl_c_is_ignored_it_goes_on_being_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with deferring_interrupts() as let_through:
        press_ctrl_c()
        press_ctrl_c()
        let_through()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_hold_nothing_back():
    done = []

    def work():
        with deferring_interrupts() as let_through:
            let_through()
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.default_int_handler]
