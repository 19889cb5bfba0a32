"""Agents with pydantic-ai's own capabilities, as far as no other documented agent has them."""

from typing import Any

from pydantic_ai import Agent, BinaryContent, ModelProfile, RunContext, Tool
from pydantic_ai.capabilities import (
    Caching,
    Capability,
    Citations,
    FileUnderstanding,
    Instrumentation,
    RaiseContentFilterError,
    ToolSearch,
)
from pydantic_ai.models.function import FunctionModel

from tests.unit.baton.sdk.pydantic_ai.documented_agents import Case, add, cases_in
from tests.unit.baton.sdk.pydantic_ai.played import call, scripted


def tea(leaves: int) -> str:
    return f"a cup of {leaves}"


def settings_and_spans() -> Case:
    """What asks a provider for something, or only looks."""
    capabilities = [Caching(), Citations(), RaiseContentFilterError(), Instrumentation()]
    turns = ([call("add", a=1, b=2)], [call("add", a=3, b=4)], "3 7")
    return Case(Agent(scripted(*turns), tools=[add], capabilities=capabilities))


def tools_that_are_searched() -> Case:
    turns = ([call("search_tools", queries=["tea"])], [call("tea", leaves=2), call("add", a=1, b=2)], "a cup")
    tools = [Tool[None](add), Tool[None](tea, description="Makes tea.", defer_loading=True)]
    return Case(Agent(scripted(*turns), tools=tools, capabilities=[ToolSearch(max_results=1)]))


def capability_that_is_loaded() -> Case:
    kitchen = Capability[Any](
        id="kitchen", description="Makes tea.", instructions="Be careful.", tools=[tea], defer_loading=True
    )
    turns = ([call("load_capability", id="kitchen")], [call("tea", leaves=2)], [call("tea", leaves=3)], "two cups")
    return Case(Agent(scripted(*turns), capabilities=[kitchen]))


def capability_by_a_function() -> Case:
    def kitchen(ctx: RunContext[str]) -> Capability[str]:
        return Capability(instructions=f"Serve {ctx.deps}.", tools=[tea])

    model = scripted([call("tea", leaves=2)], [call("tea", leaves=3)], "two cups")
    return Case(Agent(model, deps_type=str, capabilities=[kitchen]), deps="Ann")


def files_that_another_model_describes() -> Case:
    script: Any = scripted([call("add", a=1, b=2)], "a dot, 3").function
    blind = FunctionModel(script, profile=ModelProfile(supports_image_input=False))
    prompt = ["What is this?", BinaryContent(b"\x89PNG a dot", media_type="image/png")]
    return Case(Agent(blind, tools=[add], capabilities=[FileUnderstanding(scripted("a dot"))]), prompt=prompt)


CAPABILITIES = cases_in(globals())
