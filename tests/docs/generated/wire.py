"""The tables of what is sent: endpoints of the API, and events that the queue delivers, each with its fields.

They are made of the API's table of routes and its OpenAPI document, as a deployment has them, of the wire schema, and
of the SPECs that the application mounts: each has exactly one module here.
"""

from functools import cache
from typing import Any

import msgspec

from baton.sdk.records.transcript import FAILURE_TYPES
from baton.server.api.audit import Audit
from baton.server.api.auth import Keys
from baton.server.api.problem import Code
from baton.server.api.route import ApiRoute
from baton.server.app import SPECS
from baton.server.openapi import document_of
from baton.server.routes import api_table
from baton.settings.settings import Settings
from baton.worker.container import Container
from baton.worker.handlers import (
    agent_loop,
    app_events,
    delivery_failed,
    sweep,
    tool_executor,
    tool_result_complete,
    tool_result_failed,
)
from baton.worker.wiring import real_ports
from baton_events.schema import (
    BaseEvent,
    Cancellation,
    Completion,
    EventType,
    LoopPayload,
    Occurrence,
    Recurrence,
    Removal,
    Retrial,
    Steering,
    Submission,
    ToolPayload,
)
from tests.docs.generated.markdown import SHAPELESS, fields_of, markdown_table, name_of

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


@cache
def api_routes() -> tuple[ApiRoute, ...]:
    settings = Settings()
    container = Container(settings, real_ports(settings))
    return tuple(api_table(container, Keys(container), Audit(container)))


@cache
def api_document() -> dict[str, Any]:
    """Return what `GET /openapi.json` answers."""
    return document_of(api_routes(), "")


def endpoint_table() -> str:
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
    return ", ".join(f"`{each}`" for each in FAILURE_TYPES)


def body_tables() -> str:
    """Return the fields of each schema that the endpoints name."""
    schemas = api_document()["components"]["schemas"]
    shown = {name: schemas[name] for name in sorted(schemas) if name not in SHAPELESS and not _listed(name)}
    return "\n\n".join(
        "\n\n".join(filter(None, (f"### {name}", " ".join(of.get("description", "").split()), fields_of(of))))
        for name, of in shown.items()
    )


def _bodies(route: ApiRoute) -> str:
    """Return which schemas an endpoint takes and, behind an arrow, answers, as links."""
    operation = api_document()["paths"][route.path.replace(":any}", "}")][route.method.lower()]
    taken = operation.get("requestBody", {}).get("content", {})
    answered = [answer.get("content", {}) for status, answer in operation["responses"].items() if status != "default"]
    links = ", ".join(filter(None, map(_links, answered[:1])))
    return f"{_links(taken)} {links and f'→ {links}'}".strip()


def _links(content: dict[str, Any]) -> str:
    names = filter(None, (name_of(media["schema"]) for media in content.values()))
    return ", ".join(_listed(name) or f"[{name}](#{name.lower()})" for name in names)


def _listed(name: str) -> str:
    """Return the rows of an answer that is a list, as a link; empty for any other."""
    fields = {**api_document()["components"]["schemas"][name].get("properties", {})}
    fields.pop("cursor", None)
    of = name_of(fields.get(name[0].lower() + name[1:], {}).get("items", {})) if len(fields) == 1 else ""
    return f"list of [{of}](#{of.lower()})" if of else ""


_HANDLERS = (agent_loop, tool_executor, tool_result_complete, tool_result_failed, app_events, delivery_failed, sweep)
_COMMANDS = (Submission, Cancellation, Completion, Occurrence, Steering, Retrial, Removal, Recurrence)


def event_table() -> str:
    """Return one row an endpoint that the queue delivers to, events first."""
    if [module.SPEC for module in _HANDLERS] != list(SPECS):
        raise ValueError(f"{__file__} and baton/server/app.py name different functions: add the missing one")
    rows = []
    for module, spec in zip(_HANDLERS, SPECS, strict=True):
        event = EventType(spec.event_type) if spec.event_type else None
        names = [f"`{event}`", f"`{Settings().topic(event)}`"] if event else ["", ""]
        file = f"`functions/{module.__name__.replace('.', '/')}.py`"
        sentence = (module.__doc__ or "").partition("\n")[0].partition(". ")[0].rstrip(".")
        what = sentence.partition("`: ")[2] or sentence  # without the event's name in front
        rows.append([*names, f"`{spec.path}`", file, what])
    return markdown_table(["event", "topic", "endpoint", "function", "what it does"], rows)


def event_fields() -> str:
    return _fields(BaseEvent)


def payload_fields() -> str:
    """Return what a turn's event and a tool call's event say."""
    return "\n\n".join(
        f"### `payload` of {which}\n\n{_text(model)}\n\n{_fields(model)}"
        for which, model in (("`agent.loop.init`", LoopPayload), ("the others", ToolPayload))
    )


def command_fields() -> str:
    """Return one row for each command that a backup message brings."""
    rows = []
    for model in _COMMANDS:
        names = (f"`{field.encode_name}`" for field in msgspec.structs.fields(model))
        rows.append([f"`{model.kind}`", _text(model), ", ".join(names)])
    return markdown_table(["`kind`", "what", "fields"], rows)


def _text(model: type[msgspec.Struct]) -> str:
    return " ".join((model.__doc__ or "").split())


def _fields(model: type[msgspec.Struct]) -> str:
    return fields_of(msgspec.json.schema(model)["$defs"][model.__name__])
