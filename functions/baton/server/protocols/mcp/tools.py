"""Exposed agents as tools of MCP: their entries in the list, and the submission of a call.

Invariant: a tool shows only its agent's purpose, input and output. An argument that is not named here is data of the
job. Must not: run anything.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.planning.reference import TASK, InvalidReference, recorded, references
from baton.server.api.jobs.submission import SubmitBody
from baton.server.api.problem import invalid
from baton.server.protocols.mcp.body import INVALID_PARAMS, RpcError

PROTOCOL = "mcp"
# A client keeps the list this long: a deploy may change it.
LIST_TTL_MS = 300_000
_TASK, _SESSION = "task", "sessionId"
_PROPERTIES = {
    _TASK: {"type": "string", "description": "what it is to do, in words that make sense by themselves"},
    _SESSION: {
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "description": "a name of your own for a conversation: calls with the same one know what was said before",
    },
}


def exposed_agents(registry: Registry) -> dict[str, Agent]:
    """Return the agents that are tools here, by name."""
    return {agent.name: agent for agent in registry.agents if PROTOCOL in agent.expose}


def tool_named(registry: Registry, name: str) -> Agent:
    """Return the agent behind a tool. Raises RpcError: no exposed agent has that name."""
    exposed = exposed_agents(registry)
    if name not in exposed:
        listed = ", ".join(exposed) or "none: write Agent(expose='mcp')"
        raise RpcError(INVALID_PARAMS, f"unknown tool {name[:80]!r}; there are: {listed}")
    return exposed[name]


def tool_of(agent: Agent, *, modern: bool) -> dict[str, Any]:
    """Build an agent's entry of `tools/list`."""
    tool = {
        "name": agent.name,
        "description": agent.description.strip() or f"Give a task to the agent {agent.name}.",
        "inputSchema": _schema_of(agent),
    }
    if agent.output is not None and (modern or agent.output.spec.parameters.get("type") == "object"):
        tool["outputSchema"] = dict(agent.output.spec.parameters)
    return tool if modern else tool | {"execution": {"taskSupport": "optional"}}


def _schema_of(agent: Agent) -> dict[str, Any]:
    """Return an agent's input schema: a fixed plan takes named fields; others take a text, and any data beside it."""
    taken = set(_taken_by_plan(agent))
    fields = sorted({str(path[1]) for path in taken if path[0] == "data" and len(path) > 1} - _PROPERTIES.keys())
    schema = {"type": "object", "properties": _PROPERTIES | {name: {} for name in fields}}
    required = ([_TASK] if ("text",) in taken else []) + fields
    return schema | ({"required": required} if required else {} if agent.plan else {"minProperties": 1})


def _taken_by_plan(agent: Agent) -> Iterator[tuple[str | int, ...]]:
    for step in agent.plan:
        try:
            yield from (found.path for _, found in references(recorded(step.arguments)) if found.step == TASK)
        except InvalidReference as error:  # the registry refuses such a plan
            raise AssertionError(error) from error


class ArgumentsError(ValueError):
    """The arguments of a call do not fit; a model reads why, and calls again."""


def submission_of(agent: Agent, arguments: Any) -> SubmitBody:
    """Build the submission of a call. Raises ArgumentsError: the arguments do not fit."""
    given: Mapping[str, Any] = arguments if isinstance(arguments, dict) else {}
    if not isinstance(arguments, dict | None):
        raise ArgumentsError(f"arguments must be an object, got {str(arguments)[:80]!r}")
    data = {name: value for name, value in given.items() if name not in _PROPERTIES}
    missing = [name for name in _schema_of(agent).get("required", ()) if given.get(name) is None]
    text = given.get(_TASK)
    if missing or not (text or data or agent.plan):
        raise ArgumentsError(f"the arguments lack {', '.join(missing) or _TASK}")
    fields = {"jobType": agent.name, "taskDescription": text or "", "inputData": data}
    try:
        return SubmitBody.model_validate(fields | {name: given[name] for name in (_SESSION,) if name in given})
    except ValidationError as error:
        raise ArgumentsError(str(invalid(error, "arguments")).replace("taskDescription", _TASK)) from error
