"""The discovery document of the Perspective adapter, which Google's clients are built from.

Its format is Google's: "Discovery document" of the Google API Discovery Service, and RestDescription in the service's
reference. Methods, fields and types are those of the published document ``commentanalyzer:v1alpha1``; what is said of
them is said of this server.
"""

from __future__ import annotations

from collections.abc import Sequence

NAME, VERSION = "commentanalyzer", "v1alpha1"
PATH = "/$discovery/rest"
ANALYZE, SUGGEST = "v1alpha1/comments:analyze", "v1alpha1/comments:suggestscore"

Schema = dict[str, object]


def _ref(name: str) -> Schema:
    return {"$ref": name}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map(values: str) -> Schema:
    return {"type": "object", "additionalProperties": _ref(values)}


def _number(kind: str, size: str) -> Schema:
    return {"type": kind, "format": size}


def _parameter(text: str, kind: str = "string", **more: object) -> Schema:
    return {"type": kind, "location": "query", "description": text, **more}


_STRING: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean"}
_LANGUAGES: Schema = _list(_STRING) | {"description": "Codes of languages, such as en. The bundle's if none is named."}
_COMMENT: dict[str, Schema] = {
    "comment": _ref("TextEntry"),
    "context": _ref("Context") | {"description": "Read and not used."},
    "languages": _LANGUAGES,
    "clientToken": _STRING | {"description": "Sent back as it is."},
    "communityId": _STRING,
    "sessionId": _STRING | {"description": "Read and not used."},
}
_TEXT_TYPES = ["TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML"]
_SCORE_TYPES = ["SCORE_TYPE_UNSPECIFIED", "PROBABILITY", "STD_DEV_SCORE", "PERCENTILE", "RAW"]
_NO_STORING = _FLAG | {"description": "Nothing of this request is stored."}

_SCHEMAS: dict[str, dict[str, Schema]] = {
    "AnalyzeCommentRequest": _COMMENT
    | {
        "requestedAttributes": _map("AttributeParameters")
        | {"description": "By name; this document's description has them."},
        "spanAnnotations": _FLAG | {"description": "Score each sentence too."},
        "doNotStore": _FLAG | {"description": "Comments that are analysed are never stored here."},
        "dropUnsupportedAttributes": _FLAG | {"description": "Leave out what is not served, if something is."},
    },
    "AnalyzeCommentResponse": {
        "attributeScores": _map("AttributeScores"),
        "languages": _LANGUAGES,
        "detectedLanguages": _list(_STRING) | {"description": "Not given: no language is detected here."},
        "clientToken": _STRING,
    },
    "SuggestCommentScoreRequest": _COMMENT | {"attributeScores": _map("AttributeScores"), "doNotStore": _NO_STORING},
    "SuggestCommentScoreResponse": {
        "clientToken": _STRING,
        "requestedLanguages": _list(_STRING),
        "detectedLanguages": _list(_STRING),
    },
    "AttributeParameters": {
        "scoreType": _STRING | {"enum": _SCORE_TYPES, "description": "PROBABILITY is served."},
        "scoreThreshold": _number("number", "float") | {"description": "Scores below it are left out."},
    },
    "AttributeScores": {"summaryScore": _ref("Score"), "spanScores": _list(_ref("SpanScore"))},
    "Score": {
        "value": _number("number", "float")
        | {"description": "Probability that the comment has the attribute, from 0 to 1."},
        "type": _STRING | {"enum": _SCORE_TYPES},
    },
    "SpanScore": {
        "begin": _number("integer", "int32") | {"description": "First UTF-16 code unit of the span."},
        "end": _number("integer", "int32") | {"description": "The code unit after the last."},
        "score": _ref("Score"),
    },
    "TextEntry": {"text": _STRING, "type": _STRING | {"enum": _TEXT_TYPES, "description": "PLAIN_TEXT is served."}},
    "Context": {
        "entries": _list(_ref("TextEntry")),
        "articleAndParentComment": _ref("ArticleAndParentComment"),
    },
    "ArticleAndParentComment": {"article": _ref("TextEntry"), "parentComment": _ref("TextEntry")},
}

_PARAMETERS: dict[str, Schema] = {
    "key": _parameter("API key, where the server has keys."),
    "alt": _parameter("Form of the answer.", enum=["json"], enumDescriptions=["JSON"], default="json"),
    "fields": _parameter("Read and not used: the answer is whole."),
    "prettyPrint": _parameter("Read and not used.", "boolean", default="true"),
    "quotaUser": _parameter("Read and not used."),
    "$.xgafv": _parameter("Read and not used.", enum=["1", "2"], enumDescriptions=["Version 1", "Version 2"]),
    "access_token": _parameter("Read and not used."),
    "oauth_token": _parameter("Read and not used."),
    "callback": _parameter("Read and not used."),
    "uploadType": _parameter("Read and not used."),
    "upload_protocol": _parameter("Read and not used."),
}


def document(root: str, served: Sequence[str]) -> dict[str, object]:
    """The document of a server.

    Args:
        root: Its address as the client reaches it, with a slash at the end: calls go there.
        served: Names of the attributes.
    """
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": f"{NAME}:{VERSION}",
        "name": NAME,
        "canonicalName": "Comment Analyzer",
        "version": VERSION,
        "revision": "1",
        "title": "Content Arena behind the Perspective Comment Analyzer API",
        "description": f"Scores comments. Attributes: {', '.join(served)}.",
        "protocol": "rest",
        "rootUrl": root,
        "baseUrl": root,
        "basePath": "",
        "servicePath": "",
        "batchPath": "batch",
        "parameters": _PARAMETERS,
        "resources": {
            "comments": {
                "methods": {
                    "analyze": _method(ANALYZE, "AnalyzeComment", "Scores a comment."),
                    "suggestscore": _method(
                        SUGGEST, "SuggestCommentScore", "Keeps the scores that a comment deserves."
                    ),
                }
            }
        },
        "schemas": {
            name: {"id": name, "type": "object", "properties": properties} for name, properties in _SCHEMAS.items()
        },
    }


def _method(path: str, messages: str, text: str) -> Schema:
    return {
        "id": f"{NAME}.comments.{path.rpartition(':')[2]}",
        "path": path,
        "flatPath": path,
        "httpMethod": "POST",
        "description": text,
        "parameters": {},
        "parameterOrder": [],
        "request": _ref(f"{messages}Request"),
        "response": _ref(f"{messages}Response"),
    }
