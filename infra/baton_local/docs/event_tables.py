"""The tables of events and their fields, and the state diagrams: from the wire schema, the SPECs and the transitions.

Invariant: each SPEC that the application mounts has exactly one module here; otherwise making the table fails.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import ModuleType
from typing import Any, TypeVar

import msgspec

from baton.engine.transitions import CALL_TRANSITIONS, JOB_TRANSITIONS, CallStatus, JobStatus, Step
from baton.server.app import SPECS
from baton.settings.settings import Settings
from baton.worker.handlers import (
    agent_loop,
    app_events,
    delivery_failed,
    sweep,
    tool_executor,
    tool_result_complete,
    tool_result_failed,
)
from baton.worker.runtime.spec import Spec
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
from baton_local.docs.reference_tables import markdown_table

_COMMANDS = (Submission, Cancellation, Completion, Occurrence, Steering, Retrial, Removal, Recurrence)


def event_fields() -> str:
    return _fields(BaseEvent)


def payload_fields() -> str:
    """Return what a turn's event and a tool call's event say."""
    return "\n\n".join(
        f"{title}\n\n{_text(model)}\n\n{_fields(model)}"
        for title, model in (
            ("### `payload` of `agent.loop.init`", LoopPayload),
            ("### `payload` of the others", ToolPayload),
        )
    )


def command_fields() -> str:
    """Return one row for each command that a backup message brings."""
    rows = ([f"`{model.kind}`", _text(model), _names(model)] for model in _COMMANDS)
    return markdown_table(["`kind`", "what", "fields"], rows)


def _text(model: type[msgspec.Struct]) -> str:
    return " ".join((model.__doc__ or "").split())


def _names(model: type[msgspec.Struct]) -> str:
    return ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(model))


def _fields(model: type[msgspec.Struct]) -> str:
    schema = msgspec.json.schema(model)["$defs"][model.__name__]
    needed = schema.get("required", [])
    lines = (f"{name}{'' if name in needed else '?'}: {_type(of)}" for name, of in schema["properties"].items())
    return "\n".join(["```text", *lines, "```"])


def _type(schema: dict[str, Any]) -> str:
    """Return a JSON type in a word; a union's without `null`, which is its default."""
    if "discriminator" in schema:
        return "command"
    if "anyOf" in schema or "oneOf" in schema:
        kinds = [_type(each) for each in schema.get("anyOf", schema.get("oneOf", []))]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "null"))
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if "$ref" in schema:
        return "object"
    return "time" if schema.get("format") == "date-time" else str(schema.get("type", "any JSON"))


_MODULES = (agent_loop, tool_executor, tool_result_complete, tool_result_failed, app_events, delivery_failed, sweep)


def event_table() -> str:
    """Return one row an endpoint that the queue delivers to, events first."""
    if [module.SPEC for module in _MODULES] != list(SPECS):
        raise ValueError(
            "baton_local/docs/event_tables.py and baton/server/app.py name different functions: add the missing one"
        )
    return markdown_table(
        ["event", "topic", "endpoint", "function", "what it does"],
        (_row(module, spec) for module, spec in zip(_MODULES, SPECS, strict=True)),
    )


def _row(module: ModuleType, spec: Spec) -> list[str]:
    event, topic = "", ""
    if spec.event_type is not None:
        event, topic = f"`{spec.event_type}`", f"`{Settings().topic(EventType(spec.event_type))}`"
    file = f"`functions/{module.__name__.replace('.', '/')}.py`"
    return [event, topic, f"`{spec.path}`", file, _summary(module)]


def _summary(module: ModuleType) -> str:
    """Return the first sentence of the function's docstring, without the event's name in front."""
    sentence = (module.__doc__ or "").partition("\n")[0].partition(". ")[0].rstrip(".")
    return sentence.partition("`: ")[2] or sentence


Status = TypeVar("Status", bound=StrEnum)


def job_diagram() -> str:
    return _diagram(JobStatus.PENDING, JOB_TRANSITIONS)


def call_diagram() -> str:
    """Return a tool call's life."""
    return _diagram(CallStatus.QUEUED, CALL_TRANSITIONS)


def _diagram(first: Status, transitions: Mapping[tuple[Status, Step], Status]) -> str:
    lines = [f"{before} --> {after}: {step}" for (before, step), after in transitions.items()]
    leaving = {before for before, _ in transitions}
    ends = dict.fromkeys(after for after in transitions.values() if after not in leaving)
    lines = [f"[*] --> {first}", *lines, *(f"{end} --> [*]" for end in ends)]
    return "\n".join(["```mermaid", "stateDiagram-v2", *(f"    {line}" for line in lines), "```"])
