"""README's table of HTTP endpoints, from the API's own table of routes."""

from events.settings import Settings
from functions.api.audit import Audit
from functions.api.auth import Keys
from functions.api.routes import api_table
from functions.container import Container
from functions.wiring import real_ports
from infra.docs.markdown_table import markdown_table

KEY_OF = {
    "open": "none",
    "client": "client or admin",
    "stream": "client or admin, or `?token=`",
    "admin": "admin",
    "operations": "`x-api-key`",
    "metrics": "admin, or `METRICS_TOKEN`",
    "self": "its own",
}


def endpoint_table() -> str:
    """Return one row a route of the API."""
    settings = Settings()
    container = Container(settings, real_ports(settings))
    table = api_table(container, Keys(container), Audit(container))
    rows = ([f"`{route.method} {route.path}`", route.what, KEY_OF[route.access]] for route in table)
    return markdown_table(["endpoint", "what", "key"], rows)
