"""`durable(agent)`: converts an agent of the OpenAI Agents SDK for a registry.

Invariant: what cannot be kept between two pieces of a run is refused here, by name and with the remedy. Must not:
change the agent.
"""

from collections.abc import Iterator
from typing import Any, Unpack

import agents as sdk

from baton.sdk.agents.agent import Agent
from baton.sdk.libraries.library_runner import JobSettings, OfJob, check_factories, library_agent, with_settings
from baton.sdk.openai_agents.piece import agents_below
from baton.sdk.openai_agents.runner import OpenAIRunner


@with_settings
def durable(
    agent: sdk.Agent[Any],
    *,
    name: str | None = None,
    context: OfJob | None = None,
    max_turns: int | None = None,
    hooks: Any = None,
    run_config: sdk.RunConfig | None = None,
    **settings: Unpack[JobSettings],
) -> Agent:
    """Make an agent of the SDK durable: each model request and each tool call is a step of a job.

    Args:
        agent: it is not changed.
        name: the job's type; the agent's name, unless given.
        context: called with a `JobInfo` for each piece of work, returns the context, which is never stored.
        max_turns: as `Runner.run` takes it; without it, that of the SDK: 10 requests, and an error beyond.
        hooks: as `Runner.run` takes them.
        run_config: as `Runner.run` takes it.

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: it has something that a durable run cannot keep.
    """
    if not isinstance(agent, sdk.Agent):
        raise TypeError(f"durable(agent): {agent!r} is not an agents.Agent; give it the agent itself")
    named = name or agent.name
    check_factories(named, {"context": context})
    runner = OpenAIRunner(agent, context, max_turns, hooks, run_config)
    return library_agent(named, runner, list(_faults(agent)), **settings)


def _faults(root: sdk.Agent[Any]) -> Iterator[str]:
    found = agents_below(root)
    names = [agent.name for agent in found]
    for twice in sorted({one for one in names if names.count(one) > 1}):
        yield f"two agents that it may hand off to are named {twice!r}; rename one"
    for agent in found:
        for tool in agent.tools:
            if not isinstance(tool, sdk.FunctionTool):
                kind = type(tool).__name__
                yield f"{kind} {tool.name!r} of {agent.name!r} does not run here; make it a function tool"
            if (inner := getattr(tool, "_agent_instance", None)) and (asking := next(_asking(inner), "")):
                yield (
                    f"{tool.name!r} of {agent.name!r} runs {inner.name!r} within a call, whose {asking!r} a person"
                    f" approves; register that agent, and give function_tool(as_tool(durable({inner.name})))"
                )
        if type(agent) is not sdk.Agent and type(agent).__module__.startswith("agents."):
            yield f"{agent.name!r} is a {type(agent).__name__}, which holds a process; make it an Agent"


def _asking(root: sdk.Agent[Any]) -> Iterator[str]:
    """Yield the tools and servers of an agent, and of all below it, whose calls may need an approval."""
    for agent in agents_below(root):
        yield from (server.name for server in agent.mcp_servers if vars(server).get("_needs_approval_policy"))
        for tool in agent.tools:
            if getattr(tool, "needs_approval", False):
                yield tool.name
            elif inner := getattr(tool, "_agent_instance", None):
                yield from _asking(inner)
