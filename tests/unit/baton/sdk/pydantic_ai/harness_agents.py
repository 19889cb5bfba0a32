"""Agents with the capabilities of pydantic-ai's harness, each by the name that the guide's table has for it.

Each makes fresh objects, as a process does. `folder` is the workspace; what happens outside of a run is noted.
"""
# pyright: reportMissingImports=false
# As for mypy: the harness is installed in an environment of its own.

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pydantic_ai_harness as harness
from mcp.server import MCPServer
from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability, LocalWorkspace
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart
from pydantic_ai.models import Model
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai_harness.ask_user import AskUserAnswer, AskUserResponse
from pydantic_ai_harness.conversation_search import SnapshotHistorySource
from pydantic_ai_harness.memory import FileStore, InMemoryStore, MemoryStore
from pydantic_ai_harness.repair_tool_arguments import RepairToolArguments
from pydantic_ai_harness.spend import Budget, InMemorySpendStore, SpendEntry
from pydantic_ai_harness.step_persistence import InMemoryStepStore
from pydantic_ai_harness.subagents import AgentOverride
from pydantic_ai_harness.system_reminders import Reminder
from pydantic_ai_harness.tool_call_judge import ToolCallJudge
from pydantic_ai_harness.tool_output_limits import Band, Truncate

from baton.pydantic_ai import hook_context
from tests.unit.baton.sdk.pydantic_ai.capable_agents import Happened, with_tools
from tests.unit.baton.sdk.pydantic_ai.documented_hooks import streamed
from tests.unit.baton.sdk.pydantic_ai.played import Turn, call, scripted


def counted(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Look four times, counted by the last call: earlier ones may be forgotten."""
    made = [part for one in messages if isinstance(one, ModelResponse) for part in one.tool_calls]
    n = made[-1].args_as_dict()["n"] + 1 if made else 1
    return ModelResponse([call("look", f"c{n}", n=n) if n < 5 else TextPart("done")])


Made = Agent[Any, Any]
LOOKS: tuple[Turn, ...] = ([call("look", n=1), call("look", n=2)], [call("look", n=3)], [call("look", n=4)], "done")


class SpentOnce:
    """Counts what a hook adds once, by the hook's key."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.counted = InMemorySpendStore()
        self.get_many = self.counted.get_many

    async def add_many(self, entries: Sequence[SpendEntry]) -> Any:
        key = hook_context().idempotency_key
        return await self.counted.add_many([replace(one, token=f"{key}:{at}") for at, one in enumerate(entries)])


# What is remembered outlives a process.
REMEMBERED, SPENT = InMemoryStore(), SpentOnce()


def forget() -> None:
    """Begin with an empty memory."""
    vars(REMEMBERED).update(vars(InMemoryStore()))
    SPENT.renew()


def agent_with(*capabilities: AbstractCapability[Any], turns: tuple[Turn, ...] = LOOKS, **settings: Any) -> Made:
    return with_tools(Agent(scripted(*turns), name="a", capabilities=capabilities, **settings))


def _forgetful(*capabilities: AbstractCapability[Any]) -> Made:
    return with_tools(Agent(FunctionModel(counted), name="a", capabilities=capabilities))


def in_folder(folder: Path, *capabilities: AbstractCapability[Any], turns: tuple[Turn, ...]) -> Made:
    return agent_with(LocalWorkspace(folder), *capabilities, turns=turns)


def listening_in(folder: Path, *capabilities: AbstractCapability[Any], turns: tuple[Turn, ...]) -> Made:
    return with_tools(Agent(streamed(*turns), name="a", capabilities=[LocalWorkspace(folder), *capabilities]))


def says(text: str) -> Model:
    return scripted(text)


def allowed(happened: Happened) -> Callable[[object], Any]:
    def guard(_: object) -> Any:
        happened.update(["guard"])
        return harness.GuardrailResult.allow()

    return guard


def ask_user(_: Path, __: Happened) -> Made:
    async def answers(request: Any) -> Any:
        return AskUserResponse(
            answers=[AskUserAnswer(header=one.header, selected=[one.options[0].label]) for one in request.questions]
        )

    options = [{"label": "red", "description": "r"}, {"label": "blue", "description": "b"}]
    asks = call("ask_user_question", questions=[{"question": "Which?", "header": "Colour", "options": options}])
    return agent_with(harness.AskUser(answerer=answers), turns=([asks], "done"))


def file_system(folder: Path, _: Happened) -> Made:
    turns = (
        [call("write_file", path="new.txt", content="new")],
        [call("read_file", path="a.txt"), call("list_directory")],
        "done",
    )
    return in_folder(folder, harness.FileSystem(), turns=turns)


def tool_output_limits(_: Path, __: Happened) -> Made:
    return agent_with(harness.ToolOutputLimits(bands=[Band(over=4, action=Truncate(max_chars=4))]))


def sliding_window(_: Path, __: Happened) -> Made:
    return _forgetful(harness.SlidingWindowCompaction(max_messages=4, keep_messages=3))


def warn_near_limits(_: Path, __: Happened) -> Made:
    return agent_with(harness.WarnNearLimits(max_iterations=4, max_total_tokens=300))


def report_context_usage(_: Path, __: Happened) -> Made:
    return agent_with(harness.ReportContextUsage())


def output_guardrail(_: Path, happened: Happened) -> Made:
    return agent_with(harness.OutputGuardrail(guard=allowed(happened)))


def input_guardrail(_: Path, happened: Happened) -> Made:
    return agent_with(harness.InputGuardrail(guard=allowed(happened)))


def spend_limits(_: Path, __: Happened) -> Made:
    return agent_with(
        harness.SpendLimits(
            budgets=[Budget(usd=Decimal(9_000), window="total"), Budget(usd=Decimal(9_000), window="run")],
            price=lambda _: Decimal("0.5"),
        )
    )


def spend_limits_with_keys() -> Made:
    budgets = [Budget(usd=Decimal(9_000), window="total"), Budget(usd=Decimal(9_000), window="day")]
    return agent_with(harness.SpendLimits(budgets=budgets, store=SPENT, price=lambda _: Decimal("0.5")))


def sub_agents(_: Path, __: Happened) -> Made:
    helper = Agent(says("helped"), name="helper", description="Helps.")
    turns = ([call("delegate_task", agent_name="helper", task="help")], "done")
    return agent_with(harness.SubAgents(agents=[harness.SubAgent(helper)]), turns=turns)


def sub_agents_of_folders(folder: Path, __: Happened) -> Made:
    agents = folder / "agents"
    agents.mkdir(exist_ok=True)
    (agents / "helper.md").write_text("---\nname: helper\ndescription: Helps.\n---\nHelp.\n")
    turns = ([call("look", n=1)], [call("delegate_task", agent_name="helper", task="help")], "done")
    helper = AgentOverride(model=says("helped"))
    of_folders = harness.SubAgents(agent_folders=["agents"], agent_overrides={"helper": helper})
    return in_folder(folder, of_folders, turns=turns)


def advisor(_: Path, __: Happened) -> Made:
    turns = ([call("advisor", "1", prompt="what?")], [call("advisor", "2", prompt="what?")], "done")
    return agent_with(harness.Advisor(says("advice"), mode="local"), turns=turns)


def advisor_max_uses(_: Path, __: Happened) -> Made:
    turns = (
        [call("advisor", "1", prompt="what?"), call("advisor", "2", prompt="what?")],
        [call("advisor", "3", prompt="what?")],
        "done",
    )
    return agent_with(harness.Advisor(says("advice"), mode="local", max_uses=1), turns=turns)


def compact_on_request(_: Path, __: Happened) -> Made:
    strategy = harness.ClearToolResults(keep_pairs=1, max_messages=1)
    turns = (
        [call("look", n=1)],
        [call("look", n=2)],
        [call("compact_context", "1")],
        [call("look", n=3)],
        [call("compact_context", "2")],
        "done",
    )
    return agent_with(harness.CompactOnRequest(strategy, max_per_run=1), turns=turns)


def tool_guardrail(_: Path, happened: Happened) -> Made:
    def guard(call_: Any) -> Any:
        happened.update(["guard"])
        return harness.GuardrailResult.allow()

    return agent_with(harness.ToolGuardrail(guard=guard))


def system_reminders(_: Path, __: Happened) -> Made:
    reminders = [Reminder("Be brief.", max_fires=2, tag=None), Reminder("Twice.", interval=2, tag=None)]
    return agent_with(harness.SystemReminders(reminders))


def planning(_: Path, __: Happened) -> Made:
    items = [
        {"id": "one", "content": "Look", "status": "pending"},
        {"id": "two", "content": "Tell", "status": "pending"},
    ]
    turns = (
        [call("write_plan", items=items)],
        [call("update_task_status", task_id="one", status="completed"), call("look", n=1)],
        [call("read_plan")],
        "done",
    )
    return agent_with(harness.Planning(), turns=turns)


def memory(folder: Path, _: Happened) -> Made:
    return remembering(folder, REMEMBERED)


def memory_in_the_workspace(folder: Path, _: Happened) -> Made:
    return remembering(folder, FileStore("memory"))


def remembering(folder: Path, store: MemoryStore) -> Made:
    turns = ([call("write_memory", content="likes tea")], [call("read_memory", file="MEMORY.md")], "done")
    return in_folder(folder, harness.Memory(store), turns=turns)


def repo_context(folder: Path, _: Happened) -> Made:
    return listening_in(
        folder,
        harness.RepoContext(expose_inventory_tool=True),
        turns=([call("inventory_agent_context")], [call("look", n=1)], "done"),
    )


def repo_context_nested(folder: Path, _: Happened) -> Made:
    turns = ([call("read_file", "1", path="sub/c.txt")], [call("read_file", "2", path="sub/c.txt")], "done")
    return listening_in(
        folder, harness.RepoContext(nested_traversal=True, nested_inject="contents"), harness.FileSystem(), turns=turns
    )


def skills(folder: Path, _: Happened) -> Made:
    turns = ([call("load_capability", id="tea")], [call("look", n=1)], "done")
    return in_folder(folder, harness.Skills("skills"), turns=turns)


def step_persistence(_: Path, __: Happened) -> Made:
    return agent_with(harness.StepPersistence(capture_frontier=True))


def conversation_search(_: Path, __: Happened) -> Made:
    turns = ([call("conversation_search", query="tea")], "done")
    return agent_with(
        harness.ConversationSearch(SnapshotHistorySource(InMemoryStepStore()), scope="conversation"), turns=turns
    )


def clamp(_: Path, __: Happened) -> Made:
    return agent_with(harness.ClampOversizedMessages(max_part_chars=6, keep_head_chars=2, keep_tail_chars=2))


def clear_tool_results(_: Path, __: Happened) -> Made:
    return agent_with(harness.ClearToolResults(max_messages=3, keep_pairs=1))


def deduplicate_reads(_: Path, __: Happened) -> Made:
    return agent_with(harness.DeduplicateFileReads(lambda made: made.tool_name, max_messages=2))


def summarizing(_: Path, __: Happened) -> Made:
    return _forgetful(harness.SummarizingCompaction(says("a summary"), max_messages=4, keep_messages=2))


def tiered(_: Path, __: Happened) -> Made:
    tiers = [
        harness.ClearToolResults(keep_pairs=1, max_messages=1),
        harness.SlidingWindowCompaction(max_messages=2, keep_messages=2),
    ]
    return _forgetful(harness.TieredCompaction(tiers, target_tokens=60))


def fallback(_: Path, __: Happened) -> Made:
    chain = [
        harness.SummarizingCompaction(says("a summary"), max_messages=4, keep_messages=2),
        harness.ClearToolResults(keep_pairs=1, max_messages=1),
    ]
    return _forgetful(harness.FallbackCompaction(chain, max_tokens=60))


def repair(_: Path, __: Happened) -> Made:
    return agent_with(RepairToolArguments(), turns=([call("look", args='{"n": 1')], "done"))


def warn_on_cache_busts(_: Path, __: Happened) -> Made:
    return agent_with(harness.WarnOnCacheBusts())


def docs(folder: Path, __: Happened) -> Made:
    return in_folder(folder, harness.PydanticAIDocs(local_docs_path=folder), turns=([call("look", n=1)], "done"))


def localstack(_: Path, __: Happened) -> Made:
    return agent_with(harness.LocalStack())


def coder(folder: Path, _: Happened) -> Made:
    turns = ([call("read_file", path="a.txt")], [call("write_file", path="new.txt", content="new")], "done")
    return listening_in(folder, harness.Coder(), turns=turns)


def tool_call_judge(_: Path, __: Happened) -> Made:
    return agent_with(ToolCallJudge(model=TestModel(), question="Is it harmless?"))


def _served(place: str) -> Callable[[Path, Happened], Made]:
    """A capability that talks to an MCP server: here to one in this process."""
    module, _, name = place.partition(".")
    kind = getattr(import_module(f"pydantic_ai_harness.{module}"), name)

    def made(_: Path, __: Happened) -> Made:
        server = MCPServer[Any]("served", log_level="CRITICAL")
        server.tool("find")(lambda n: f"found {n}")
        capability = kind(client=server)
        tool = f"{capability.tool_prefix}_find" if capability.tool_prefix else "find"
        return agent_with(capability, turns=([call(tool, n="1")], [call(tool, n="2")], "done"))

    return made


github, linear, notion = map(_served, ("github.GitHub", "linear.Linear", "notion.Notion"))
slack, grain, ordinal, pylon = map(_served, ("slack.Slack", "grain.Grain", "ordinal.Ordinal", "pylon.Pylon"))
posthog, logfire_mcp, day_ai = map(_served, ("posthog.PostHog", "logfire_mcp.LogfireMCP", "day_ai.DayAI"))


def code_mode(_: Path, __: Happened) -> Made:
    return agent_with(harness.CodeMode(), turns=([call("run_code", code="await look(n=1)")], "done"))
