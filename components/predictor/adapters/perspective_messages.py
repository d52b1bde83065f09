"""The messages of the Perspective API: requests read and checked, errors in Google's form; pure functions.

Fields, limits and error types follow the public reference: conversationai/perspectiveapi, 2-api/methods.md and
2-api/limits.md, and the schemas of the published discovery document ``commentanalyzer:v1alpha1``. As in every JSON form
of a protocol buffer a field may also be written in snake case, and null is a field that is not given (proto3 language
guide, "ProtoJSON format"). Errors follow google.rpc.Status of googleapis/api-common-protos. Phrases that clients look
for in a message, such as "does not support request languages", are kept.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from content_arena.components.predictor.adapters.answers import AdapterError

#: The one attribute that every bundle can score.
TOXICITY = "TOXICITY"
MAX_COMMENT_BYTES = 20_480
#: Characters of a token or name that is sent back or kept.
MAX_TOKEN_LENGTH = 1_024
MAX_LANGUAGES = 32
_DETAIL = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
_CODES = {
    HTTPStatus.UNAUTHORIZED: "UNAUTHENTICATED",
    HTTPStatus.FORBIDDEN: "PERMISSION_DENIED",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.TOO_MANY_REQUESTS: "RESOURCE_EXHAUSTED",
    HTTPStatus.INTERNAL_SERVER_ERROR: "INTERNAL",
    HTTPStatus.SERVICE_UNAVAILABLE: "UNAVAILABLE",
    HTTPStatus.GATEWAY_TIMEOUT: "DEADLINE_EXCEEDED",
}
_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")


@dataclass(frozen=True)
class Served:
    """What a server answers.

    Attributes:
        lang: ISO 639-1 code of the comments' language.
        attributes: Names, TOXICITY first.
    """

    lang: str
    attributes: tuple[str, ...] = (TOXICITY,)


@dataclass(frozen=True)
class Attribute:
    """An attribute that is asked for.

    Attributes:
        name: In capitals.
        threshold: Scores below it are left out of the answer; None to get all.
    """

    name: str
    threshold: float | None


@dataclass(frozen=True)
class Comment:
    """What both methods have.

    Attributes:
        text: Not empty, at most 20,480 bytes in UTF-8.
        languages: As the client wrote them; empty if it named none.
        client_token: To be sent back; None if there is none.
    """

    text: str
    languages: tuple[str, ...]
    client_token: str | None


@dataclass(frozen=True)
class Analysis:
    """A request to ``comments:analyze``.

    Attributes:
        comment: What is scored.
        attributes: Those that are asked for and served; at least one.
        span_annotations: Whether sentences are scored apart.
    """

    comment: Comment
    attributes: tuple[Attribute, ...]
    span_annotations: bool


@dataclass(frozen=True)
class Suggestion:
    """A request to ``comments:suggestscore``.

    Attributes:
        comment: What the client scored.
        scores: By attribute, as the client sent them: summaryScore, spanScores or both.
        community: Where other norms may hold; None if it was not said.
        is_stored: False if the client asked that nothing is stored.
    """

    comment: Comment
    scores: dict[str, Mapping[str, object]]
    community: str | None
    is_stored: bool


def error_body(status: HTTPStatus, text: str) -> dict[str, object]:
    """The body of an error that has no type of Perspective's own."""
    return {"error": {"code": int(status), "message": text, "status": _CODES.get(status, "INVALID_ARGUMENT")}}


def invalid(text: str, kind: str = "INVALID_REQUEST", **detail: object) -> AdapterError:
    """A refusal with Perspective's error type; ``detail`` goes beside the type."""
    status = HTTPStatus.BAD_REQUEST
    details = [{"@type": _DETAIL, "errorType": kind, **detail}]
    error = {"code": int(status), "message": text, "status": "INVALID_ARGUMENT", "details": details}
    return AdapterError(status, {"error": error})


def read_analysis(payload: object, offer: Served) -> Analysis:
    """A checked request to analyse a comment.

    Args:
        payload: Parsed JSON.
        offer: What is served.

    Raises:
        AdapterError: In the order of the original: the comment, the attributes, the languages.
    """
    fields = _fields(payload, "the body")
    comment = _comment(fields)
    asked = _fields(fields.get("requestedAttributes"), "requestedAttributes")
    if not asked:
        raise invalid("Missing requested_attributes", "NO_REQUESTED_ATTRIBUTES")
    dropping = _flag(fields, "dropUnsupportedAttributes")
    served = {name: parameters for name, parameters in asked.items() if name in offer.attributes}
    others = [name for name in asked if name not in served]
    if others and (not served or not dropping):
        raise _unknown(others[0], offer)
    attributes = tuple(_attribute(name, parameters) for name, parameters in served.items())
    _check_languages(comment.languages, offer.lang, attributes[0].name)
    return Analysis(comment, attributes, _flag(fields, "spanAnnotations"))


def read_suggestion(payload: object, offer: Served) -> Suggestion:
    """A checked request that suggests scores.

    Args:
        payload: Parsed JSON.
        offer: What is served.

    Raises:
        AdapterError: See :func:`read_analysis`; or no score is suggested, or one is no probability.
    """
    fields = _fields(payload, "the body")
    comment = _comment(fields)
    suggested = _fields(fields.get("attributeScores"), "attributeScores")
    if not suggested:
        raise invalid("attributeScores is empty: suggest a score for an attribute")
    if unknown := next((name for name in suggested if name not in offer.attributes), None):
        raise _unknown(unknown, offer)
    scores = {name: _scores(name, given) for name, given in suggested.items()}
    _check_languages(comment.languages, offer.lang, next(iter(scores)))
    community = _string(fields, "communityId")
    return Suggestion(comment, scores, community, not _flag(fields, "doNotStore"))


def _fields(value: object, place: str) -> dict[str, object]:
    """An object's fields by their names in camel case, without those that are null."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"{place} must be a JSON object")
    # Names of attributes are capitals, with underscores that belong to them.
    return {_camel(name): inside for name, inside in value.items() if inside is not None}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest) if name.islower() and first else name


def _string(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise invalid(f"{name} must be a string")
    if len(value) > MAX_TOKEN_LENGTH:
        raise invalid(f"{name} has {len(value)} characters, at most {MAX_TOKEN_LENGTH} are read")
    return value


def _flag(fields: Mapping[str, object], name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise invalid(f"{name} must be true or false")
    return value


def _number(value: object, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"{place} must be a number")
    try:
        number = float(value)
    except OverflowError:  # An integer of hundreds of digits.
        number = math.inf
    if not math.isfinite(number):
        raise invalid(f"{place} must be a finite number")
    return number


def _comment(fields: Mapping[str, object]) -> Comment:
    entry = _fields(fields.get("comment"), "comment")
    text = entry.get("text", "")
    if not isinstance(text, str):
        raise invalid("comment.text must be a string")
    if not text or text.isspace():
        raise invalid("Comment must be non-empty.", "COMMENT_EMPTY")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise invalid("comment.text holds half a surrogate pair, which is no character") from None
    if size > MAX_COMMENT_BYTES:
        raise invalid(f"Comment text too long. It has {size} bytes, at most {MAX_COMMENT_BYTES}.", "COMMENT_TOO_LONG")
    _check_type(entry.get("type"))
    context = _fields(fields.get("context"), "context")
    if "entries" in context and "articleAndParentComment" in context:
        raise invalid("context has entries and articleAndParentComment, and may have one of them")
    return Comment(text, _languages(fields.get("languages", [])), _string(fields, "clientToken"))


def _check_type(kind: object) -> None:
    if kind == "HTML":
        raise invalid("Only PLAIN_TEXT comments are supported")
    if kind not in (None, "PLAIN_TEXT", "TEXT_TYPE_UNSPECIFIED"):
        raise invalid("Unknown text type")


def _languages(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MAX_LANGUAGES:
        raise invalid(f"languages must be a list of at most {MAX_LANGUAGES} codes")
    if not all(isinstance(one, str) and _LANGUAGE.fullmatch(one) for one in value):
        raise invalid("languages holds what is no code of a language, such as en or pt-BR")
    return tuple(value)


def _check_languages(languages: Sequence[str], lang: str, attribute: str) -> None:
    if all(one.split("-")[0].lower() == lang for one in languages):
        return
    text = f"Attribute {attribute} does not support request languages: {', '.join(languages)} (served here: {lang})"
    detail = {"attribute": attribute, "requestedLanguages": list(languages)}
    raise invalid(text, "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE", languageNotSupportedByAttributeError=detail)


def _attribute(name: str, given: object) -> Attribute:
    parameters = _fields(given, f"requestedAttributes.{name}")
    kind = parameters.get("scoreType", "PROBABILITY")
    if kind not in ("PROBABILITY", "SCORE_TYPE_UNSPECIFIED"):
        raise invalid(f"Requested score type is not supported by attribute {name}: PROBABILITY is")
    threshold = parameters.get("scoreThreshold")
    return Attribute(name, None if threshold is None else _number(threshold, f"scoreThreshold of {name}"))


def _unknown(name: str, offer: Served) -> AdapterError:
    shown = name if _NAME.fullmatch(name) else "(no name of an attribute)"
    served = ", ".join(offer.attributes)
    return invalid(f"Unknown requested attribute: {shown} (served here: {served})")


def _scores(name: str, given: object) -> Mapping[str, object]:
    scores = _fields(given, f"attributeScores.{name}")
    summary, spans = scores.get("summaryScore"), scores.get("spanScores", [])
    if not isinstance(spans, list):
        raise invalid(f"spanScores of {name} must be a list")
    if summary is None and not spans:
        raise invalid(f"attributeScores.{name} suggests no score")
    if summary is not None:
        _check_score(summary, name)
    for one in spans:
        span = _fields(one, f"a span score of {name}")
        if not all(isinstance(span.get(end), int) for end in ("begin", "end")):
            raise invalid(f"a span score of {name} has no begin and end")
        _check_score(span.get("score"), name)
    return {"summaryScore": summary, "spanScores": spans}


def _check_score(given: object, name: str) -> None:
    score = _fields(given, f"a score of {name}")
    if not 0 <= _number(score.get("value"), f"a score of {name}") <= 1:
        raise invalid(f"a score of {name} is no probability: it must be from 0 to 1")
