"""What the digests of an agent's questions stand for, as its code is now.

Invariant: a digest that is not among these was taken of code that has changed since.
"""

from typing import Any

from baton.agents.planner_turn import PlannerTurn
from baton.agents.registry import Registry, UnknownAgentError
from baton.models.fingerprint import fingerprint, parts_of
from baton.models.model import ModelRequest


def asked_texts(registry: Registry, agent_name: str) -> dict[str, Any]:
    """Instructions, tools, settings and output type by their digests; none for an agent that is gone."""
    try:
        agent = registry.agent(agent_name)
    except UnknownAgentError:
        return {}
    output = agent.output.spec if agent.output else None
    settings = dict(agent.model_settings)
    request = ModelRequest(agent.instructions, (), registry.specs_of(agent), 1, settings=settings, output=output)
    requests = [request]
    if agent.mode == "plan":  # what is asked in its last turn says so
        tools, specs = registry.tools_of(agent), request.tools
        requests = [
            PlannerTurn(agent, tools, specs, made, agent.limits.tool_calls).request(request)
            for made in (0, agent.max_rounds)
        ]
    return {fingerprint(value): value for asked in requests for value in parts_of(asked).values()}
