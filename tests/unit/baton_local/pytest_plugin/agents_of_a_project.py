"""Agents as a project would have them: one that answers, one that waits."""

from baton import Agent, Call, Pending, Registry, ScriptedModel, tool


@tool
def greet() -> str:
    """Greet."""
    return "hello"


@tool
def ask() -> Pending:
    """Ask somebody who answers later."""
    return Pending(timeout_seconds=3600)


registry = Registry(
    agents=[
        Agent(name="greeter", model=ScriptedModel([[Call("greet", {})], "hello"]), tools=[greet]),
        Agent(name="asker", model=ScriptedModel([[Call("ask", {})], "answered"]), tools=[ask]),
    ]
)
