"""A filter behind a URL."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING

import numpy as np

from content_arena.components.attack_generation.victims.base import Answer, Scores
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
#: Answers asked for again when a battle is resumed, and how far such an answer may be from the one before.
_ASKED_AGAIN, _SAME_WITHIN = 4, 0.05
_READING = "say how to read it with --map"


class EndpointVictim:
    """A filter behind HTTP: KServe's V1 or V2 protocol, or another dialect.

    Neither protocol states a server's threshold. If its answers have verdicts, the threshold is inferred: it is set
    between the highest score of a text that was not flagged and the lowest score of one that was. It then agrees with
    all verdicts so far. For other servers it is the argument ``threshold``.

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
        self.version = bare
        self._fixed_threshold = threshold
        self._unflagged, self._flagged = -math.inf, math.inf
        self._batch_size = batch_size if self._dialect.texts_at_once else 1
        self._journal = Journal() if journal is None else journal
        self._known_checked = not len(self._journal)
        self._inverted = inverted
        #: Whether every answer so far was a score of exactly 0 or 1.
        self.only_verdicts = True
        self._keeping = threading.Lock()
        self._connection = Connection(own_login.merged(login or Login()), tls, repeats, longest_wait)

    @property
    def threshold(self) -> float:
        """Inferred from the verdicts if the answers have them, else the constructor's."""
        if math.isinf(self._unflagged) and math.isinf(self._flagged):
            return self._fixed_threshold
        if math.isinf(self._flagged):
            return float(np.nextafter(np.float32(self._unflagged), np.float32(np.inf)))
        if math.isinf(self._unflagged):
            return self._flagged
        return (self._unflagged + self._flagged) / 2

    def score(self, texts: Sequence[str]) -> Scores:
        """See :meth:`Victim.score`.

        Raises:
            VictimError: No connection, an HTTP error, or an answer that cannot be read.
        """
        known = {text: answer for text in texts if (answer := self._journal.get(text)) is not None}
        self._check_known(known)
        new = [text for text in texts if text not in known]
        batches = [new[i : i + self._batch_size] for i in range(0, len(new), self._batch_size)]
        for batch, answers in zip(batches, self._ask_all(batches), strict=True):
            known.update(zip(batch, answers, strict=True))
        found = [known[text] for text in texts]
        if self._inverted:
            found = [(1 - score, None if said is None else not said) for score, said in found]
        # Battles compare float32 scores with the threshold, so it is inferred from float32 scores.
        found = [(float(np.float32(score)), said) for score, said in found]
        self._infer_threshold(found)
        self.only_verdicts = self.only_verdicts and all(score in (0, 1) for score, _ in found)
        return np.array([score for score, _ in found], dtype=np.float32)

    def _ask_all(self, batches: Sequence[list[str]]) -> list[list[Answer]]:
        """The answers to all batches; each is kept as soon as it is there, whatever becomes of the others."""
        if self._dialect.texts_at_once or len(batches) < 2:
            return [self._ask_and_keep(batch) for batch in batches]
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

    def _ask_and_keep(self, batch: list[str]) -> list[Answer]:
        answers = self._ask(batch)
        with self._keeping:
            self._journal.add(batch, answers)
        return answers

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

    def _check_known(self, known: dict[str, Answer]) -> None:
        """Asks again about some texts whose answers are known: another model may answer by now."""
        if self._known_checked or not known:
            return
        self._known_checked = True
        again = list(known)[:: max(1, len(known) // _ASKED_AGAIN)][:_ASKED_AGAIN]
        asked = [answer for text in again for answer in self._ask([text])]
        if any(abs(known[text][0] - score) > _SAME_WITHIN for text, (score, _) in zip(again, asked, strict=True)):
            raise VictimError(f"{self.url} answers otherwise than before the battle was cut short: begin a new battle")

    def _infer_threshold(self, answers: Sequence[Answer]) -> None:
        for score, flagged in answers:
            if flagged is True:
                self._flagged = min(self._flagged, score)
            elif flagged is False:
                self._unflagged = max(self._unflagged, score)
        if self._unflagged >= self._flagged:
            raise VictimError(f"{self.url} flags by something other than its score, or its model changed in mid-battle")
