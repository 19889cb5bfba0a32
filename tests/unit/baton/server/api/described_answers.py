"""Answers held to the OpenAPI document: what any test of the API gets must be what the document says."""

from functools import cache
from typing import Any

import httpx
from openapi_schema_validator import OAS31Validator
from starlette.routing import compile_path

from tests.unit.baton.client.described import DOCUMENT, TABLE

_PLACES = [(route.method, compile_path(route.path)[0], route.path.replace(":any", "")) for route in TABLE]


def hold_to_the_document(method: str, path: str, response: httpx.Response) -> None:
    """Fail where an answer is not as described: its status, its media type, its JSON."""
    for route_method, place, route_path in _PLACES:
        if route_method == method and place.match(path):
            _hold(DOCUMENT["paths"][route_path][method.lower()]["responses"], f"{method} {route_path}", response)
            return


def _hold(described: dict[str, Any], name: str, response: httpx.Response) -> None:
    shown = described.get(str(response.status_code)) or (None if response.is_success else described["default"])
    assert shown is not None, f"{name} answers {response.status_code}, which the document does not say"
    media = response.headers.get("content-type", "").partition(";")[0]
    content = shown.get("content", {"": None})
    assert media in content or "*/*" in content, f"{name} answers {media!r}: {response.text[:200]}"
    if media.endswith("json"):
        validator = _validator(shown["content"][media]["schema"]["$ref"])
        faults = [error.message for error in validator.iter_errors(response.json())]
        assert faults == [], f"{name}: {faults}"


@cache
def _validator(reference: str) -> Any:
    return OAS31Validator({"$ref": reference, "components": _CLOSED})


def _closed(schema: Any) -> Any:
    """Refuse fields that the document does not name: a client may rely on those only that it names."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(part) for name, part in schema.items()}
    return ({"additionalProperties": False} if {"required", "properties"} <= schema.keys() else {}) | closed


_CLOSED = _closed(DOCUMENT["components"])
