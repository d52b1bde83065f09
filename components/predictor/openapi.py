"""The OpenAPI description at ``/openapi.json`` and the page that shows it at ``/docs``.

kserve's own names neither the bodies nor the errors of this server, and endpoints that are not offered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.responses import FileResponse, JSONResponse

from content_arena.components.predictor.limits import MAX_INSTANCES
from content_arena.components.shared.limits import MAX_TEXT_LENGTH

#: Files of Swagger UI that the page is made of, which the package fastapi-offline has.
_ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")
_PAGE, _DESCRIPTION = "/docs", "/openapi.json"
#: Everything that is served here.
PATHS = frozenset({_PAGE, _DESCRIPTION, *(f"{_PAGE}/{name}" for name in _ASSETS)})

_TEXT = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH, "example": "have a nice day"}
_TEXTS = {"type": "array", "minItems": 1, "maxItems": MAX_INSTANCES, "items": _TEXT}
_PREDICTION = {
    "type": "object",
    "required": ["toxic_score", "is_toxic", "confidence", "model_version"],
    "properties": {
        "toxic_score": {"type": "number", "minimum": 0, "maximum": 1, "description": "Probability of toxic."},
        "is_toxic": {"type": "boolean"},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1, "description": "Distance to the threshold."},
        "model_version": {"type": "string"},
        "read_as": {"type": "string", "description": "What the model read; only if the request asks for it."},
        "attributes": {
            "type": "object",
            "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
            "description": "What the version scores beside toxicity, by name; only if the request asks for it.",
        },
    },
}
_ASKED = {"type": "boolean", "default": False}
_SPAN = {
    "start": {"type": "integer", "description": "Index of the first character, in Unicode code points."},
    "end": {"type": "integer", "description": "Index behind the last one."},
    "text": {"type": "string"},
}


def _list_of(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "object", "required": list(properties), "properties": properties}}


_SCHEMAS: dict[str, Any] = {
    "PredictRequest": {
        "type": "object",
        "required": ["instances"],
        "properties": {
            "instances": _TEXTS,
            "parameters": {"type": "object", "properties": {"read_as": _ASKED, "attributes": _ASKED}},
        },
    },
    "PredictResponse": {
        "type": "object",
        "required": ["predictions", "inference_time_ms"],
        "properties": {
            "predictions": {"type": "array", "items": _PREDICTION},
            "inference_time_ms": {"type": "number", "description": "Work on the texts, without waiting."},
        },
    },
    "ExplainRequest": {"type": "object", "required": ["instances"], "properties": {"instances": _TEXTS}},
    "ExplainResponse": {
        "type": "object",
        "required": ["predictions", "explanations", "inference_time_ms"],
        "properties": {
            "predictions": {"type": "array", "items": _PREDICTION},
            "inference_time_ms": {"type": "number"},
            "explanations": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["read_as", "changes", "words"],
                    "properties": {
                        "read_as": {"type": "string", "description": "What the model read."},
                        "changes": _list_of(_SPAN | {"read_as": {"type": "string"}}),
                        "words": _list_of(
                            _SPAN | {"contribution": {"type": "number", "description": "Score less that without it."}}
                        ),
                    },
                },
            },
        },
    },
    "InferRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object", "additionalProperties": True},
            "inputs": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": {
                    "type": "object",
                    "required": ["name", "shape", "datatype", "data"],
                    "properties": {
                        "name": {"type": "string"},
                        "shape": {"type": "array", "items": {"type": "integer"}},
                        "datatype": {"type": "string", "enum": ["BYTES"]},
                        "data": {
                            "type": "array",
                            "items": {},
                            "description": "Texts, flat or nested by the shape.",
                        },
                    },
                },
            },
            "outputs": {
                "type": "array",
                "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            },
        },
    },
    "InferResponse": {
        "type": "object",
        "required": ["model_name", "model_version", "id", "outputs"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "parameters": {"type": "object", "additionalProperties": True},
            "outputs": _list_of(
                {
                    "name": {"type": "string"},
                    "shape": {"type": "array", "items": {"type": "integer"}},
                    "datatype": {"type": "string"},
                    "data": {"type": "array", "items": {}},
                }
            ),
        },
    },
    "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
}
_ERRORS = {
    "400": "The request cannot be read.",
    "401": "No valid API key; only where keys are configured.",
    "404": "There is no such model.",
    "408": "The body took too long.",
    "413": "The body is too large, or its texts are too much work.",
    "415": "The content encoding is not gzip.",
    "429": "Too much is waiting, or too many requests of one key; see Retry-After.",
    "503": "The server is about to end; see Retry-After.",
    "504": "The texts were not scored by the deadline.",
}


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _post(operation: str, summary: str, request: str, response: str, *, keyed: bool) -> dict[str, Any]:
    errors = {status: {"description": why, "content": _json("Error")} for status, why in _ERRORS.items()}
    name = {"name": "model_name", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "post": {
            "operationId": operation,
            "summary": summary,
            "parameters": [name],
            "requestBody": {"required": True, "content": _json(request)},
            "responses": {"200": {"description": "Scored.", "content": _json(response)}, **errors},
        }
        | ({"security": [{"bearer": []}, {"header": []}]} if keyed else {})
    }


def _get(operation: str, summary: str, *parameters: str) -> dict[str, Any]:
    named = [{"name": one, "in": "path", "required": True, "schema": {"type": "string"}} for one in parameters]
    answer = {"200": {"description": "Yes."}, "503": {"description": "No."}}
    return {"get": {"operationId": operation, "summary": summary, "parameters": named, "responses": answer}}


def description(version: str, *, keyed: bool) -> dict[str, Any]:
    """The description, OpenAPI 3.1.

    Args:
        version: Of the model.
        keyed: Whether the server asks for API keys.
    """
    schemes = {"bearer": {"type": "http", "scheme": "bearer"}, "header": {"type": "apiKey", "in": "header"}}
    schemes["header"]["name"] = "X-API-Key"
    v1, v2 = "/v1/models/{model_name}", "/v2/models/{model_name}"
    return {
        "openapi": "3.1.0",
        "info": {"title": "Content Arena predictor", "version": version},
        "paths": {
            f"{v1}:predict": _post("predict", "Scores texts.", "PredictRequest", "PredictResponse", keyed=keyed),
            f"{v1}:explain": _post(
                "explain", "Scores texts and says why.", "ExplainRequest", "ExplainResponse", keyed=keyed
            ),
            f"{v2}/infer": _post("infer", "Scores a tensor of texts.", "InferRequest", "InferResponse", keyed=keyed),
            v1: _get("model_ready_v1", "Whether the model is ready.", "model_name"),
            f"{v2}/ready": _get("model_ready", "Whether the model is ready.", "model_name"),
            "/v2/health/live": _get("live", "Whether the server is alive."),
            "/v2/health/ready": _get("ready", "Whether the server is ready."),
        },
        "components": {"schemas": _SCHEMAS} | ({"securitySchemes": schemes} if keyed else {}),
    }


def register(app: FastAPI, version: str, *, keyed: bool) -> None:
    """Adds the description and its page to ``app``; the page needs nothing from elsewhere.

    Args:
        app: The application.
        version: Of the model.
        keyed: Whether the server asks for API keys.
    """
    described = description(version, keyed=keyed)
    static = Path(str(resources.files("fastapi_offline"))) / "static"

    async def openapi() -> JSONResponse:
        return JSONResponse(described)

    async def docs() -> HTMLResponse:
        # Relative addresses: a gateway may serve all of this under a prefix.
        script, style, icon = (f"docs/{name}" for name in _ASSETS)
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="Content Arena predictor",
            swagger_js_url=script,
            swagger_css_url=style,
            swagger_favicon_url=icon,
        )

    # The application has a route of its own for the description, made when kserve was imported.
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", "") != _DESCRIPTION]
    app.add_api_route(_DESCRIPTION, openapi, include_in_schema=False)
    app.add_api_route(_PAGE, docs, include_in_schema=False, response_class=HTMLResponse)
    for name in _ASSETS:
        app.add_api_route(f"{_PAGE}/{name}", _file(static / name), include_in_schema=False)


def _file(path: Path) -> Callable[[], Awaitable[FileResponse]]:
    async def read() -> FileResponse:
        return FileResponse(path)

    return read
