"""`durable(agent)`: converts an agent of LangChain's `create_agent` for a registry.

Invariant: what cannot be kept between two pieces of a run is refused here, by name and with the remedy. Must not:
change the agent.
"""

from collections.abc import Iterator
from typing import Any, Unpack

from langgraph.graph.state import CompiledStateGraph

from baton.sdk.agents.agent import Agent
from baton.sdk.langgraph.run_state import MESSAGES
from baton.sdk.langgraph.runner import MODEL, TOOLS, LangGraphRunner
from baton.sdk.libraries.library_runner import JobSettings, OfJob, check_factories, library_agent, with_settings

_UNNAMED = "LangGraph"  # the name of a graph that was given none
_ENDS = {"__start__", MODEL, TOOLS}


@with_settings
def durable(
    agent: CompiledStateGraph[Any, Any, Any, Any],
    *,
    name: str | None = None,
    context: OfJob | None = None,
    state: OfJob | None = None,
    **settings: Unpack[JobSettings],
) -> Agent:
    """Make an agent of `create_agent` durable: each model request and each tool call is a step of a job.

    Args:
        agent: it is not changed.
        name: the job's type; the agent's name, unless given.
        context: called with a `JobInfo` for each piece of work, returns the context, which is never stored.
        state: called with a `JobInfo` before the first request, returns further input, such as channels of middleware.

    Raises:
        TypeError: a value is of the wrong type.
        ValueError: it has something that a durable run cannot keep.
    """
    if not isinstance(agent, CompiledStateGraph):
        raise TypeError(f"durable(agent): {agent!r} is no agent of langchain.agents.create_agent; give it the agent")
    own = "" if agent.name == _UNNAMED else agent.name
    named = name or own
    check_factories(named, {"context": context, "state": state})
    runner = LangGraphRunner(agent, context, state)
    return library_agent(named, runner, list(_faults(agent)), **settings)


def _faults(agent: CompiledStateGraph[Any, Any, Any, Any]) -> Iterator[str]:
    others = [node for node in agent.nodes if node not in _ENDS and "." not in node]
    if MODEL not in agent.nodes or MESSAGES not in agent.channels or others:
        yield "it is no agent of create_agent; make its nodes tools of one, or steps of a workflow"
    if agent.checkpointer is not None:
        yield f"{type(agent.checkpointer).__name__} keeps its state, which the job does; leave out checkpointer="
    for stops in ("interrupt_before_nodes", "interrupt_after_nodes"):
        if getattr(agent, stops):
            yield f"{stops.removesuffix('_nodes')} stops its runs, which nobody would continue; leave it out"
