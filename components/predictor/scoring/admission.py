"""How much work may wait, and whose."""

from __future__ import annotations

from content_arena.components.shared.errors import ArenaError

#: Requests above this many tokens are large.
SMALL_REQUEST_TOKENS = 512
#: One part of so many of the queue is for small requests.
_PARTS = 4


class OverloadedError(ArenaError):
    """Too much is waiting; the client can try again later (HTTP 429)."""


class Admission:
    """Bounds the tokens that wait or are at work: a quarter for small requests, the rest for large ones.

    Small requests are scored before large ones. In a queue that one of both could fill, large requests would keep small
    ones out. And if more small requests came than can be scored, they would fill it, and each would wait for nearly as
    long as the deadline: it is better to refuse some of them at once. Not safe by itself to call from several threads.
    """

    def __init__(self, capacity: int) -> None:
        """Starts empty; ``capacity`` is in tokens."""
        small = capacity // _PARTS
        self._room = {True: small, False: capacity - small}  # By whether a request is small.

    def admit(self, tokens: int, held: int = 0) -> None:
        """Counts a request, or counts it anew.

        Args:
            tokens: What it takes from now on.
            held: What it took until now. A request that turns out to cost no more than it was admitted for stays,
                however little room is left.

        Raises:
            OverloadedError: There is no room for it; nothing has changed.
        """
        room = self._room[is_small(tokens)] + (held if is_small(held) == is_small(tokens) else 0)
        if tokens > held and tokens > room:
            raise OverloadedError("too many texts are waiting")
        self.leave(held)
        self._room[is_small(tokens)] -= tokens

    def leave(self, held: int) -> None:
        """Ends counting a request, which took so many tokens."""
        self._room[is_small(held)] += held


def is_small(tokens: int) -> bool:
    """Whether a request of so many tokens is small."""
    return tokens <= SMALL_REQUEST_TOKENS
