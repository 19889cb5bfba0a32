"""An agent in another agent's `tools`: a tool of its name, whose call is a job of that agent below the caller's.

Invariant: in one registry an agent is one tool, however many agents use it. Must not: run anything; the tool only says
which job is to be started.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from baton.agents.agent import Agent
from baton.tools.context import ToolContext
from baton.tools.pending import Pending
from baton.tools.tool import TOOL_NAME, Tool, tool

Task = Annotated[str, Field(min_length=1, max_length=20_000)]


def agent_tool(agent: Agent) -> Tool:
    """The tool that gives an agent a task; its result is the agent's answer, its error the agent's failure."""

    @tool(name=agent.name)
    async def give(task: Task, ctx: ToolContext) -> Pending:
        """Give a task to the agent.

        Args:
            task: what it is to do, in words that make sense without this conversation.
            ctx: the call.
        """
        return ctx.start(agent.name, task)

    return replace(give, description=_description(agent))


def own_tools(agents: Sequence[Agent]) -> Mapping[Agent, tuple[Tool, ...]]:
    """Each agent's own tools, the agents among them as tools; those that cannot be one are left out."""
    used = dict.fromkeys(item for agent in agents for item in agent.tools if isinstance(item, Agent))
    made = {item: agent_tool(item) for item in used if TOOL_NAME.fullmatch(item.name)}
    return {
        agent: tuple(made[item] if isinstance(item, Agent) else item for item in agent.tools if _is_tool(item, made))
        for agent in agents
    }


def agent_tool_faults(agents: Sequence[Agent]) -> Iterator[str]:
    """What is wrong with agents in `tools`, a line each."""
    for agent in agents:
        for item in agent.tools:
            if not isinstance(item, Agent):
                continue
            if item not in agents:
                yield (
                    f"agent {agent.name!r}: its tool {item.name!r} is an agent that is not registered;"
                    " add it to Registry(agents=[...])"
                )
            if not TOOL_NAME.fullmatch(item.name):
                yield (
                    f"agent {agent.name!r}: agent {item.name!r} cannot be a tool, whose name is 1 to 64 letters,"
                    " digits, '_' or '-'; rename it"
                )


def _is_tool(item: Tool | Agent, made: Mapping[Agent, Tool]) -> bool:
    return not isinstance(item, Agent) or item in made


def _description(agent: Agent) -> str:
    first_line = next(iter(agent.instructions.strip().splitlines()), "")
    return agent.description.strip() or first_line.strip() or f"Give a task to the agent {agent.name!r}."
