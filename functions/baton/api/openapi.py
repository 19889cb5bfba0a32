"""`GET /openapi.json`: the API as an OpenAPI 3.1 document, made from the table of routes and the bodies it parses.

Invariant: every line of the table is in it and nothing else, so it cannot say what is not so.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.api.described import DESCRIBED, UNDESCRIBED, Described
from baton.api.route import ApiRoute
from baton.api.schemas import SCHEMAS
from baton.distribution import DISTRIBUTION

_REF = "#/components/schemas/{model}"
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")
_MEDIA = {"Stream": "text/event-stream", "Text": "text/plain"}
_BEARER, _OPERATIONS, _TOKEN = "bearer", "operations", "token"
_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "open": [],
    "client": [{_BEARER: []}],
    "stream": [{_BEARER: []}, {_TOKEN: []}],
    "admin": [{_BEARER: []}],
    "metrics": [{_BEARER: []}, {}],
    "operations": [{_OPERATIONS: []}],
    "self": [{_BEARER: []}, {}],
}
_SCHEMES = {
    _TOKEN: {
        "type": "apiKey",
        "in": "query",
        "name": "token",
        "description": "a short-lived token from `POST /api/stream-tokens`",
    },
    _BEARER: {
        "type": "http",
        "scheme": "bearer",
        "description": "a key from `baton keys create`: a client's for its tenant, an admin's for everything",
    },
    _OPERATIONS: {
        "type": "apiKey",
        "in": "header",
        "name": "x-api-key",
        "description": "the setting OPERATIONS_API_KEY: for what completes operations from outside",
    },
}
_PROBLEM = {
    "description": "the problem, as RFC 9457 describes it: 400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 503",
    "headers": {"Retry-After": {"description": "seconds, with 429 and 503", "schema": {"type": "integer"}}},
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


class OpenApi:
    """The document; made when it is first asked for."""

    def __init__(self, table: Sequence[ApiRoute], server_url: str) -> None:
        self._table = table
        self._server_url = server_url

    async def show(self, _request: Request) -> Response:
        """200 and the document."""
        return JSONResponse(self.document, headers={"cache-control": "public, max-age=300"})

    @cached_property
    def document(self) -> dict[str, Any]:
        """The whole of it."""
        paths: dict[str, dict[str, Any]] = {}
        for route in self._table:
            paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route)
        return {
            "openapi": "3.1.0",
            "info": {
                "title": "Baton",
                "version": version(DISTRIBUTION),
                "description": "Durable AI agents: their API.",
            },
            **({"servers": [{"url": self._server_url}]} if self._server_url else {}),
            "paths": paths,
            "components": {"schemas": SCHEMAS | _body_schemas(), "securitySchemes": _SCHEMES},
        }


def described(route: ApiRoute) -> Described:
    """What the route takes and answers."""
    return DESCRIBED.get(f"{route.method} {route.path}", UNDESCRIBED)


def _operation(route: ApiRoute) -> dict[str, Any]:
    said = described(route)
    key = {"admin": " Needs an admin key.", "operations": " Needs `x-api-key`."}.get(route.access, "")
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "summary": route.what,
        "description": f"{route.what}.{key}",
        "parameters": [*_path_parameters(route), *_query_parameters(said)],
        "security": _SECURITY[route.access],
        "responses": {**{str(status): _success(said, status) for status in said.statuses}, "default": _PROBLEM},
    }
    if said.body is not None:
        schema = {"$ref": _REF.format(model=said.body.__name__)}
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": said.body_needed, "content": content}
    return operation


def _operation_id(route: ApiRoute) -> str:
    words = re.findall(r"[A-Za-z0-9]+", _PARAMETER.sub(r"by_\1", route.path))
    return "_".join((route.method.lower(), *words))


def _path_parameters(route: ApiRoute) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name, _ in _PARAMETER.findall(route.path)
    ]


def _query_parameters(said: Described) -> list[dict[str, Any]]:
    if said.query is None:
        return []
    schema = said.query.model_json_schema(ref_template=_REF)
    return [
        {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": of}
        for name, of in schema["properties"].items()
    ]


def _success(said: Described, status: int) -> dict[str, Any]:
    if status == 204:  # noqa: PLR2004 - No Content
        return {"description": "nothing there"}
    media, schema = _MEDIA.get(said.answer, "application/json"), {"$ref": _REF.format(model=said.answer)}
    return {
        "description": "done",
        "content": {media: {"schema": {"type": "string"} if said.answer in _MEDIA else schema}},
    }


def _body_schemas() -> dict[str, Any]:
    bodies = {said.body.__name__: said.body for said in DESCRIBED.values() if said.body is not None}
    wanted: list[tuple[type[BaseModel], Any]] = [(body, "validation") for body in bodies.values()]
    _, schema = models_json_schema(wanted, ref_template=_REF)
    found: dict[str, Any] = schema["$defs"]
    return found
