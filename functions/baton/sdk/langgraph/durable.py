"""`durable(agent)`: converts an agent of LangChain's `create_agent` for a registry.

Invariant: what cannot be kept between two pieces of a run is refused here, by name and with the remedy. Must not:
change the agent.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from langgraph.graph.state import CompiledStateGraph

from baton.sdk.agents.agent import Agent
from baton.sdk.langgraph.run_state import MESSAGES
from baton.sdk.langgraph.runner import MODEL, TOOLS, LangGraphRunner
from baton.sdk.libraries.library_runner import OfJob, check_factories, library_agent
from baton.sdk.records.call_limit import CallLimit
from baton.sdk.records.limits import Limits

if TYPE_CHECKING:
    from baton.sdk.memory.policy import Memory
    from baton.sdk.records.budget import Budget

_UNNAMED = "LangGraph"  # the name of a graph that was given none
_ENDS = {"__start__", MODEL, TOOLS}


def durable(  # noqa: PLR0913 - settings, each given by its name
    agent: CompiledStateGraph[Any, Any, Any, Any],
    *,
    name: str | None = None,
    context: OfJob | None = None,
    state: OfJob | None = None,
    limits: Limits | None = None,
    description: str = "",
    on: str = "",
    task: str = "",
    version: str = "",
    memory: "Memory | bool | None" = None,
    expose: Collection[str] = (),
    call_limits: Sequence[CallLimit] = (),
    budgets: "Sequence[Budget]" = (),
) -> Agent:
    """Make an agent of `create_agent` durable: each model request and each tool call is a step of a job.

    Args:
        agent: it is not changed.
        name: the job's type; the agent's name, unless given.
        context: called with a `JobInfo` for each piece of work, returns the context, which is never stored.
        state: called with a `JobInfo` before the first request, returns further input, such as channels of middleware.
        limits: limits of a job, together with the jobs below it; without them, those of the graph alone, and a day.
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
        ValueError: it has something that a durable run cannot keep.
    """
    if not isinstance(agent, CompiledStateGraph):
        raise TypeError(f"durable(agent): {agent!r} is no agent of langchain.agents.create_agent; give it the agent")
    own = "" if agent.name == _UNNAMED else agent.name
    named = name or own
    check_factories(named, {"context": context, "state": state})
    return library_agent(
        named,
        LangGraphRunner(agent, context, state),
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


def _faults(agent: CompiledStateGraph[Any, Any, Any, Any]) -> Iterator[str]:
    others = [node for node in agent.nodes if node not in _ENDS and "." not in node]
    if MODEL not in agent.nodes or MESSAGES not in agent.channels or others:
        yield "it is no agent of create_agent; make its nodes tools of one, or steps of a workflow"
    if agent.checkpointer is not None:
        yield f"{type(agent.checkpointer).__name__} keeps its state, which the job does; leave out checkpointer="
    for stops in ("interrupt_before_nodes", "interrupt_after_nodes"):
        if getattr(agent, stops):
            yield f"{stops.removesuffix('_nodes')} stops its runs, which nobody would continue; leave it out"
