"""The tables of docs/reference/http.md: endpoints, and the fields of what they take and answer.

They are made of the API's table of routes and its OpenAPI document, as a deployment has them.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from baton.sdk.records.transcript import FAILURE_TYPES
from baton.server.api.audit import Audit
from baton.server.api.auth import Keys
from baton.server.api.problem import Code
from baton.server.api.route import ApiRoute
from baton.server.openapi import document_of
from baton.server.routes import api_table
from baton.settings.settings import Settings
from baton.worker.container import Container
from baton.worker.wiring import real_ports
from baton_local.docs.reference_tables import markdown_table


@cache
def api_routes() -> tuple[ApiRoute, ...]:
    settings = Settings()
    container = Container(settings, real_ports(settings))
    return tuple(api_table(container, Keys(container), Audit(container)))


@cache
def api_document() -> dict[str, Any]:
    """Return what `GET /openapi.json` answers."""
    return document_of(api_routes(), "")


KEY_OF = {
    "open": "none",
    "client": "client",
    "run": "client",
    "stream": "client, or `?token=`",
    "admin": "admin",
    "operations": "`x-api-key`",
    "metrics": "admin, or `METRICS_TOKEN`",
    "self": "its own",
}
_REF = re.compile(r"^#/components/schemas/(\w+)$")
_CODES = "a code of a problem"
# What has no fields of its own to show; what a protocol has defined, which its own pages have.
_OF_PROTOCOLS = ("ResumeEntry", "RpcMessage", "RunAgentInput", "RunContext", "RunMessage", "RunTool")
_FEW = 4  # so many fields stand in one line
_SHAPELESS = {"Object", "Submitted", *_OF_PROTOCOLS}


def endpoint_table() -> str:
    """Return one row a route of the API."""
    rows = (
        [f"`{route.method} {route.path.replace(':any}', '}')}`", route.what, KEY_OF[route.access], _bodies(route)]
        for route in api_routes()
    )
    return markdown_table(["endpoint", "what", "key", "takes → answers"], rows)


def problem_table() -> str:
    """Return one line a status, with its codes."""
    statuses = sorted({one.status for one in Code})
    return "\n".join(
        f"- {each}: {', '.join(f'`{one.name}`' for one in Code if one.status == each)}" for each in statuses
    )


def failure_list() -> str:
    """Return the types of our own failures in one line."""
    return ", ".join(f"`{each}`" for each in FAILURE_TYPES)


def body_tables() -> str:
    """Return the fields of each schema that the endpoints name, a line each."""
    schemas = api_document()["components"]["schemas"]
    shown = (name for name in sorted(schemas) if name not in _SHAPELESS and not _listed(name))
    return "\n\n".join(_section(name, schemas[name]) for name in shown)


def _bodies(route: ApiRoute) -> str:
    """Return which schemas an endpoint takes and, behind an arrow, answers, as links."""
    operation = api_document()["paths"][route.path.replace(":any}", "}")][route.method.lower()]
    taken = operation.get("requestBody", {}).get("content", {})
    answered = [answer.get("content", {}) for status, answer in operation["responses"].items() if status != "default"]
    links = ", ".join(filter(None, map(_links, answered[:1])))
    return f"{_links(taken)} {links and f'→ {links}'}".strip()


def _links(content: dict[str, Any]) -> str:
    names = filter(None, (_name_of(media["schema"]) for media in content.values()))
    return ", ".join(_listed(name) or f"[{name}](#{name.lower()})" for name in names)


def _listed(name: str) -> str:
    """Return the rows of an answer that is a list, as a link; empty for any other."""
    fields = {**api_document()["components"]["schemas"][name].get("properties", {})}
    fields.pop("cursor", None)
    of = _name_of(fields.get(name[0].lower() + name[1:], {}).get("items", {})) if len(fields) == 1 else ""
    return f"list of [{of}](#{of.lower()})" if of else ""


def _name_of(schema: dict[str, Any]) -> str:
    found = _REF.match(schema.get("$ref", ""))
    return "" if found is None or found[1] in _SHAPELESS else found[1]


def _section(name: str, schema: dict[str, Any]) -> str:
    text = " ".join(schema.get("description", "").split())
    needed = schema.get("required", [])
    lines = [_line(field, of, needed=field in needed) for field, of in schema.get("properties", {}).items()]
    few = ", ".join(f"`{line}`" for line in lines)
    block = few if len(lines) <= _FEW else "\n".join(["```text", *lines, "```"])
    return "\n\n".join(part for part in (f"### {name}", text, block) if part)


def _line(field: str, schema: dict[str, Any], *, needed: bool) -> str:
    of = _type(schema) if needed else _type(schema).removesuffix(" or null")
    default = f" = {schema['default']}" if schema.get("default") not in (None, "", []) else ""
    shown = of if needed or _name_of(schema) else f"{of}{default}"
    return f"{field}{'' if needed else '?'}{'' if shown == 'string' else f': {shown}'}"


def _type(schema: dict[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_types(schema))) or "any JSON"


def _types(schema: dict[str, Any]) -> Iterator[str]:
    if _name_of(schema):
        yield _name_of(schema)
        return
    if "enum" in schema:
        yield _CODES if schema["enum"] == [code.name for code in Code] else "/".join(map(str, schema["enum"]))
        return
    for each in schema.get("anyOf", ()):
        yield from _types(each)
    found = schema.get("type", ())
    for name in [found] if isinstance(found, str) else found:
        yield _one_type(name, schema)


def _one_type(name: str, schema: dict[str, Any]) -> str:
    if name == "array" and schema.get("items"):
        return f"list of {_type(schema['items'])}"
    if name == "string" and schema.get("format") == "date-time":
        return "time"
    low, high = schema.get("minimum", schema.get("minLength")), schema.get("maximum", schema.get("maxLength"))
    return name if high is None else f"{name} {low or 0}..{high}"
