"""The tables of the reference of events: the fields of events, payloads and facts, from the wire schema. Pure."""

from typing import Any

from pydantic import BaseModel

from baton_events.schema import (
    BaseEvent,
    Cancellation,
    Completion,
    LoopPayload,
    Occurrence,
    Recurrence,
    Removal,
    Retrial,
    Submission,
    ToolPayload,
)
from baton_local.docs.markdown_table import markdown_table

_FACTS = (Submission, Cancellation, Completion, Occurrence, Retrial, Removal, Recurrence)


def event_fields() -> str:
    """What every event has."""
    return _fields(BaseEvent)


def payload_fields() -> str:
    """What a turn's event and a tool call's event say."""
    return "\n\n".join(
        f"{title}\n\n{_text(model)}\n\n{_fields(model)}"
        for title, model in (
            ("### `payload` of `agent.loop.init`", LoopPayload),
            ("### `payload` of the others", ToolPayload),
        )
    )


def fact_fields() -> str:
    """One row a fact that the backup message of an API call tells."""
    rows = ([f"`{model.model_fields['kind'].default}`", _text(model), _names(model)] for model in _FACTS)
    return markdown_table(["`kind`", "what", "fields"], rows)


def _text(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _names(model: type[BaseModel]) -> str:
    return ", ".join(f"`{field.alias or name}`" for name, field in model.model_fields.items() if name != "kind")


def _fields(model: type[BaseModel]) -> str:
    schema = model.model_json_schema(by_alias=True)
    rows = (
        [f"`{name}`", _type(of), _default(of, needed=name in schema.get("required", []))]
        for name, of in schema["properties"].items()
    )
    return markdown_table(["field", "type", "default"], rows)


def _default(schema: dict[str, Any], *, needed: bool) -> str:
    if needed:
        return "needed"
    return "" if schema.get("default") is None else f"`{schema['default']}`"


def _type(schema: dict[str, Any]) -> str:
    """A JSON type in a word; a union's without `null`, which is its default."""
    if "anyOf" in schema or "oneOf" in schema:
        kinds = [_type(each) for each in schema.get("anyOf", schema.get("oneOf", []))]
        return " or ".join(dict.fromkeys(kind for kind in kinds if kind != "null"))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "$ref" in schema:
        return "fact"
    return "time" if schema.get("format") == "date-time" else str(schema.get("type", "any JSON"))
