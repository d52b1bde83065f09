"""SIGHUP before a server serves."""

import signal

from content_arena.components.predictor.hang_up import HangUp
from content_arena.components.predictor.server import _signals


class Reloader:
    def __init__(self):
        self.n_requests = 0

    def request(self):
        self.n_requests += 1


def test_what_came_while_the_first_bundle_was_loading_is_not_lost():
    before = signal.getsignal(signal.SIGHUP)
    with _signals() as hang_up:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        reloader = Reloader()
        hang_up.reload_with(reloader)
        assert reloader.n_requests == 1
        signal.raise_signal(signal.SIGHUP)
        assert reloader.n_requests == 2
    assert signal.getsignal(signal.SIGHUP) == before


def test_nothing_is_reloaded_if_none_came():
    hang_up, reloader = HangUp(), Reloader()
    hang_up.reload_with(reloader)
    assert reloader.n_requests == 0
