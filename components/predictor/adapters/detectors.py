"""The detectors API of FMS Guardrails: ``POST /api/v1/text/contents``, and ``GET /health``.

It follows docs/api/openapi_detector_api.yaml of foundation-model-stack/fms-guardrails-orchestrator. A text that is
toxic has one detection over its whole length, any other text has none. A request that asks for attributes gets a
detection for each that a text has, toxic or not; others do not, because a client may block on any detection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import FastAPI, Request, Response

from content_arena.components.predictor.adapters.answers import AdapterError, answer
from content_arena.components.predictor.adapters.scoring import Scored, Scorer
from content_arena.components.predictor.protocol import RequestError

PATHS = ("/api/v1/text/contents", "/health")
#: What a detection is called, and the kind of detector.
DETECTION, DETECTION_TYPE = "toxic", "toxicity"
#: The kind of a detection that is named after an attribute.
ATTRIBUTE_TYPE = "attribute"


@dataclass(frozen=True)
class Contents:
    """A checked request.

    Attributes:
        texts: They may be empty.
        threshold: Least score of a toxic text's detection; the bundle's own if None.
        wants_attributes: Whether attributes are detected too.
    """

    texts: list[str]
    threshold: float | None
    wants_attributes: bool = False


def error_body(status: HTTPStatus, text: str) -> dict[str, object]:
    """The body of an error."""
    return {"code": int(status), "message": text}


def read_contents(payload: object) -> Contents:
    """The texts of a request.

    Raises:
        AdapterError: No list of strings, or a parameter that is none (HTTP 422).
    """
    if not isinstance(payload, dict):
        raise _invalid('the body must be a JSON object like {"contents": ["a text"]}')
    texts = payload.get("contents")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _invalid("contents must be a list of texts")
    parameters = payload.get("detector_params", {})
    if not isinstance(parameters, dict):
        raise _invalid("detector_params must be an object")
    wants_attributes = parameters.get("attributes", False)
    if not isinstance(wants_attributes, bool):
        raise _invalid("detector_params.attributes must be true or false")
    threshold = parameters.get("threshold")
    if threshold is None:
        return Contents(texts, None, wants_attributes)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise _invalid("detector_params.threshold must be a number from 0 to 1")
    return Contents(texts, float(threshold), wants_attributes)


def _invalid(text: str) -> AdapterError:
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    return AdapterError(status, error_body(status, text))


def register(app: FastAPI, scorer: Scorer) -> None:
    """Adds the API to ``app``."""
    api = _Detectors(scorer)
    contents, health = PATHS
    app.add_api_route(contents, api.contents, methods=["POST"], response_model=None)
    app.add_api_route(health, api.health, methods=["GET"], response_model=None)


class _Detectors:
    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    async def health(self) -> Response:
        """Whether texts can be judged."""
        await self._scorer.check_ready()
        return answer("ok")

    async def contents(self, request: Request) -> Response:
        """The detections of each text, in the order of the texts."""
        if "detector-id" not in request.headers:
            raise _invalid("the header detector-id is missing; any name will do, there is one detector here")
        try:
            async with self._scorer.payload(request) as payload:
                contents = read_contents(payload)
                scored = await self._score(contents.texts, request)
                attributes = self._scorer.attributes if contents.wants_attributes else {}
        except RequestError as error:
            raise _invalid(str(error)) from None
        texts = zip(contents.texts, scored, strict=True)
        return answer([list(_detections(text, one, contents.threshold, attributes)) for text, one in texts])

    async def _score(self, texts: Sequence[str], request: Request) -> list[Scored | None]:
        """What is said of each text; None for one that is empty."""
        scored = iter(await self._scorer.score([text for text in texts if text.strip()], request))
        return [next(scored) if text.strip() else None for text in texts]


def _detections(
    text: str, scored: Scored | None, threshold: float | None, attributes: Mapping[str, float]
) -> Iterator[dict[str, object]]:
    if scored is None:
        return
    if scored.is_toxic if threshold is None else scored.score >= threshold:
        yield _detection(text, DETECTION, DETECTION_TYPE, scored.score)
    for name, least in attributes.items():
        if scored.attributes[name] >= least:
            yield _detection(text, name.lower(), ATTRIBUTE_TYPE, scored.attributes[name])


def _detection(text: str, name: str, kind: str, score: float) -> dict[str, object]:
    return {"start": 0, "end": len(text), "text": text, "detection": name, "detection_type": kind, "score": score}
