"""How an error is answered, whatever protocol the request came in.

Every error has a fixed text, or one of our own, which quotes no request. An error without an entry here is the server's
fault: it is answered without details.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType

from kserve import errors

from content_arena.components.predictor.deadline import DeadlineError
from content_arena.components.predictor.middleware.access import RateError, UnauthenticatedError
from content_arena.components.predictor.middleware.large_bodies import FullError, SlowBodyError
from content_arena.components.predictor.protocol import RequestError
from content_arena.components.predictor.reload import ReloadError, ReloadingError
from content_arena.components.predictor.rest.administration import ForbiddenError
from content_arena.components.predictor.scoring.admission import OverloadedError
from content_arena.components.predictor.scoring.scheduler import ClosingError, RequestTooLargeError

_NONE: Mapping[str, str] = MappingProxyType({})
_RETRY = MappingProxyType({"Retry-After": "1"})


@dataclass(frozen=True)
class Refusal:
    """An answer that is no result.

    Attributes:
        status: HTTP status; other protocols have one that says the same.
        text: For the client.
        headers: Further headers of the answer.
    """

    status: HTTPStatus
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


FAULT = Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error")

#: By class: the status, the text if it is not the error's own, and headers.
_REFUSALS: dict[type[Exception], tuple[HTTPStatus, str | None, Mapping[str, str]]] = {
    # Only our own messages are known not to quote users.
    RequestError: (HTTPStatus.BAD_REQUEST, None, _NONE),
    errors.InvalidInput: (HTTPStatus.BAD_REQUEST, "the request cannot be read", _NONE),
    UnauthenticatedError: (HTTPStatus.UNAUTHORIZED, None, MappingProxyType({"WWW-Authenticate": "Bearer"})),
    ForbiddenError: (HTTPStatus.FORBIDDEN, None, _NONE),
    errors.ModelNotFound: (HTTPStatus.NOT_FOUND, "no such model", _NONE),
    # kserve answers 501 here, but a 5xx is the server's fault and counts as an error in a canary analysis.
    NotImplementedError: (HTTPStatus.NOT_FOUND, "not offered by this server", _NONE),
    errors.UnsupportedProtocol: (HTTPStatus.NOT_FOUND, "not offered by this server", _NONE),
    SlowBodyError: (HTTPStatus.REQUEST_TIMEOUT, None, _NONE),
    ReloadingError: (HTTPStatus.CONFLICT, "a bundle is being loaded already", _RETRY),
    RequestTooLargeError: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, None, _NONE),
    # Whoever may ask for a reload may know why it failed; no request is quoted.
    ReloadError: (HTTPStatus.UNPROCESSABLE_ENTITY, None, _NONE),
    RateError: (HTTPStatus.TOO_MANY_REQUESTS, None, _NONE),
    FullError: (HTTPStatus.TOO_MANY_REQUESTS, None, _RETRY),
    OverloadedError: (HTTPStatus.TOO_MANY_REQUESTS, "too many texts are waiting", _RETRY),
    errors.ModelNotReady: (HTTPStatus.SERVICE_UNAVAILABLE, "not ready", _NONE),
    errors.ServerNotReady: (HTTPStatus.SERVICE_UNAVAILABLE, "not ready", _NONE),
    errors.ServerNotLive: (HTTPStatus.SERVICE_UNAVAILABLE, "not ready", _NONE),
    ClosingError: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the server is about to end",
        MappingProxyType({"Retry-After": "1", "Connection": "close"}),
    ),
    DeadlineError: (HTTPStatus.GATEWAY_TIMEOUT, "the texts were not scored in time", _NONE),
}
#: The errors that are not the server's fault.
REFUSED = tuple(_REFUSALS)


def refusal_of(error: Exception) -> Refusal:
    """The answer to a request that ended with an error; :data:`FAULT` for one that nobody expected."""
    for kind in type(error).__mro__:
        if kind in _REFUSALS:
            status, text, headers = _REFUSALS[kind]
            if isinstance(error, RateError):
                headers = {"Retry-After": str(math.ceil(error.seconds))}
            return Refusal(status, str(error) if text is None else text, headers)
    return FAULT
