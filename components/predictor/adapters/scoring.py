"""The way from an adapter to the filter: the same checks, queue, limits and metrics as a predict request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from fastapi import Request
from kserve.errors import ModelNotReady

from content_arena.components.predictor.adapters import spans
from content_arena.components.predictor.deadline import in_time
from content_arena.components.predictor.limits import MAX_INSTANCES
from content_arena.components.predictor.middleware.disconnect import while_connected
from content_arena.components.predictor.middleware.large_bodies import parsed
from content_arena.components.predictor.middleware.traffic import facts_of
from content_arena.components.predictor.model import ContentFilterModel, FilterDataPlane
from content_arena.components.predictor.protocol import RequestError, parse_json
from content_arena.components.predictor.scoring.judgement import ATTRIBUTES


@dataclass(frozen=True)
class Scored:
    """What the filter says of a text.

    Attributes:
        score: Probability of toxic.
        is_toxic: Whether the score is at least the bundle's threshold.
        attributes: What the bundle scores beside toxicity, by name: probabilities.
    """

    score: float
    is_toxic: bool
    attributes: Mapping[str, float] = field(default_factory=dict)


def highest(scored: Sequence[Scored]) -> Scored:
    """What is said of several texts together: as for the windows of a text, the highest score counts."""
    attributes = {name: max(one.attributes[name] for one in scored) for name in scored[0].attributes}
    return replace(max(scored, key=lambda one: one.score), attributes=attributes)


class Scorer:
    """Scores texts through kserve's data plane, as the predict endpoints do."""

    def __init__(self, dataplane: FilterDataPlane, model: ContentFilterModel) -> None:
        """Takes the data plane and the model behind it."""
        self._dataplane = dataplane
        self._model = model

    @property
    def lang(self) -> str:
        """ISO 639-1 code of the language that the bundle was trained on."""
        return self._model.lang

    @property
    def attributes(self) -> Mapping[str, float]:
        """What the bundle scores beside toxicity, and for each the score from which a text has it."""
        return self._model.attributes

    @property
    def model(self) -> str:
        """Name and version of what judges."""
        return f"{self._model.name}-{self._model.version}"

    async def check_ready(self) -> None:
        """Refuses while no model can be asked.

        Raises:
            ModelNotReady: HTTP 503.
        """
        if not await self._dataplane.model_ready(self._model.name, True):
            raise ModelNotReady(self._model.name)

    @asynccontextmanager
    async def payload(self, request: Request) -> AsyncIterator[object]:
        """The request's JSON; the server's deadline holds for what is done with it.

        Raises:
            RequestError: The body is no JSON, or has far more values than a request has.
            DeadlineError: The deadline passed (HTTP 504).
            ModelNotReady: HTTP 503.
            ClientDisconnect: The client has gone.
        """
        await self.check_ready()
        body = await request.body()
        with self._model.one_bundle():
            async with in_time(self._model.limits.deadline), while_connected(request.receive):
                yield await parsed(len(body), lambda: parse_json(body))

    async def score(self, texts: Sequence[str], request: Request) -> list[Scored]:
        """Scores texts. A text that is too long for the filter is scored in pieces, and gets the highest score of them.

        Args:
            texts: Of any length, and not white space alone.
            request: What they came in; they are noted for its line in the log.

        Raises:
            RequestError: A text cannot be scored, or there are too many.
            ArenaError: See :meth:`Scheduler.submit`; the server's own answers are right for these.
        """
        parts = [[text[span.begin : span.end] for span in spans.pieces(text)] for text in texts]
        scored = iter(await self._scored([piece for pieces in parts for piece in pieces], request))
        if facts := facts_of(request.scope):
            facts.note_texts(list(texts))
        return [highest([next(scored) for _ in pieces]) for pieces in parts]

    async def _scored(self, pieces: Sequence[str], request: Request) -> list[Scored]:
        """Scores pieces, each once however often it is there."""
        distinct = list(dict.fromkeys(pieces))
        if len(distinct) > MAX_INSTANCES:
            raise RequestError(f"got {len(distinct)} texts, at most {MAX_INSTANCES} go into one request")
        if not distinct:
            return []
        asked = {"instances": distinct, "parameters": {ATTRIBUTES: True}}
        answer, _ = await self._dataplane.infer(self._model.name, asked, dict(request.headers))
        predictions = answer["predictions"] if isinstance(answer, dict) else []
        scored = [Scored(one["toxic_score"], one["is_toxic"], one[ATTRIBUTES]) for one in predictions]
        by_piece = dict(zip(distinct, scored, strict=True))
        return [by_piece[piece] for piece in pieces]
