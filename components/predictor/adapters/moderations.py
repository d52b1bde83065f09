"""OpenAI's ``POST /v1/moderations``.

Request and answer follow the public API reference ("Moderations", "Create moderation") and the types of the Python
package ``openai``. The filter's score is the category ``toxicity``. Of OpenAI's own categories, those that mean the
same as an attribute of the bundle have its score. The others are in the answer as null: nothing is said of them, and
their list of input types, which says what a score rests on, is empty.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request, Response

from content_arena.components.predictor.adapters.answers import AdapterError, answer
from content_arena.components.predictor.adapters.scoring import Scored, Scorer, highest
from content_arena.components.predictor.protocol import RequestError

PATHS = ("/v1/moderations",)
#: The category that the filter's score is.
CATEGORY = "toxicity"
#: OpenAI's categories.
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)
#: What an attribute is here. OpenAI describes the three as harassing language towards any target, harassment with
#: violence or serious harm towards any target, and hate for what somebody is. Its ``sexual`` is about arousal, and not
#: about harassment by sexual remarks: SEXUALLY_EXPLICIT is none of its categories, nor is PROFANITY.
OF_ATTRIBUTE = {"INSULT": "harassment", "THREAT": "harassment/threatening", "IDENTITY_ATTACK": "hate"}


@dataclass(frozen=True)
class Inputs:
    """What is to be judged.

    Attributes:
        texts: All texts.
        together: Whether they are the parts of one input, which has one result.
    """

    texts: list[str]
    together: bool


def error_body(status: HTTPStatus, text: str, param: str | None = None) -> dict[str, object]:
    """The body of an error; ``param`` is the field that is wrong."""
    kind, code = "invalid_request_error", None
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        kind = code = "rate_limit_exceeded"
    elif status == HTTPStatus.UNAUTHORIZED:
        code = "invalid_api_key"
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        kind = "server_error"
    return {"error": {"message": text, "type": kind, "param": param, "code": code}}


def read_inputs(payload: object) -> Inputs:
    """The texts of a request: one, a list, or the parts of one input.

    Raises:
        AdapterError: Something else, a part that is no text, or an empty text.
    """
    if not isinstance(payload, dict):
        raise _invalid('the body must be a JSON object like {"input": "a text"}', None)
    model = payload.get("model")
    if model is not None and not isinstance(model, str):
        raise _invalid("model must be a string", "model")
    given = payload.get("input")
    parts = [given] if isinstance(given, str) else given
    if not isinstance(parts, list) or not parts:
        raise _invalid("input must be a text, or a list that is not empty", "input")
    together = isinstance(parts[0], dict)
    texts: list[str] = []
    for part in parts:
        text = _part(part) if together else part
        if not isinstance(text, str):
            raise _invalid("input must hold texts alone, or parts of one input alone", "input")
        if not text.strip():
            raise _invalid("input holds an empty text", "input")
        texts.append(text)
    return Inputs(texts, together)


def _part(part: object) -> object:
    if not isinstance(part, dict):
        return None
    if part.get("type") != "text":
        raise _invalid("input holds a part that is no text: only texts are judged here", "input")
    return part.get("text")


def _invalid(text: str, param: str | None) -> AdapterError:
    status = HTTPStatus.BAD_REQUEST
    return AdapterError(status, error_body(status, text, param))


def register(app: FastAPI, scorer: Scorer) -> None:
    """Adds the API to ``app``."""
    app.add_api_route(PATHS[0], _Moderations(scorer).create, methods=["POST"], response_model=None)


class _Moderations:
    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    async def create(self, request: Request) -> Response:
        """Judges texts."""
        try:
            async with self._scorer.payload(request) as payload:
                inputs = read_inputs(payload)
                scored = await self._score(inputs.texts, request)
        except RequestError as error:
            raise _invalid(str(error), None) from None
        results = [highest(scored)] if inputs.together else scored
        found = [_result(one, self._scorer.attributes) for one in results]
        body = {"id": f"modr-{uuid.uuid4().hex}", "model": self._scorer.model, "results": found}
        return answer(body)

    async def _score(self, texts: Sequence[str], request: Request) -> list[Scored]:
        try:
            return await self._scorer.score(texts, request)
        except RequestError as error:
            raise _invalid(str(error), "input") from None


def _result(scored: Scored, thresholds: Mapping[str, float]) -> dict[str, object]:
    """A result; no category is true of a text that is not flagged."""
    scores = {OF_ATTRIBUTE[name]: score for name, score in scored.attributes.items() if name in OF_ATTRIBUTE}
    true = {
        OF_ATTRIBUTE[name]: scored.is_toxic and score >= thresholds[name]
        for name, score in scored.attributes.items()
        if name in OF_ATTRIBUTE
    }
    return {
        "flagged": scored.is_toxic,
        "categories": {CATEGORY: scored.is_toxic, **dict.fromkeys(CATEGORIES), **true},
        "category_scores": {CATEGORY: scored.score, **dict.fromkeys(CATEGORIES), **scores},
        "category_applied_input_types": {
            CATEGORY: ["text"],
            **{name: ["text"] * (name in scores) for name in CATEGORIES},
        },
    }
