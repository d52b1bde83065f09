"""Keeps keys that stand in a URL's parameters out of the log.

urllib3 writes the path of a request with its parameters, such as ``?api_key=...``, into warnings (a connection that
broke, headers that cannot be parsed) and into every debug line. Python shows warnings on standard error, even where
nobody set up a log.
"""

from __future__ import annotations

import logging
import re

_LOGGERS = ("urllib3.connection", "urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry")
_PARAMETERS = re.compile(r"\?[^\s'\",)]+")


def hide_parameters() -> None:
    """Has urllib3 log URLs without their parameters, from now on in this process."""
    for name in _LOGGERS:
        # A filter that is there already is not added again.
        logging.getLogger(name).addFilter(_without_parameters)


def _without_parameters(record: logging.LogRecord) -> bool:
    # The line is made here: an argument may be an error, whose text may hold the URL as well.
    record.msg, record.args = _PARAMETERS.sub("?...", record.getMessage()), ()
    return True
