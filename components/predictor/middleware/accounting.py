"""Names requests, tells a rollout's probes from users', counts, and logs: the same for every protocol."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from content_arena.components.predictor import metrics
from content_arena.components.predictor.probe_token import PROBE_HEADER, REFUSED, ProbeToken

if TYPE_CHECKING:
    from content_arena.components.predictor.middleware.request_log import RequestLog

REQUEST_ID_HEADER = "x-request-id"
#: What a client may name a request: it goes into a header and into the log.
_USABLE_ID = re.compile(rb"[!-~]{1,128}")
_PRESENT: ContextVar[Facts | None] = ContextVar("facts of the present request", default=None)


@dataclass(slots=True)
class Facts:
    """What is known of a request beside what its protocol says.

    Attributes:
        request_id: The client's name for it, or one made here.
        is_probe: Whether a rollout sent it.
        is_refused_probe: Whether it says that a rollout sent it, without the token.
        key: Name of the API key that it came with; None if no keys are asked for, or it had none.
        instances: Texts that were scored; None if there are none.
        texts: These texts, only if the log asks for their hashes.
        version: Of the model that answers it; None if it did not come to one.
    """

    request_id: bytes
    is_probe: bool = False
    is_refused_probe: bool = False
    key: str | None = None
    instances: int | None = None
    texts: list[str] | None = None
    version: str | None = None

    def note_texts(self, texts: list[str]) -> None:
        """Notes what was scored, for the log."""
        self.texts, self.instances = texts, len(texts)

    @property
    def answer_headers(self) -> list[tuple[str, str]]:
        """What every answer to it says of it."""
        headers = [(REQUEST_ID_HEADER, self.request_id.decode("ascii"))]
        if self.is_refused_probe:
            headers.append((PROBE_HEADER, REFUSED))
        return headers


def note_version(version: str) -> None:
    """Notes the version of the model that answers the present request, if one is answered."""
    if facts := _PRESENT.get():
        facts.version = version


class Accounting:
    """What is counted and logged of each request."""

    def __init__(
        self, version: Callable[[], str], probe_token: ProbeToken | None = None, log: RequestLog | None = None
    ) -> None:
        """Takes what is the same for all requests.

        Args:
            version: Of the model that is served now; it goes into every label set of a request that came to no model.
            probe_token: What a probe has to hold; nothing is a probe if None.
            log: Where a line for each request goes; nowhere if None.
        """
        self._version = version
        self._probe_token = probe_token or ProbeToken()
        self._log = log

    def begin(self, request_id: bytes, probe: bytes | None) -> Facts:
        """The facts of a request, which is the present one of its task from now on.

        Args:
            request_id: The client's name for it, which may be none that can be used.
            probe: What it says to be a probe with; None if it does not.
        """
        if not _USABLE_ID.fullmatch(request_id):
            request_id = os.urandom(16).hex().encode()
        is_probe = probe is not None and self._probe_token.accepts(probe)
        facts = Facts(request_id, is_probe, probe is not None and not is_probe)
        _PRESENT.set(facts)
        return facts

    def end(self, facts: Facts, method: str, path: str, status: int, seconds: float) -> None:
        """Counts and logs a request that was answered, or has failed.

        Args:
            facts: What is known of it.
            method: HTTP method.
            path: Template of its route.
            status: HTTP status of the answer, or the one that says the same.
            seconds: From its first byte to the answer's last.
        """
        version = facts.version = facts.version or self._version()
        metrics.count(method, path, status, seconds, version, is_probe=facts.is_probe)
        if facts.key is not None:
            metrics.KEY_REQUESTS.labels(facts.key, str(status), version).inc()
        if self._log is not None:
            self._log.write(method, path, facts, status, seconds)
