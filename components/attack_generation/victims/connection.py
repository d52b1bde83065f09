"""Posts to the server of a filter: what may pass is waited for, what may not is named."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from content_arena.components.attack_generation.victims.addresses import URL_FORMS, shown
from content_arena.components.attack_generation.victims.logins import Login
from content_arena.components.attack_generation.victims.tls import Tls, advice_on, broke_off
from content_arena.components.shared.documents import Json
from content_arena.components.shared.errors import VictimError

if TYPE_CHECKING:
    import requests

#: A request has too many texts: to be read at all, or to be answered in time.
TOO_MUCH = frozenset({HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.GATEWAY_TIMEOUT})
LOGIN_ADVICE = "give a login with --header 'Authorization: ...' or http://USER:PASSWORD@HOST"
_TIMEOUT_SECONDS = 60.0
#: A request is repeated after these pauses if the connection fails, and as often after an answer of 500, 502 or 503.
_PAUSES_SECONDS = (0.0, 1.0)


class Connection:
    """A connection to a server, which several threads may use at once.

    A server that is too busy (429, or 503 with ``Retry-After``) is asked again, after the time that it names. After
    500, 502, 503 or a connection that failed it is asked twice more.

    Attributes:
        session: Sends the requests.
    """

    def __init__(self, login: Login, tls: Tls, repeats: int, longest_wait: float) -> None:
        """Connects to nothing yet.

        Args:
            login: Sent with every request.
            tls: How the server is verified.
            repeats: How often a request is repeated at most.
            longest_wait: Seconds before that at most, whatever the server asks for.
        """
        import requests
        import urllib3
        from requests.adapters import HTTPAdapter

        from content_arena.components.shared.busy_servers import ACCIDENTS, BusyRetry
        from content_arena.components.shared.discreet_logs import hide_parameters

        self._login, self._tls = login, tls
        self._pauses = [min(pause, longest_wait) for pause in _PAUSES_SECONDS[:repeats]]
        self._ended = threading.Event()
        retry = BusyRetry.of(
            repeats, longest_wait, accidents=len(self._pauses), statuses=ACCIDENTS - TOO_MUCH, ended=self._ended
        )
        hide_parameters()
        self.session = requests.Session()
        self.session.auth = login
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(max_retries=retry))
        if tls.insecure:
            # Said once by whoever chose it; urllib3 would say it for every request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def post(self, url: str, body: Json) -> requests.Response:
        """An answer of 200, or of one of :data:`TOO_MUCH`.

        Args:
            url: Without a login; errors name it.
            body: Sent as JSON.

        Raises:
            VictimError: No connection, or another answer.
        """
        response = self._answer(url, body)
        if response.status_code != HTTPStatus.OK and response.status_code not in TOO_MUCH:
            raise refused(url, response)
        return response

    @contextmanager
    def without_waiting(self) -> Iterator[None]:
        """Within the block, requests of other threads that wait to be repeated fail at once."""
        self._ended.set()
        try:
            yield
        finally:
            self._ended.clear()

    def _answer(self, url: str, body: Json) -> requests.Response:
        """Whatever is answered. A request is repeated if the connection fails.

        urllib3 would repeat it as well, also where a certificate cannot be verified, which does not pass.
        """
        import requests

        n_failed = 0
        while True:
            try:
                # By the request and not the session: there, REQUESTS_CA_BUNDLE would count more.
                return self.session.post(
                    self._login.url(url), json=body, timeout=_TIMEOUT_SECONDS, allow_redirects=False,
                    verify=self._tls.verify, cert=self._tls.client,
                )  # fmt: skip
            except requests.RequestException as error:
                is_of_tls = isinstance(error, requests.exceptions.SSLError)
                may_pass = isinstance(error, requests.ConnectionError | requests.exceptions.ChunkedEncodingError)
                may_pass = broke_off(error) if is_of_tls else may_pass
                if not may_pass or n_failed == len(self._pauses) or self._ended.wait(self._pauses[n_failed]):
                    # The library's own error names the URL with its parameters, and is kept out of every log.
                    why = f": {advice_on(error)}" if is_of_tls else f" ({type(error).__name__}): is the server up?"
                    raise VictimError(f"no answer from {url}{why}") from None
                n_failed += 1


def refused(url: str, response: requests.Response) -> VictimError:
    """What an answer other than 200 means, and what to do.

    Args:
        url: That was asked, without a login.
        response: The answer.
    """
    return VictimError(f"{url} answered HTTP {response.status_code} instead of scores{_advice_on(url, response)}")


def _advice_on(url: str, response: requests.Response) -> str:
    from content_arena.components.shared.busy_servers import n_repeats

    if response.is_redirect:
        where = shown(urljoin(url, response.headers["Location"]))
        if urlsplit(where).netloc == urlsplit(url).netloc:
            return f", and leads to {where}: give that URL, or {LOGIN_ADVICE}"
        return f", and leads to {where}: a login page? If so, {LOGIN_ADVICE}"
    if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return f": {LOGIN_ADVICE}"
    if response.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return f": is it the right URL? {URL_FORMS}"
    if response.status_code in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
        return (
            ": it does not take such a request; --map and --request say what is asked, --header adds what it wants "
            "(a detector of FMS wants 'detector-id: NAME')"
        )
    if response.status_code == HTTPStatus.GATEWAY_TIMEOUT:
        return " for one text: it is too slow, so try later or give it more replicas"
    if repeats := n_repeats(response):
        is_busy = response.status_code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
        advice = "it is too busy, so try later or give it more replicas" if is_busy else "look at its log"
        return f", and was asked {repeats} times more: {advice}"
    return ""
