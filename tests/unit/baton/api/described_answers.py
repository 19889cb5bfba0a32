"""Answers held to the OpenAPI document: what any test of the API gets must be what the document says."""

from functools import cache
from typing import Any

import httpx
from openapi_schema_validator import OAS31Validator
from starlette.routing import compile_path

from baton.api.audit import Audit
from baton.api.auth import Keys
from baton.api.openapi import OpenApi
from baton.api.routes import api_table
from baton.container import Container
from baton.settings.settings import Settings
from baton.wiring import real_ports


class Documented:
    """The document, whatever the settings are."""

    def __init__(self) -> None:
        settings = Settings()
        container = Container(settings, real_ports(settings))  # opens nothing
        table = api_table(container, Keys(container), Audit(container))
        self._document = OpenApi(table, "").document
        self._validators: dict[str, Any] = {}
        self._places = [(route.method, compile_path(route.path)[0], route) for route in table]

    def check(self, method: str, path: str, response: httpx.Response) -> None:
        """Fail where the answer is not as described: its status, its media type, its JSON."""
        for route_method, place, route in self._places:
            if route_method == method and place.match(path):
                operation = self._document["paths"][route.path.replace(":path", "")][method.lower()]
                self._hold(operation["responses"], f"{method} {route.path}", response)
                return

    def _hold(self, described: dict[str, Any], name: str, response: httpx.Response) -> None:
        shown = described.get(str(response.status_code)) or (None if response.is_success else described["default"])
        assert shown is not None, f"{name} answers {response.status_code}, which the document does not say"
        media = response.headers.get("content-type", "").partition(";")[0]
        content = shown.get("content", {"": None})
        assert media in content or "*/*" in content, f"{name} answers {media!r}: {response.text[:200]}"
        if media.endswith("json"):
            validator = self._validator(shown["content"][media]["schema"]["$ref"])
            faults = [error.message for error in validator.iter_errors(response.json())]
            assert faults == [], f"{name}: {faults}"

    def _validator(self, reference: str) -> Any:
        if reference not in self._validators:
            components = self._document["components"]
            self._validators[reference] = OAS31Validator({"$ref": reference, "components": components})
        return self._validators[reference]


@cache
def documented() -> Documented:
    """Made once."""
    return Documented()
