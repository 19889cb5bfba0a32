"""The API's table of routes and its OpenAPI document, as a deployment has them: what the reference is made of."""

from functools import cache
from typing import Any

from baton.api.audit import Audit
from baton.api.auth import Keys
from baton.api.openapi import OpenApi
from baton.api.route import ApiRoute
from baton.api.routes import api_table
from baton.configuration.settings import Settings
from baton.container import Container
from baton.wiring import real_ports


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
