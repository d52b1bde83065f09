import io
import os
import signal

import pytest

from content_arena.components.canary_rollout.controller.stopping import stopped_by_signals


class Answer(io.IOBase):
    """Like an answer of an HTTP library: Python closes it once nothing refers to it, and clears what that raises."""

    def __init__(self, number):
        self.number = number

    def close(self):
        number, self.number = self.number, None
        if number is not None:
            os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_wait_even_if_its_exception_was_lost(number):
    with stopped_by_signals() as stop:
        answer = Answer(number)
        del answer
        with pytest.raises(KeyboardInterrupt):
            stop.clock.sleep(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_interrupts_what_runs(number):
    with pytest.raises(KeyboardInterrupt), stopped_by_signals():
        os.kill(os.getpid(), number)


def test_a_second_sigterm_does_not_interrupt_the_clean_up():
    with stopped_by_signals():
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)


def test_a_second_ctrl_c_does():
    with stopped_by_signals():
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)


def test_nothing_is_left_behind():
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with stopped_by_signals() as stop:
        stop.clock.sleep(0)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
