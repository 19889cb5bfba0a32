"""The API's table of routes and its OpenAPI document, as a deployment has them: what the reference is made of."""

from functools import cache
from typing import Any

from events.settings import Settings
from functions.api.audit import Audit
from functions.api.auth import Keys
from functions.api.openapi import OpenApi
from functions.api.route import ApiRoute
from functions.api.routes import api_table
from functions.container import Container
from functions.wiring import real_ports


@cache
def api_routes() -> tuple[ApiRoute, ...]:
    """Every route of the API."""
    settings = Settings()
    container = Container(settings, real_ports(settings))
    return tuple(api_table(container, Keys(container), Audit(container)))


@cache
def api_document() -> dict[str, Any]:
    """What `GET /openapi.json` answers."""
    return OpenApi(api_routes(), "").document
