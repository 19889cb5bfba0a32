"""`durable(agent)`: converts an agent of pydantic-ai for a registry.

Invariant: settings that cannot be kept between two pieces of a run are refused here, by name and with the remedy, as
far as they can be seen before a run. Must not: change the agent.
"""

from collections.abc import Iterator
from typing import Any, Unpack

from pydantic_ai import Agent as PydanticAIAgent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.usage import UsageLimits

from baton.sdk.agents.agent import Agent
from baton.sdk.libraries.library_runner import JobSettings, OfJob, check_factories, library_agent, with_settings
from baton.sdk.pydantic_ai.runner import PydanticAIRunner
from baton.sdk.pydantic_ai.stopping import may_do


@with_settings
def durable(
    agent: PydanticAIAgent[Any, Any],
    *,
    name: str | None = None,
    deps: OfJob | None = None,
    prompt: OfJob | None = None,
    usage_limits: UsageLimits | None = None,
    workspace: OfJob | None = None,
    **settings: Unpack[JobSettings],
) -> Agent:
    """Make an agent of pydantic-ai durable: each model request and each tool call is a step of a job.

    Args:
        agent: it is neither copied nor changed.
        name: the job's type; the agent's name, unless given.
        deps: called with a `JobInfo` whenever a run is opened, returns the dependencies, which are never stored.
        prompt: called with a `JobInfo` before the first request, returns the user prompt; else it is the task's text.
        usage_limits: as `agent.run` takes them; without them, those of `agent.run`: 50 requests, and an error beyond.
        workspace: called with a `JobInfo` whenever a run is opened, returns the workspace as `agent.run` takes it,
            which is never destroyed. Else a job has one of its own, if a capability makes any, until it has ended.

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: it has no name or no model, or something that a durable run cannot keep.
    """
    if not isinstance(agent, PydanticAIAgent):
        raise TypeError(f"durable(agent): {agent!r} is not a pydantic_ai.Agent; give it the agent itself")
    named = name or agent.name
    check_factories(named, {"deps": deps, "prompt": prompt, "workspace": workspace})
    runner = PydanticAIRunner(agent, deps, prompt, usage_limits, workspace)
    return library_agent(named, runner, list(_faults(agent)), **settings)


def _faults(agent: PydanticAIAgent[Any, Any]) -> Iterator[str]:
    if agent.model is None and not may_do(agent, "get_model"):
        yield "it has no model; give one: Agent('openai:gpt-5-mini', …)"
    capabilities: list[AbstractCapability[Any]] = []
    agent.root_capability.apply(capabilities.append)
    for kind in map(type, capabilities):
        if any(one.__module__.startswith("pydantic_ai.durable_exec") for one in kind.__mro__):
            yield f"capability {kind.__name__} belongs to another engine; leave it out"
