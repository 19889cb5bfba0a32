"""`durable(agent)`: converts an agent of pydantic-ai for a registry.

Invariant: settings that cannot be kept between two pieces of a run are refused here, by name and with the remedy, as
far as they can be seen before a run. Must not: change the agent.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pydantic_ai import Agent as PydanticAIAgent
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.usage import UsageLimits

from baton.sdk.agents.agent import Agent
from baton.sdk.libraries.library_runner import OfJob, check_factories, library_agent
from baton.sdk.pydantic_ai.runner import PydanticAIRunner
from baton.sdk.pydantic_ai.stopping import may_do
from baton.sdk.records.call_limit import CallLimit
from baton.sdk.records.limits import Limits

if TYPE_CHECKING:
    from baton.sdk.memory.policy import Memory
    from baton.sdk.records.budget import Budget


def durable(  # noqa: PLR0913 - settings, each given by its name
    agent: PydanticAIAgent[Any, Any],
    *,
    name: str | None = None,
    deps: OfJob | None = None,
    prompt: OfJob | None = None,
    limits: Limits | None = None,
    usage_limits: UsageLimits | None = None,
    workspace: OfJob | None = None,
    description: str = "",
    on: str = "",
    task: str = "",
    version: str = "",
    memory: "Memory | bool | None" = None,
    expose: Collection[str] = (),
    call_limits: Sequence[CallLimit] = (),
    budgets: "Sequence[Budget]" = (),
) -> Agent:
    """Make an agent of pydantic-ai durable: each model request and each tool call is a step of a job.

    Args:
        agent: it is neither copied nor changed.
        name: the job's type; the agent's name, unless given.
        deps: called with a `JobInfo` whenever a run is opened, returns the dependencies, which are never stored.
        prompt: called with a `JobInfo` before the first request, returns the user prompt; else it is the task's text.
        limits: limits of a job, together with the jobs below it; without them, those of the library alone, and a day.
        usage_limits: as `agent.run` takes them; without them, those of `agent.run`: 50 requests, and an error beyond.
        workspace: called with a `JobInfo` whenever a run is opened, returns the workspace as `agent.run` takes it,
            which is never destroyed. Else a job has one of its own, if a capability makes any, until it has ended.
        description: its purpose in a line, for agents that have it among their tools.
        on: the name of an app event: each such event starts a job, whose data (`JobInfo.input_data`) is the event's.
        task: the task of such a job.
        version: its name among versions, as `Agent(version=…)`.
        memory: its memory of earlier jobs, which the model is told before the task: a `Memory`, or True.
        expose: protocols by which other programs find and run it, as `Agent(expose=…)`.
        call_limits: limits of its model requests, shared by all calls with the same key.
        budgets: what its model requests may spend, shared by all calls with the same key.

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: it has no name or no model, or something that a durable run cannot keep.
    """
    if not isinstance(agent, PydanticAIAgent):
        raise TypeError(f"durable(agent): {agent!r} is not a pydantic_ai.Agent; give it the agent itself")
    named = name or agent.name
    check_factories(named, {"deps": deps, "prompt": prompt, "workspace": workspace})
    return library_agent(
        named,
        PydanticAIRunner(agent, deps, prompt, usage_limits, workspace),
        list(_faults(agent)),
        limits=limits,
        description=description,
        on=on,
        task=task,
        version=version,
        memory=memory,
        expose=expose,
        call_limits=call_limits,
        budgets=budgets,
    )


def _faults(agent: PydanticAIAgent[Any, Any]) -> Iterator[str]:
    if agent.model is None and not may_do(agent, "get_model"):
        yield "it has no model; give one: Agent('openai:gpt-5-mini', …)"
    capabilities: list[AbstractCapability[Any]] = []
    agent.root_capability.apply(capabilities.append)
    for kind in map(type, capabilities):
        if any(_is_engine(one) for one in kind.__mro__):
            yield f"capability {kind.__name__} belongs to another engine; leave it out"


def _is_engine(kind: type[Any]) -> bool:
    return kind.__module__.startswith("pydantic_ai.durable_exec")
