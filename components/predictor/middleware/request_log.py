"""Logs as JSON, one object a line, and the line of each request.

No line holds a text. If an operator asks for it, a request's line has a keyed hash (HMAC) of each text: equal texts can
be found, and without the salt a text cannot be guessed from its hash.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import logging.config
import secrets
import traceback
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from content_arena.components.predictor.middleware.accounting import Facts

#: The logger of the requests' lines.
REQUESTS = "content_arena.requests"
#: Asked for every few seconds by Kubernetes, Prometheus and others: logged only if they fail.
_POLLED_PATHS = frozenset(
    {
        "/",
        "/metrics",
        "/health",
        "/v2/health/live",
        "/v2/health/ready",
        "/v1/models/{model_name}",
        "/v2/models/{model_name}/ready",
        "/inference.GRPCInferenceService/ServerLive",
        "/inference.GRPCInferenceService/ServerReady",
        "/inference.GRPCInferenceService/ModelReady",
    }
)
_FIELDS = "fields"
_HASH_DIGITS = 32


class JsonFormatter(logging.Formatter):
    """Makes a JSON object of a log record."""

    def format(self, record: logging.LogRecord) -> str:
        """``timestamp`` (UTC, ISO 8601), ``level``, ``logger``, ``message`` and the record's own fields.

        An exception is its class and the lines of code: its message may quote a request.
        """
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= getattr(record, _FIELDS, {})
        if record.exc_info and record.exc_info[0] is not None:
            frames = "".join(traceback.format_tb(record.exc_info[2]))
            line |= {"exception": record.exc_info[0].__name__, "traceback": frames}
        return orjson.dumps(line, default=str).decode()


def configure_json() -> None:
    """Makes every logger of the server write JSON to standard error."""
    ours = {"handlers": ["json"], "level": "INFO", "propagate": False}
    names = ("kserve", "kserve.trace", "uvicorn", "content_arena")
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"json": {"()": JsonFormatter}},
            "handlers": {"json": {"class": "logging.StreamHandler", "formatter": "json"}},
            "loggers": dict.fromkeys(names, ours) | {"uvicorn.error": {"handlers": [], "propagate": True}},
        }
    )


class RequestLog:
    """Writes a line for each request."""

    def __init__(self, *, hashes_texts: bool = False, salt: str | None = None) -> None:
        """Takes what is the same in every line.

        Args:
            hashes_texts: Whether a line has the hashes of the request's texts.
            salt: Key of the hashes. If None, one is drawn that nobody knows: hashes of this process alone can be
                compared.
        """
        self.hashes_texts = hashes_texts
        self._salt = salt.encode() if salt else secrets.token_bytes(32)
        self._logger = logging.getLogger(REQUESTS)

    def write(self, method: str, path: str, facts: Facts, status: int, seconds: float) -> None:
        """Logs a request that was answered.

        Args:
            method: HTTP method.
            path: Template of its route.
            facts: What else is known of it.
            status: HTTP status of the answer, or the one that says the same.
            seconds: From its first byte to the answer's last.
        """
        if path in _POLLED_PATHS and status == HTTPStatus.OK:
            return
        fields: dict[str, Any] = {
            "request_id": facts.request_id.decode("ascii"),
            "http_method": method,
            "path": path,
            "status_code": status,
            "response_time": round(seconds, 6),
            "model_version": facts.version,
            "key": facts.key,
            "instances": facts.instances,
            "probe": facts.is_probe,
        }
        if self.hashes_texts:
            fields["text_hashes"] = [self._hash(text) for text in facts.texts or ()]
        self._logger.info("request", extra={_FIELDS: fields})

    def _hash(self, text: str) -> str:
        return hmac.new(self._salt, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_HASH_DIGITS]
