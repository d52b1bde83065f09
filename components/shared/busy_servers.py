"""Asks a server again that said it is too busy for now, or that had an accident.

Source: RFC 9110, section 10.2.3 (``Retry-After``); RFC 6585, section 4 (429).
"""

from __future__ import annotations

from collections.abc import Collection
from http import HTTPStatus
from typing import TYPE_CHECKING

from urllib3.util.retry import Retry

if TYPE_CHECKING:
    import threading
    from types import TracebackType

    import requests
    from urllib3.connectionpool import ConnectionPool
    from urllib3.response import BaseHTTPResponse

#: The waits after answers without ``Retry-After`` grow from this.
_FIRST_WAIT_SECONDS = 0.5
#: Answers of a server, or of a proxy before it, that may be another one when it is asked again.
ACCIDENTS = frozenset(
    {
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class WaitEndedError(Exception):
    """A request was not repeated, because whoever made it does not want an answer any more."""


class BusyRetry(Retry):
    """Repeats a request that was answered with 429, or with 503 and ``Retry-After``.

    The last answer is given back, whatever it is. After other answers, and connections that fail, it repeats a request
    as often as :meth:`of` says.
    """

    RETRY_AFTER_STATUS_CODES = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
    _accidents_left = 0
    _statuses: Collection[int] = ACCIDENTS
    _ended: threading.Event | None = None

    @classmethod
    def of(
        cls, repeats: int, longest_wait: float, *, broken: int = 0, accidents: int = 0,
        statuses: Collection[int] = ACCIDENTS, ended: threading.Event | None = None,
    ) -> BusyRetry:  # fmt: skip
        """What requests' ``HTTPAdapter`` takes.

        Args:
            repeats: How often a request is repeated at most.
            longest_wait: Seconds between two of them at most, whatever the server asks for.
            broken: How often after a connection that failed, or an answer that did not come in time. Each time urllib3
                logs the URL: see :mod:`.discreet_logs` where its parameters may hold a key.
            accidents: How often after an answer that has one of ``statuses``.
            statuses: Answers that are accidents.
            ended: Once it is set, the waits of other threads end, and they raise :class:`WaitEndedError`.
        """
        retry = cls(
            total=repeats, connect=broken, read=broken or False, other=0, allowed_methods=None, raise_on_status=False,
            status_forcelist=(HTTPStatus.TOO_MANY_REQUESTS,), backoff_factor=_FIRST_WAIT_SECONDS,
            backoff_max=longest_wait,
        )  # fmt: skip
        retry._accidents_left, retry._statuses, retry._ended = accidents, statuses, ended
        return retry

    def new(self, **changed: object) -> BusyRetry:
        """See urllib3."""
        retry = super().new(**changed)
        retry._accidents_left, retry._statuses, retry._ended = self._accidents_left, self._statuses, self._ended
        return retry

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """See urllib3."""
        is_busy = super().is_retry(method, status_code, has_retry_after)
        return is_busy or (status_code in self._statuses and self._accidents_left > 0 and bool(self.total))

    def increment(
        self, method: str | None = None, url: str | None = None, response: BaseHTTPResponse | None = None,
        error: Exception | None = None, _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> BusyRetry:  # fmt: skip
        """See urllib3."""
        retry = super().increment(method, url, response, error, _pool, _stacktrace)
        if response is not None:
            is_busy = super().is_retry(method or "", response.status, bool(response.headers.get("Retry-After")))
            retry._accidents_left -= not is_busy
        return retry

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Seconds that the server asks for, up to the longest wait."""
        seconds = super().get_retry_after(response)
        return None if seconds is None else min(seconds, self.backoff_max)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        """Waits before a request is repeated.

        Raises:
            WaitEndedError: Nobody wants the answer any more.
        """
        if self._ended is None:
            super().sleep(response)
            return
        asked_for = self.get_retry_after(response) if response else None
        if self._ended.wait(asked_for or self.get_backoff_time()):
            raise WaitEndedError


def n_repeats(response: requests.Response) -> int:
    """How often a request was repeated before this answer."""
    retries = response.raw.retries
    return len(retries.history) if retries else 0
