"""A filter behind a URL."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

from content_arena.components.attack_generation.victims.answering import AnsweringVictim
from content_arena.components.attack_generation.victims.base import Answer
from content_arena.components.attack_generation.victims.connection import (
    LOGIN_ADVICE,
    TOO_MUCH,
    Connection,
    refused,
)
from content_arena.components.attack_generation.victims.dialects import Dialect, dialect
from content_arena.components.attack_generation.victims.journal import Journal
from content_arena.components.attack_generation.victims.logins import Login, split
from content_arena.components.attack_generation.victims.tls import USUAL, Tls
from content_arena.components.attack_generation.victims.values import UnreadableError, shape_of
from content_arena.components.shared.errors import VictimError

if TYPE_CHECKING:
    import requests

#: With the second that our predictor asks for, longer than its queue takes (its deadline of 30 seconds).
_REPEATS = 40
#: The longest that a server may ask for; services that limit the rate do so by the minute.
_LONGEST_WAIT_SECONDS = 60.0
#: Requests at a time to a filter that takes one text a request.
_AT_ONCE = 8
_READING = "say how to read it with --map"


class EndpointVictim(AnsweringVictim):
    """A filter behind HTTP: KServe's V1 or V2 protocol, or another dialect.

    Neither protocol states a server's threshold, so it is inferred from verdicts, if there are any.

    A server that is busy or had an accident is asked again, see :class:`Connection`. One that finds a request too large
    (413), or did not finish it in time (504), is asked about half as many texts.
    """

    def __init__(
        self, url: str, threshold: float = 0.5, batch_size: int = 64,
        *, repeats: int = _REPEATS, longest_wait: float = _LONGEST_WAIT_SECONDS, login: Login | None = None,
        tls: Tls = USUAL, speaks: Dialect | None = None, journal: Journal | None = None, inverted: bool = False,
    ) -> None:  # fmt: skip
        """Takes any of :data:`URL_FORMS`, or the URL that ``speaks`` wants; no request is made yet.

        Args:
            url: A base URL means V1 and the model name ``content-filter``. It may hold a login.
            threshold: For servers that answer scores only.
            batch_size: Texts in a request.
            repeats: How often a server that is too busy is asked again at most.
            longest_wait: Seconds before that at most, whatever the server asks for.
            login: Sent with every request.
            tls: How a server behind https:// is verified.
            speaks: How it is asked and answers; KServe's protocols if None.
            journal: Answers of an earlier, unfinished battle, and where to keep those of this one.
            inverted: Whether its scores and verdicts are of benign.

        Raises:
            InputError: The URL has none of these forms.
        """
        bare, own_login = split(url)
        self._dialect = speaks or dialect("", "", bare)
        self.url = self._dialect.url(bare)
        super().__init__(bare, threshold, batch_size if self._dialect.texts_at_once else 1, journal, inverted=inverted)
        self._connection = Connection(own_login.merged(login or Login()), tls, repeats, longest_wait)

    def _ask_all(self, batches: Sequence[list[str]]) -> list[list[Answer]]:
        if self._dialect.texts_at_once or len(batches) < 2:
            return super()._ask_all(batches)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            asked = [pool.submit(self._ask_and_keep, batch) for batch in batches]
            try:
                for answered in as_completed(asked):
                    answered.result()
            finally:
                # After an error or Ctrl-C, requests under way come to their end, and nothing else is waited for.
                with self._connection.without_waiting():
                    pool.shutdown(cancel_futures=True)
        return [answered.result() for answered in asked]

    def _ask(self, batch: list[str]) -> list[Answer]:
        response = self._connection.post(self.url, self._dialect.body(batch))
        if response.status_code in TOO_MUCH:
            if len(batch) == 1:
                raise refused(self.url, response)
            half = len(batch) // 2
            return self._ask(batch[:half]) + self._ask(batch[half:])
        return self._read(response, len(batch))

    def _read(self, response: requests.Response, n_texts: int) -> list[Answer]:
        try:
            answer = response.json()
        except ValueError:
            if response.content.lstrip()[:1] == b"<":
                raise VictimError(
                    f"{self.url} answered a web page and no scores: a login page? If so, {LOGIN_ADVICE}"
                ) from None
            raise VictimError(f"{self.url} answered something that is no JSON") from None
        try:
            return self._dialect.read(answer, n_texts)
        except UnreadableError as error:
            raise VictimError(
                f"{self.url} answered something that is not scores: {error}; it answered {shape_of(answer)}: {_READING}"
            ) from None
