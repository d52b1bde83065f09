"""Tells a rollout's probes from users' requests.

A probe is answered like a user's request and counted apart. Whoever can send probes can hide their traffic from every
metric, so a token tells whether a rollout sent them. It is in a Secret that the ServingRuntime and the rollout read.
Without one, nothing is a probe.
"""

from __future__ import annotations

import hashlib
import hmac

#: A rollout that compares variants sends its requests with this header, and the token in it.
PROBE_HEADER = "x-content-arena-probe"
#: The answer to a probe with another token has the header with this value: it was counted as a user's request.
REFUSED = "refused"
_MAX_LENGTH = 512


class ProbeToken:
    """What a request's probe header has to hold."""

    def __init__(self, token: str | None = None) -> None:
        """Takes the token; without one no value is accepted."""
        self._digest = hashlib.sha256(token.encode()).digest() if token else None

    def accepts(self, value: bytes) -> bool:
        """Whether the header's value is the token; compared in constant time."""
        if self._digest is None:
            return False
        return len(value) <= _MAX_LENGTH and hmac.compare_digest(hashlib.sha256(value).digest(), self._digest)
