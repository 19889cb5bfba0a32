"""A process dies at any point of an agent of a library: the job's result, messages and effects are as if it had not."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from baton import Agent, Registry, as_tool
from baton.testing import Approve, Reject, Simulation
from tests.unit.baton.sdk.langgraph import example_agents as of_langgraph
from tests.unit.baton.sdk.langgraph import test_examples as langgraph_runs
from tests.unit.baton.sdk.libraries.kinds import KINDS, Script
from tests.unit.baton.sdk.openai_agents import example_agents as of_openai
from tests.unit.baton.sdk.openai_agents import test_examples as openai_runs
from tests.unit.baton.sdk.pydantic_ai.documented_features import DOCUMENTED

# What libraries leave of a run whose process dies in the middle of it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:coroutine '(RunResultStreaming|AsyncCallbackManager)"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
# Of each library, how a case becomes a job, and its cases.
JOBS: Mapping[str, tuple[Callable[[Any], Agent], Mapping[str, Callable[[], Any]]]] = {
    "pydantic_ai": (lambda case: case.durable(), DOCUMENTED),
    "openai_agents": (openai_runs.as_job, of_openai.EXAMPLES),
    "langgraph": (langgraph_runs.as_job, of_langgraph.EXAMPLES),
}
QUICK = {"pydantic_ai sequential_tool", "openai_agents routing", "langgraph parallel_tools"}
NAMES = [f"{library} {name}" for library, (_, examples) in JOBS.items() for name in examples]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.long) for name in NAMES]
)
async def test_each_crash_point_leads_to_what_a_run_leads_to(name: str) -> None:
    library, _, example = name.partition(" ")
    as_job, examples = JOBS[library]
    case = examples[example]()
    agent = as_job(case)
    decision = Reject("too dear") if getattr(case, "refuses", False) else Approve()
    simulation = Simulation(Registry([agent]), fresh=getattr(case, "fresh", None))
    report = await simulation.crash_everywhere(agent.name, "do it", decide=lambda _: decision)
    report.check()
    assert len(report.points) >= 8


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.long
async def test_an_effect_is_repeated_with_its_key_or_not_at_all(kind: str) -> None:
    """Also of a call that a person approves after a crash, and of one in a job below."""

    async def pay(euros: int) -> str:
        """Pay."""
        Simulation.effect(f"pay {euros}")
        return f"paid {euros}"

    async def spend(euros: int) -> str:
        """Spend."""
        Simulation.effect(f"spend {euros}")
        return f"spent {euros}"

    inner = replace(KINDS[kind](Script([[("spend", {"euros": 2})], "two"], [spend], asks=["spend"])), name="inner")
    turns: list[Any] = [[("inner", {"task": "pay"}), ("pay", {"euros": 1})], "both"]
    script = Script(turns, [inner if kind == "own" else as_tool(inner), pay], asks=["pay"])
    simulation = Simulation(Registry([KINDS[kind](script), inner]))
    report = await simulation.crash_everywhere("job", "go", decide=lambda _: Approve())
    report.check()
    assert report.usual.result["answer"] == "both"
    assert [text in str(script.read[-1]) for text in ("two", "paid 1")] == [True, True]
    assert len(report.points) >= 30
