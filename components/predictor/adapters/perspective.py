"""The Perspective API's ``comments:analyze`` and ``comments:suggestscore``, and its discovery document.

Answers follow the public reference (conversationai/perspectiveapi, 2-api/methods.md). TOXICITY is the filter's score.
Other attributes are served as far as the bundle scores them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fastapi import FastAPI, Request, Response

from content_arena.components.predictor.adapters import discovery, spans
from content_arena.components.predictor.adapters.answers import AdapterError, answer
from content_arena.components.predictor.adapters.perspective_messages import (
    TOXICITY,
    Analysis,
    Served,
    Suggestion,
    error_body,
    invalid,
    read_analysis,
    read_suggestion,
)
from content_arena.components.predictor.adapters.scoring import Scored, Scorer
from content_arena.components.predictor.adapters.suggestions import (
    Suggestions,
    SuggestionsFullError,
    SuggestionsUnavailableError,
)
from content_arena.components.predictor.protocol import RequestError

if TYPE_CHECKING:
    from starlette.types import Scope

PATHS = (f"/{discovery.ANALYZE}", f"/{discovery.SUGGEST}", discovery.PATH)


def key_of(scope: Scope) -> str | None:
    """The API key of a request, where Google's clients put it: the parameter ``key``, or a header of Google's."""
    query: bytes = scope["query_string"]
    if given := parse_qs(query).get(b"key"):
        return given[0].decode("latin-1")
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    return next((value.decode("latin-1") for name, value in headers if name == b"x-goog-api-key"), None)


def register(app: FastAPI, scorer: Scorer, suggestions: Suggestions | None) -> None:
    """Adds the API to ``app``; without a place for suggestions they are refused."""
    api = _Perspective(scorer, suggestions)
    analyze, suggest, discover = PATHS
    app.add_api_route(analyze, api.analyze, methods=["POST"], response_model=None)
    app.add_api_route(suggest, api.suggest, methods=["POST"], response_model=None)
    app.add_api_route(discover, api.discover, methods=["GET"], response_model=None)


class _Perspective:
    def __init__(self, scorer: Scorer, suggestions: Suggestions | None) -> None:
        self._scorer = scorer
        self._suggestions = suggestions

    @property
    def _served(self) -> Served:
        return Served(self._scorer.lang, (TOXICITY, *sorted(self._scorer.attributes)))

    async def discover(self, request: Request) -> Response:
        """The discovery document, with the address that the client used."""
        return answer(discovery.document(str(request.base_url), self._served.attributes))

    async def analyze(self, request: Request) -> Response:
        """Scores a comment."""
        try:
            async with self._scorer.payload(request) as payload:
                asked = read_analysis(payload, self._served)
                text = asked.comment.text
                found = spans.sentences(text) if asked.span_annotations else []
                sentences = [text[span.begin : span.end] for span in found]
                whole, *apart = await self._scorer.score([text, *sentences], request)
        except RequestError as error:
            raise invalid(str(error)) from None
        if not asked.span_annotations:
            found, apart = [spans.Span(0, len(text))], [whole]
        positions = spans.in_utf16(text, found)
        return answer(self._analysis(asked, whole, list(zip(positions, apart, strict=True))))

    def _analysis(
        self, asked: Analysis, whole: Scored, parts: Sequence[tuple[spans.Span, Scored]]
    ) -> dict[str, object]:
        scores: dict[str, dict[str, object]] = {}
        for attribute in asked.attributes:
            least = attribute.threshold if attribute.threshold is not None else 0.0
            shown: dict[str, object] = {}
            spans_of = [
                {"begin": span.begin, "end": span.end, "score": _score(value)}
                for span, one in parts
                if (value := _value(one, attribute.name)) >= least
            ]
            if spans_of:
                shown["spanScores"] = spans_of
            if (value := _value(whole, attribute.name)) >= least:
                shown["summaryScore"] = _score(value)
            if shown:
                scores[attribute.name] = shown
        body: dict[str, object] = {"languages": list(asked.comment.languages) or [self._scorer.lang]}
        if scores:
            body["attributeScores"] = scores
        return body | _token(asked.comment.client_token)

    async def suggest(self, request: Request) -> Response:
        """Keeps a suggested score."""
        try:
            async with self._scorer.payload(request) as payload:
                suggestion = read_suggestion(payload, self._served)
        except RequestError as error:
            raise invalid(str(error)) from None
        if suggestion.is_stored:
            await self._store(suggestion)
        comment = suggestion.comment
        languages = {"requestedLanguages": list(comment.languages)} if comment.languages else {}
        return answer(languages | _token(comment.client_token))

    async def _store(self, suggestion: Suggestion) -> None:
        if self._suggestions is None:
            text = "suggestions are not kept here: start the server with --suggestions, or send doNotStore"
            raise invalid(text)
        try:
            await asyncio.to_thread(self._suggestions.append, self._record(suggestion))
        except SuggestionsFullError:
            status = HTTPStatus.TOO_MANY_REQUESTS
            raise AdapterError(status, error_body(status, "there is no room for this suggestion")) from None
        except SuggestionsUnavailableError:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            raise AdapterError(status, error_body(status, "suggestions cannot be stored now")) from None

    def _record(self, suggestion: Suggestion) -> dict[str, object]:
        summary = suggestion.scores.get(TOXICITY, {}).get("summaryScore")
        value = summary.get("value") if isinstance(summary, dict) else None
        label = None if not isinstance(value, int | float) else "toxic" if value >= 0.5 else "benign"
        return {
            "text": suggestion.comment.text,
            "label": label,
            "attribute_scores": suggestion.scores,
            "languages": list(suggestion.comment.languages),
            "community": suggestion.community,
            "model": self._scorer.model,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def _value(scored: Scored, attribute: str) -> float:
    return scored.score if attribute == TOXICITY else scored.attributes[attribute]


def _score(value: float) -> dict[str, object]:
    return {"value": value, "type": "PROBABILITY"}


def _token(token: str | None) -> dict[str, object]:
    return {} if token is None else {"clientToken": token}
