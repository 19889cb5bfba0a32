"""A structured answer: its type, the model's instructions for it, and its check.

The model answers by calling the tool `final_result`, beside no other tool, with the answer as its arguments: every
provider's models can do that. Invariant: an output that passes is JSON of that type. Must not: know any provider.
"""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from baton.sdk.models.fences import json_in
from baton.sdk.models.model import ToolSpec
from baton_events.values.json_value import plain
from baton_events.values.text import text_of

FINAL_TOOL = "final_result"
_DESCRIPTION = "Give the final answer of the task, and nothing beside it. Call this when no other tool is needed."
_MAX_FAULTS = 20
_SHOWN_CHARS = 80


class InvalidOutput(ValueError):  # noqa: N818 - the name says what happened; it is shown to the model
    """The answer does not have the agent's output type; one readable line for each fault."""


class OutputType:
    """An agent's `output_type`: a pydantic model, a dataclass or a TypedDict.

    Raises TypeError: it is none of these, or its JSON is no object.
    """

    def __init__(self, agent: str, output_type: Any) -> None:
        if not isinstance(output_type, type):
            raise TypeError(
                f"agent {agent!r}: output_type must be a class such as a pydantic model, got {output_type!r}"
            )
        from baton.sdk.tools.argument_schema import SCHEMA_ERRORS, finite, words_of  # noqa: PLC0415 - few agents

        try:
            self._adapter: TypeAdapter[Any] = TypeAdapter(output_type)
            schema = finite(self._adapter.json_schema(mode="validation"))
        except SCHEMA_ERRORS as error:
            raise TypeError(f"agent {agent!r}: output_type cannot be read from JSON: {words_of(error)}") from error
        if "properties" not in schema and "$ref" not in schema:
            raise TypeError(
                f"agent {agent!r}: output_type must be an object with named fields, got {output_type.__name__};"
                " put it into a pydantic model, as a field"
            )
        description = f"{_DESCRIPTION}\n\n{schema['description']}" if schema.get("description") else _DESCRIPTION
        self.spec = ToolSpec(FINAL_TOOL, description, schema)

    def check(self, arguments: Any) -> dict[str, Any]:
        """Return the answer as plain JSON, coerced and with its defaults, or raise `InvalidOutput` with all faults."""
        try:
            value = self._adapter.validate_python(arguments)
            output = plain(self._adapter.dump_python(value, mode="json", by_alias=True), "answer")
        except ValidationError as error:
            raise InvalidOutput(_faults_in(error)) from error
        except Exception as error:
            raise InvalidOutput(f"the answer cannot be kept as JSON: {text_of(error)}") from error
        if not isinstance(output, dict):
            raise InvalidOutput(f"the answer must be an object, got {_shortened(output)}")
        return output

    def made(self, output: Any) -> Any:
        """Return an answer that has passed as an object of its type."""
        return self._adapter.validate_python(output)

    def read(self, text: str) -> dict[str, Any]:
        """Parse an answer that was given as text: JSON, maybe in a code block with words around it."""
        try:
            arguments = json.loads(json_in(text))
        except ValueError as error:
            raise InvalidOutput(
                f"the answer is text and must be a call of {FINAL_TOOL!r} with the answer as its arguments"
            ) from error
        return self.check(arguments)


def _faults_in(error: ValidationError) -> str:
    details: Sequence[Any] = error.errors(include_url=False, include_context=False)
    found = [(".".join(map(str, detail["loc"])) or "answer", detail["msg"], detail["input"]) for detail in details]
    lines = [f"{place}: {fault}, got {_shortened(value)}" for place, fault, value in found]
    more = [f"and {len(lines) - _MAX_FAULTS} more"] if len(lines) > _MAX_FAULTS else []
    return "\n".join(["the answer does not fit; correct it and call again:", *lines[:_MAX_FAULTS], *more])


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
