"""A registry that exists is consistent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from baton.sdk.agents.agent import Agent
from baton.sdk.agents.history import Summarize
from baton.sdk.agents.registry import Registry, RegistryError, UnknownAgentError, UnknownToolError
from baton.sdk.models.catalog import available_models, model_fault
from baton.sdk.models.chain import ModelChain
from baton.sdk.models.demo import DemoModel
from baton.sdk.models.scripted import ScriptedModel
from baton.sdk.tools.tool import Tool, tool

DONE = ScriptedModel(["done"])


class City(BaseModel):
    """An output."""

    name: str


def make(name: str, *capabilities: str) -> Tool:
    @tool(name=name, capabilities=set(capabilities))
    def function(text: str) -> str:
        """Do it."""
        return text

    return function


READ, SEARCH, FETCH = make("read", "files"), make("search", "files", "web"), make("fetch", "web")


def test_an_agent_may_name_tools_or_capabilities_or_both() -> None:
    """Own ones first; a tool that it finds both ways is one tool."""
    listing, mailing = make("list_files", "files"), make("send_mail", "mail", "files")
    agents = [
        Agent("by-name", model=DONE, tools=[mailing]),
        Agent("by-capability", model=DONE, capabilities={"mail"}),
        Agent("by-both", model=DONE, tools=[SEARCH, mailing], capabilities={"files"}),
        Agent("by-two-capabilities", model=DONE, capabilities={"files", "mail"}),
        Agent("none", model=DONE),
    ]
    registry = Registry(agents, tools=[listing, mailing])
    assert {agent.name: list(registry.tools_of(agent)) for agent in agents} == {
        "by-name": ["send_mail"],
        "by-capability": ["send_mail"],
        "by-both": [SEARCH.name, "send_mail", "list_files"],
        "by-two-capabilities": ["list_files", "send_mail", SEARCH.name],
        "none": [],
    }


def test_a_named_model_is_made_once_and_only_when_wanted() -> None:
    """A function that runs tools never makes one."""
    registry = Registry(agents=[Agent("a", model="demo"), Agent("b", model="demo"), Agent("c", model=DONE)])
    assert registry._models == {}
    assert isinstance(registry.model_of("a"), DemoModel)
    assert registry.model_of("a") is registry.model_of("b")
    assert registry.model_of("c") is DONE


def test_summaries_are_written_by_the_agents_own_model_unless_another_is_named() -> None:
    """By name or as an object; agents that do not summarize have their own, too."""
    other = ScriptedModel(["in short"])
    policies = {"a": Summarize(1_000), "b": Summarize(1_000, model=other), "c": Summarize(1_000, model="demo")}
    agents = [Agent(name, model=DONE, history=policy) for name, policy in policies.items()]
    registry = Registry(agents=[*agents, Agent("d", model=DONE)])
    assert [registry.summarizer_of(name) for name in "abd"] == [DONE, other, DONE]
    assert isinstance(registry.summarizer_of("c"), DemoModel)


def test_several_models_are_one_that_asks_in_turn() -> None:
    registry = Registry(agents=[Agent("a", model=["demo", DONE]), Agent("b", model="demo"), Agent("c", model=["demo"])])
    chain = registry.model_of("a")
    assert isinstance(chain, ModelChain)
    assert chain.name == "demo, scripted"
    assert registry.model_of("c") is registry.model_of("b")


def test_no_tool_of_an_agent_with_an_output_type_is_named_as_the_final_one() -> None:
    """The model could not tell them apart."""
    final = make("final_result", "end")
    Registry(agents=[Agent("a", model=DONE, tools=[final])])
    with pytest.raises(RegistryError, match="no tool of its may be named 'final_result'; rename it"):
        Registry(agents=[Agent("a", model=DONE, capabilities={"end"}, output_type=City)], tools=[final])


def test_all_faults_are_reported_in_one_error() -> None:
    """So that they are corrected in one go, when the registry is made."""
    with pytest.raises(RegistryError) as caught:
        Registry(
            agents=[
                Agent("a", model="opnai:gpt-5", tools=[READ], capabilities={"mail", "files"}),
                Agent("a", model=DONE),
                Agent("b"),
                Agent("c", model=["demo", "gpt-5", "groq:"]),
                Agent("d", model=DONE, history=Summarize(1_000, model="small")),
            ],
            tools=[make("read"), make("pay")],
        )
    assert caught.value.faults == (
        "two agents are named 'a'; a job finds its agent by name, so rename one",
        "agent 'a': no tool has capability 'mail'; there are: files",
        "agent 'a': unknown model 'opnai:gpt-5': there is no provider 'opnai'; did you mean 'openai:gpt-5'?",
        f"agent 'b' has no model; {available_models()}",
        f"agent 'c': unknown model 'gpt-5'; {available_models()}",
        f"agent 'c': {model_fault('groq:')}",
        f"agent 'd': history=Summarize: unknown model 'small'; {available_models()}",
        "two different tools are named 'read'; give one another name with @tool(name=...)",
    )
    assert str(caught.value).startswith("the registry has 8 fault(s):\n- two agents are named 'a'")


def test_unknown_names_are_lookup_errors_that_say_what_exists() -> None:
    registry = Registry(agents=[Agent("a", model=DONE, tools=[READ])])
    with pytest.raises(UnknownAgentError, match="unknown agent 'x'; there are: a") as agent_error:
        registry.agent("x")
    with pytest.raises(UnknownToolError, match="unknown tool 'x'; there are: read") as tool_error:
        registry.tool("x")
    assert isinstance(agent_error.value, LookupError)
    assert isinstance(tool_error.value, LookupError)
    with pytest.raises(UnknownAgentError):
        registry.tools_of("x")
    with pytest.raises(UnknownAgentError):
        registry.model_of(Agent("x", model=DONE))
    with pytest.raises(UnknownAgentError, match="there are: none"):
        Registry().agent("a")


def test_what_is_no_agent_or_no_tool_is_refused() -> None:
    """A function without its decorator, say."""
    with pytest.raises(TypeError, match="is no Agent"):
        Registry(agents=[READ])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    for what, way in ((lambda: 1, "decorate the function with @tool"), (len, "write a function that calls a method")):
        with pytest.raises(TypeError, match=f"is not a tool; {way}"):
            Registry(tools=[what])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["agents", "tools", "handlers", "schedules", "workflows", "budgets"])
def test_one_part_in_place_of_a_list_is_named(name: str) -> None:
    for given in (READ, None, "read"):
        with pytest.raises(TypeError, match=rf"Registry\({name}=...\) must be a list"):
            Registry(**{name: given})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_agents_and_tools_are_found_by_name() -> None:
    """One tool may belong to several agents; a model is told of the same ones, and nobody can change them."""
    agent = Agent("a", model=DONE, tools=[READ])
    registry = Registry(agents=[agent, Agent("b", model=DONE, tools=[READ])], tools=[FETCH, READ])
    assert registry.agent("a") is agent
    assert registry.tool("read") is READ
    assert registry.tools == (FETCH, READ)
    (spec,) = registry.specs_of("a")
    assert (spec.name, spec.description, spec.parameters) == ("read", "Do it.", READ.parameters)
    with pytest.raises(TypeError):
        registry.tools_of("a")["x"] = READ  # type: ignore[index]  # pyright: ignore[reportIndexIssue]


# Whatever a docstring describes to a model, or to people: each alone makes a registry, or is refused.
DECLARED = """
from pydantic_ai import Agent as Other
from pydantic_ai.models.test import TestModel
from baton import Agent, HandlerContext, Registry, ScriptedModel, on, tool, workflow
from baton.pydantic_ai import durable

model = ScriptedModel(["done"])

@tool
def price(item: str) -> int:
    '''Look up what an item costs.'''
    return 3

@workflow
async def refunds(order: str) -> int:
    '''Refund an order.'''
    return await price(order)

@on("order.created")
async def noted(event: dict, ctx: HandlerContext) -> None:
    '''Note it.'''

other = Other(TestModel(), name="other", tools=[price.function])
declared = {
    "agent": dict(agents=[Agent(name="clerk", model=model, tools=[price])]),
    "tool": dict(tools=[price]),
    "workflow": dict(workflows=[refunds]),
    "handler": dict(handlers=[noted]),
    "of a library": dict(agents=[durable(other)]),
}
for name, given in declared.items():
    try:
        Registry(**given)
        print(name, "taken")
    except ValueError as error:
        print(name, str(error).splitlines()[1:])
"""


@pytest.mark.parametrize("level", [*(pytest.param(level, marks=pytest.mark.long) for level in "01"), "2"])
def test_python_without_docstrings_is_refused_at_the_start(tmp_path: Path, level: str) -> None:
    """A model would get tools without a word about them."""
    (file := tmp_path / "declared.py").write_text(DECLARED)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONOPTIMIZE": level, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, str(file)], check=False, env=environment, capture_output=True, text=True)
    said = ran.stdout.splitlines()
    assert (ran.returncode, len(said)) == (0, 5), ran.stderr
    if level != "2":
        assert all(line.endswith(" taken") for line in said), said
        return
    assert all("Python runs with -OO (PYTHONOPTIMIZE=2)" in line for line in said), said
    assert all("descriptions: tool 'price'" in line and "; run it with -O at most" in line for line in said[:3]), said
