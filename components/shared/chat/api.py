"""An LLM behind the chat completions of OpenAI's API, which most servers of LLMs speak."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from content_arena.components.shared.chat.request import (
    BROKEN,
    CUT_OFF,
    EMPTY,
    REFUSED,
    NoAnswerError,
    Request,
    read_answer,
)
from content_arena.components.shared.chat.settings import BASE_URL_VARIABLE, KEY_VARIABLE, MODEL_VARIABLE, ChatSettings
from content_arena.components.shared.errors import ChatError

if TYPE_CHECKING:
    import requests

#: How often a request is repeated at most, and how often of that after an accident.
_REPEATS, _ACCIDENTS = 8, 2
#: The longest that a server may ask for; services that limit the rate do so by the minute.
_LONGEST_WAIT_SECONDS = 60.0
#: Codes with which services refuse a text before the model gets it: OpenAI and Azure.
_FILTERED = frozenset({"content_filter", "content_policy_violation", "moderation_blocked"})
#: Words of a service that can be shown: a longer message may quote the text.
_CODE = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")
#: The name of the limit in OpenAI's newer models, which refuse the other one.
_OLD_LIMIT, _NEW_LIMIT = "max_tokens", "max_completion_tokens"


class ChatApi:
    """See :class:`~content_arena.components.shared.chat.Chat`.

    A server that is too busy (429, or 503 with ``Retry-After``) is asked again after the time that it names; after 5xx,
    silence or a connection that failed a request is repeated twice.
    """

    def __init__(
        self, url: str, model: str, key: str, settings: ChatSettings, *, longest_wait: float = _LONGEST_WAIT_SECONDS
    ) -> None:
        """Asks nothing yet.

        Args:
            url: Where chats are completed.
            model: Its name at the server.
            key: Sent as a bearer token; none if empty.
            settings: How it is asked.
            longest_wait: Seconds before a request is repeated at most, whatever the server asks for.
        """
        import requests
        from requests.adapters import HTTPAdapter

        from content_arena.components.shared.busy_servers import BusyRetry
        from content_arena.components.shared.discreet_logs import hide_parameters

        self._url, self._settings, self._limit = url, settings, _OLD_LIMIT
        self.model, self.at_once = model, settings.at_once

        def authorised(request: requests.PreparedRequest) -> requests.PreparedRequest:
            # As a function: without one, requests takes a login for the host from ~/.netrc.
            if key:
                request.headers["Authorization"] = f"Bearer {key}"
            return request

        hide_parameters()
        self._session = requests.Session()
        self._session.auth = authorised
        retry = BusyRetry.of(_REPEATS, longest_wait, broken=_ACCIDENTS, accidents=_ACCIDENTS)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry, pool_maxsize=settings.at_once))

    def ask(self, request: Request) -> dict[str, str]:
        """See :meth:`~content_arena.components.shared.chat.Chat.ask`."""
        limit = self._limit
        response = self._post(request, limit)
        if response.status_code == HTTPStatus.BAD_REQUEST and _error_of(response).get("param") == limit == _OLD_LIMIT:
            self._limit = _NEW_LIMIT
            response = self._post(request, _NEW_LIMIT)
        if response.status_code != HTTPStatus.OK:
            self._refuse(response)
        return self._read(response, request)

    def _post(self, request: Request, limit: str) -> requests.Response:
        import requests

        body = {
            "model": self.model,
            "messages": request.messages(),
            "temperature": self._settings.temperature,
            limit: self._settings.max_tokens,
        }
        try:
            return self._session.post(
                self._url, json=body, timeout=self._settings.timeout_seconds, allow_redirects=False
            )
        except requests.exceptions.ChunkedEncodingError:
            raise NoAnswerError(BROKEN) from None
        except requests.RequestException as error:
            raise ChatError(
                f"no answer from {self._url} ({type(error).__name__}): is the LLM's server up? {BASE_URL_VARIABLE} "
                "names it; the setting timeout_seconds of [llm] is how long it may be silent"
            ) from None

    def _refuse(self, response: requests.Response) -> None:
        """Raises what an answer other than 200 means."""
        error, status = _error_of(response), response.status_code
        if status == HTTPStatus.BAD_REQUEST and error.get("code") in _FILTERED:
            raise NoAnswerError(REFUSED)
        said = f"{self._url} answered HTTP {status}"
        shown = [f"{name} {error[name]}" for name in ("code", "param") if _CODE.fullmatch(str(error.get(name) or ""))]
        said += f" ({', '.join(shown)})" if shown else ""
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise ChatError(f"{said}: {KEY_VARIABLE} has to hold a key that may use {self.model}")
        if status == HTTPStatus.NOT_FOUND or response.is_redirect:
            raise ChatError(
                f"{said}: is {BASE_URL_VARIABLE} such as https://HOST/v1, and {MODEL_VARIABLE} a model there?"
            )
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise ChatError(
                f"{said} again and again: lower at_once of [llm], try later, or look at the account's quota"
            )
        if status == HTTPStatus.BAD_REQUEST:
            raise ChatError(
                f"{said}: is {MODEL_VARIABLE} a model there, and does it take the temperature and max_tokens of [llm]?"
            )
        raise ChatError(f"{said} instead of a chat, also when asked again: look at the server's log")

    def _read(self, response: requests.Response, request: Request) -> dict[str, str]:
        try:
            answer = response.json()
        except ValueError:
            if response.content.lstrip()[:1] == b"<":
                raise ChatError(f"{self._url} answered a web page and no chat: a login page?") from None
            raise NoAnswerError(BROKEN) from None
        try:
            choice = answer["choices"][0]
            message, reason = choice["message"], choice.get("finish_reason")
            content, refusal = message.get("content"), message.get("refusal")
        except (KeyError, IndexError, TypeError, AttributeError):
            raise ChatError(f"{self._url} answered JSON that is no chat completion: is it OpenAI's API?") from None
        if refusal or reason == "content_filter":
            raise NoAnswerError(REFUSED)
        if reason == "length":
            raise NoAnswerError(CUT_OFF)
        if not isinstance(content, str):
            raise NoAnswerError(EMPTY)
        return read_answer(content, request.fields)


def _error_of(response: requests.Response) -> Mapping[str, object]:
    """The error object of an answer; empty if it has none."""
    try:
        found = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
