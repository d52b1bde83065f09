"""Asks a server again that said it is too busy for now, or that had an accident.

Source: RFC 9110, section 10.2.3 (``Retry-After``); RFC 6585, section 4 (429).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from urllib3.util.retry import Retry

if TYPE_CHECKING:
    import requests
    from urllib3.response import BaseHTTPResponse

#: The waits after answers of 429 without ``Retry-After`` grow from this.
_FIRST_WAIT_SECONDS = 0.5
#: Answers of a server, or of a proxy before it, that may be another one when it is asked again.
_ACCIDENTS = (
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)


class BusyRetry(Retry):
    """Repeats a request that was answered with 429, or with 503 and ``Retry-After``.

    The last answer is given back, whatever it is. A connection that fails is not repeated, unless accidents are.
    """

    RETRY_AFTER_STATUS_CODES = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

    @classmethod
    def of(cls, repeats: int, longest_wait: float, accidents: int = 0) -> BusyRetry:
        """What requests' ``HTTPAdapter`` takes.

        Args:
            repeats: How often a request is repeated at most.
            longest_wait: Seconds between two of them at most, whatever the server asks for.
            accidents: How often one is repeated after a connection that failed, or an answer that did not come in time.
                Above 0, answers of 500, 502, 503 and 504 are repeated as well.
        """
        return cls(
            total=repeats, connect=accidents, read=accidents or False, allowed_methods=None, raise_on_status=False,
            status_forcelist=(HTTPStatus.TOO_MANY_REQUESTS, *(_ACCIDENTS if accidents else ())),
            backoff_factor=_FIRST_WAIT_SECONDS, backoff_max=longest_wait,
        )  # fmt: skip

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Seconds that the server asks for, up to the longest wait."""
        seconds = super().get_retry_after(response)
        return None if seconds is None else min(seconds, self.backoff_max)


def n_repeats(response: requests.Response) -> int:
    """How often a request was repeated before this answer."""
    retries = response.raw.retries
    return len(retries.history) if retries else 0
