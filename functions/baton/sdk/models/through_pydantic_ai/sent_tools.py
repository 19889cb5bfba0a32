"""The tools of a request as its provider takes them: their schemas, the names of properties, and none that it refuses.

One tool that a provider refuses would end each request with it, and so each job of the agent. Invariant: what is
recorded has a tool's own names of properties. A tool that cannot be said in the provider's words is left out, with a
line in the log; so is one that the provider has refused by name, as long as this process lives.
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic_ai.exceptions import FallbackExceptionGroup, ModelAuthenticationError, ModelRequestRejectedError
from pydantic_ai.messages import ModelMessage, ModelResponse, ToolCallPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.tools import ToolDefinition

from baton.sdk.models.provider_rules import ProviderRules
from baton.sdk.models.through_pydantic_ai.sendable import with_parts
from baton.sdk.models.tool_schemas import SchemaFaultError, TakenSchema, renamed, taken_schema
from baton_events.ids import digest
from baton_events.values.text import cut

_log = logging.getLogger("baton.models")

# The own names of a tool's properties, by those that are sent; of each tool that has such.
Names = Mapping[str, Mapping[str, str]]
_KEPT, _MOST_REFUSED, _SHOWN_CHARS = 512, 1_000, 300
# A tool's schema is the same object in each request: valid while it is the same.
_TAKEN: dict[tuple[int, ProviderRules], tuple[Any, TakenSchema]] = {}
# Models, each with a tool of that schema that it has refused; and the lines that the log has. The oldest first.
_REFUSED: dict[tuple[str, str], None] = {}
_LOGGED: dict[tuple[str, str, str], None] = {}
# How refusals name a tool's place, as in `tools.3.custom.input_schema`, and in Google's list.
_PLACES = (re.compile(r"function_declarations\W+(\d+)"), re.compile(r"\btools\W+(\d+)"))
_ABOUT_TOOLS = re.compile(r"schema|function|tool|parameter", re.IGNORECASE)


def sent_tools(
    model: str, parameters: ModelRequestParameters, rules: ProviderRules
) -> tuple[ModelRequestParameters, Names]:
    """Return the parameters with the tools as they are sent, and the names of properties that differ."""
    names = dict[str, Mapping[str, str]]()
    functions = [_sent(model, tool, rules, names) for tool in parameters.function_tools]
    outputs = [_sent(model, tool, rules, names) or tool for tool in parameters.output_tools]
    kept = [tool for tool in functions if tool is not None]
    pairs = zip([*kept, *outputs], [*parameters.function_tools, *parameters.output_tools], strict=False)
    if len(kept) == len(functions) and all(tool is old for tool, old in pairs):
        return parameters, {}
    return replace(parameters, function_tools=kept, output_tools=outputs), names


def without_refused(model: str, error: Exception, parameters: ModelRequestParameters) -> ModelRequestParameters | None:
    """Return the parameters without the tool that a refusal is about; None: it names none."""
    text = _words_of(error)
    tools = parameters.function_tools
    if not text or not _ABOUT_TOOLS.search(text):
        return None
    place = next((int(found[1]) for pattern in _PLACES if (found := pattern.search(text))), None)
    quoted = [tool for tool in tools if re.search(rf"['\"`]{re.escape(tool.name)}['\"`]", text)]
    refused = quoted[0] if quoted else tools[place] if place is not None and place < len(tools) else None
    if refused is None:
        return None
    _REFUSED[model, _key_of(refused)] = None
    while len(_REFUSED) > _MOST_REFUSED:
        del _REFUSED[next(iter(_REFUSED))]
    _note(model, refused.name, cut(text, _SHOWN_CHARS))
    return replace(parameters, function_tools=[tool for tool in tools if tool is not refused])


def with_sent_names(messages: list[ModelMessage], names: Names) -> list[ModelMessage]:
    """Return the messages whose calls have the names of properties that are sent."""
    if not names:
        return messages
    sent = {tool: {own: name for name, own in of_tool.items()} for tool, of_tool in names.items()}
    return [
        with_parts(one, [with_names(part, sent) if isinstance(part, ToolCallPart) else part for part in one.parts])
        if isinstance(one, ModelResponse)
        else one
        for one in messages
    ]


def with_names(call: ToolCallPart, names: Names) -> ToolCallPart:
    """Return the call with these names of properties; arguments that cannot be read stay."""
    of_tool = names.get(call.tool_name)
    if not of_tool or not call.args:
        return call
    try:
        arguments = json.loads(call.args) if isinstance(call.args, str) else call.args
    except ValueError:
        return call
    made = renamed(arguments, of_tool)
    if made is arguments:
        return call
    return replace(call, args=json.dumps(made, ensure_ascii=False) if isinstance(call.args, str) else made)


def _sent(
    model: str, tool: ToolDefinition, rules: ProviderRules, names: dict[str, Mapping[str, str]]
) -> ToolDefinition | None:
    """Return the tool as it is sent; None: it is left out."""
    if _REFUSED and (model, _key_of(tool)) in _REFUSED:
        return None
    schema = tool.parameters_json_schema
    try:
        known, found = _TAKEN.get((id(schema), rules), (None, None))
        if found is None or known is not schema:
            if len(_TAKEN) >= _KEPT:
                _TAKEN.clear()
            found = taken_schema(schema, rules)
            _TAKEN[id(schema), rules] = schema, found
    except SchemaFaultError as error:
        _note(model, tool.name, str(error))
        return None
    if found.names:
        names[tool.name] = found.names
    if found.schema is schema:
        return tool
    description = "\n\n".join(filter(None, (tool.description, found.note)))
    return replace(tool, parameters_json_schema=found.schema, description=description)


def _key_of(tool: ToolDefinition) -> str:
    return f"{tool.name} {digest(tool.parameters_json_schema)}"


def _note(model: str, tool: str, fault: str) -> None:
    if (model, tool, fault) not in _LOGGED:
        if len(_LOGGED) >= _MOST_REFUSED:
            _LOGGED.clear()
        _LOGGED[model, tool, fault] = None
        _log.warning("model %s is not sent tool %s: %s", model, tool, fault)


def _words_of(error: Exception) -> str:
    """Return what a provider has said of a request that it refuses for good; empty: nothing."""
    if isinstance(error, FallbackExceptionGroup):
        return "; ".join(filter(None, (_words_of(one) for one in error.exceptions if isinstance(one, Exception))))
    if isinstance(error, ModelAuthenticationError) or not isinstance(error, ModelRequestRejectedError):
        return ""
    return str(error)
