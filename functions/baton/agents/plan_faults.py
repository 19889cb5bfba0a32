"""What is wrong with how an agent plans: with its fixed plan, or with what its planner could plan with.

Invariant: an agent without faults here can give its plan and its answer within its own limits.
"""

from collections.abc import Iterator, Mapping

from baton.agents.agent import Agent
from baton.agents.model_choice import chosen_models
from baton.planning.plan import PLAN_TOOL
from baton.planning.step import static_faults
from baton.tools.tool import Tool

# One that gives the plan, and one that gives the answer.
_TURNS = 2


def agent_plan_faults(agent: Agent, tools: Mapping[str, Tool]) -> Iterator[str]:
    """All faults, one line each; `tools` are the agent's."""
    if agent.plan:
        yield from (f"plan: {fault}" for fault in _static_faults(agent, tools))
    elif agent.mode == "plan":
        if not tools:
            yield "mode='plan' needs tools for the steps of its plans; add some"
        if PLAN_TOOL in tools:
            yield f"in mode='plan' no tool may be named {PLAN_TOOL!r}; rename it"


def _static_faults(agent: Agent, tools: Mapping[str, Tool]) -> Iterator[str]:
    if chosen_models(agent.model):
        yield "it is fixed, so the agent asks no model: leave model out, or leave plan out and write mode='plan'"
    if agent.output is not None:
        yield "its last steps' results are the answer, so output_type has no effect: leave it out"
    if agent.limits.turns < _TURNS:
        yield f"Limits(turns={agent.limits.turns}) leaves no turn for the answer; allow {_TURNS}"
    yield from static_faults(agent.plan, tools, agent.limits.tool_calls)
