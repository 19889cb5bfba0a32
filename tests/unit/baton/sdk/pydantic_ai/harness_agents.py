"""Agents with the capabilities of pydantic-ai's harness, each by the name that the guide's table has for it.

Each makes fresh objects, as a process does. `folder` is the workspace; what happens outside of a run is noted.
"""
# pyright: reportMissingImports=false
# As for mypy: the harness is installed in an environment of its own.

from collections.abc import Callable, Mapping, Sequence
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
Make = Callable[[Path, Happened], Made]
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


def in_folder(folder: Path, *capabilities: AbstractCapability[Any], turns: tuple[Turn, ...]) -> Made:
    return agent_with(LocalWorkspace(folder), *capabilities, turns=turns)


def listening_in(folder: Path, *capabilities: AbstractCapability[Any], turns: tuple[Turn, ...]) -> Made:
    return with_tools(Agent(streamed(*turns), name="a", capabilities=[LocalWorkspace(folder), *capabilities]))


def says(text: str) -> Model:
    return scripted(text)


def helper() -> Made:
    return Agent(says("helped"), name="helper", description="Helps.")


def allowed(happened: Happened) -> Callable[[Any], Any]:
    def guard(_: Any) -> Any:
        happened.update(["guard"])
        return harness.GuardrailResult.allow()

    return guard


def looks(make: Callable[[], AbstractCapability[Any]]) -> Make:
    """An agent that looks four times, with a capability."""
    return lambda _, __: agent_with(make())


def forgets(make: Callable[[], AbstractCapability[Any]]) -> Make:
    """One that counts by the last call that it still reads."""
    return lambda _, __: with_tools(Agent(FunctionModel(counted), name="a", capabilities=[make()]))


def does(make: Callable[[], AbstractCapability[Any]], *turns: Turn) -> Make:
    """One with these answers, and one more at its end."""
    return lambda _, __: agent_with(make(), turns=(*turns, "done"))


def does_in_folder(make: Callable[[], AbstractCapability[Any]], *turns: Turn) -> Make:
    return lambda folder, _: in_folder(folder, make(), turns=(*turns, "done"))


async def _answers(request: Any) -> Any:
    return AskUserResponse(
        answers=[AskUserAnswer(header=one.header, selected=[one.options[0].label]) for one in request.questions]
    )


def budgets(window: str) -> list[Budget]:
    return [Budget(usd=Decimal(9_000), window="total"), Budget(usd=Decimal(9_000), window=window)]


def spend_limits_with_keys() -> Made:
    return agent_with(harness.SpendLimits(budgets=budgets("day"), store=SPENT, price=lambda _: Decimal("0.5")))


def _sub_agents_of_folders(folder: Path, __: Happened) -> Made:
    agents = folder / "agents"
    agents.mkdir(exist_ok=True)
    (agents / "helper.md").write_text("---\nname: helper\ndescription: Helps.\n---\nHelp.\n")
    helped = AgentOverride(model=says("helped"))
    of_folders = harness.SubAgents(agent_folders=["agents"], agent_overrides={"helper": helped})
    return in_folder(folder, of_folders, turns=([call("look", n=1)], DELEGATES, "done"))


def remembering(folder: Path, store: MemoryStore) -> Made:
    turns = ([call("write_memory", content="likes tea")], [call("read_memory", file="MEMORY.md")], "done")
    return in_folder(folder, harness.Memory(store), turns=turns)


def _served(place: str) -> Make:
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


SERVED = (
    *("github.GitHub", "linear.Linear", "notion.Notion", "slack.Slack", "grain.Grain", "ordinal.Ordinal"),
    *("pylon.Pylon", "posthog.PostHog", "logfire_mcp.LogfireMCP", "day_ai.DayAI"),
)
DELEGATES = [call("delegate_task", agent_name="helper", task="help")]
OPTIONS = [{"label": "red", "description": "r"}, {"label": "blue", "description": "b"}]
ITEMS = [{"id": "one", "content": "Look", "status": "pending"}, {"id": "two", "content": "Tell", "status": "pending"}]
AGENTS: Mapping[str, Make] = {
    "ask_user": does(
        lambda: harness.AskUser(answerer=_answers),
        [call("ask_user_question", questions=[{"question": "Which?", "header": "Colour", "options": OPTIONS}])],
    ),
    "file_system": does_in_folder(
        harness.FileSystem,
        [call("write_file", path="new.txt", content="new")],
        [call("read_file", path="a.txt"), call("list_directory")],
    ),
    "tool_output_limits": looks(lambda: harness.ToolOutputLimits(bands=[Band(over=4, action=Truncate(max_chars=4))])),
    "sliding_window": forgets(lambda: harness.SlidingWindowCompaction(max_messages=4, keep_messages=3)),
    "warn_near_limits": looks(lambda: harness.WarnNearLimits(max_iterations=4, max_total_tokens=300)),
    "report_context_usage": looks(harness.ReportContextUsage),
    "output_guardrail": lambda _, happened: agent_with(harness.OutputGuardrail(guard=allowed(happened))),
    "input_guardrail": lambda _, happened: agent_with(harness.InputGuardrail(guard=allowed(happened))),
    "tool_guardrail": lambda _, happened: agent_with(harness.ToolGuardrail(guard=allowed(happened))),
    "spend_limits": looks(lambda: harness.SpendLimits(budgets=budgets("run"), price=lambda _: Decimal("0.5"))),
    "sub_agents": does(lambda: harness.SubAgents(agents=[harness.SubAgent(helper())]), DELEGATES),
    "sub_agents_of_folders": _sub_agents_of_folders,
    "advisor": does(
        lambda: harness.Advisor(says("advice"), mode="local"),
        *([call("advisor", number, prompt="what?")] for number in "12"),
    ),
    "advisor_max_uses": does(
        lambda: harness.Advisor(says("advice"), mode="local", max_uses=1),
        [call("advisor", "1", prompt="what?"), call("advisor", "2", prompt="what?")],
        [call("advisor", "3", prompt="what?")],
    ),
    "compact_on_request": does(
        lambda: harness.CompactOnRequest(harness.ClearToolResults(keep_pairs=1, max_messages=1), max_per_run=1),
        *([call("look", n=1)], [call("look", n=2)], [call("compact_context", "1")]),
        *([call("look", n=3)], [call("compact_context", "2")]),
    ),
    "system_reminders": looks(
        lambda: harness.SystemReminders(
            [Reminder("Be brief.", max_fires=2, tag=None), Reminder("Twice.", interval=2, tag=None)]
        )
    ),
    "planning": does(
        harness.Planning,
        [call("write_plan", items=ITEMS)],
        [call("update_task_status", task_id="one", status="completed"), call("look", n=1)],
        [call("read_plan")],
    ),
    "memory": lambda folder, _: remembering(folder, REMEMBERED),
    "memory_in_the_workspace": lambda folder, _: remembering(folder, FileStore("memory")),
    "repo_context": lambda folder, _: listening_in(
        folder,
        harness.RepoContext(expose_inventory_tool=True),
        turns=([call("inventory_agent_context")], [call("look", n=1)], "done"),
    ),
    "repo_context_nested": lambda folder, _: listening_in(
        folder,
        *(harness.RepoContext(nested_traversal=True, nested_inject="contents"), harness.FileSystem()),
        turns=(*([call("read_file", number, path="sub/c.txt")] for number in "12"), "done"),
    ),
    "skills": does_in_folder(
        lambda: harness.Skills("skills"), [call("load_capability", id="tea")], [call("look", n=1)]
    ),
    "step_persistence": looks(lambda: harness.StepPersistence(capture_frontier=True)),
    "conversation_search": does(
        lambda: harness.ConversationSearch(SnapshotHistorySource(InMemoryStepStore()), scope="conversation"),
        [call("conversation_search", query="tea")],
    ),
    "clamp": looks(lambda: harness.ClampOversizedMessages(max_part_chars=6, keep_head_chars=2, keep_tail_chars=2)),
    "clear_tool_results": looks(lambda: harness.ClearToolResults(max_messages=3, keep_pairs=1)),
    "deduplicate_reads": looks(lambda: harness.DeduplicateFileReads(lambda made: made.tool_name, max_messages=2)),
    "summarizing": forgets(lambda: harness.SummarizingCompaction(says("a summary"), max_messages=4, keep_messages=2)),
    "tiered": forgets(
        lambda: harness.TieredCompaction(
            [
                harness.ClearToolResults(keep_pairs=1, max_messages=1),
                harness.SlidingWindowCompaction(max_messages=2, keep_messages=2),
            ],
            target_tokens=60,
        )
    ),
    "fallback": forgets(
        lambda: harness.FallbackCompaction(
            [
                harness.SummarizingCompaction(says("a summary"), max_messages=4, keep_messages=2),
                harness.ClearToolResults(keep_pairs=1, max_messages=1),
            ],
            max_tokens=60,
        )
    ),
    "repair": does(RepairToolArguments, [call("look", args='{"n": 1')]),
    "warn_on_cache_busts": looks(harness.WarnOnCacheBusts),
    "docs": lambda folder, _: in_folder(
        folder, harness.PydanticAIDocs(local_docs_path=folder), turns=([call("look", n=1)], "done")
    ),
    "localstack": looks(harness.LocalStack),
    "coder": lambda folder, _: listening_in(
        folder,
        harness.Coder(),
        turns=([call("read_file", path="a.txt")], [call("write_file", path="new.txt", content="new")], "done"),
    ),
    "tool_call_judge": looks(lambda: ToolCallJudge(model=TestModel(), question="Is it harmless?")),
    **{place.partition(".")[0]: _served(place) for place in SERVED},
    "code_mode": does(harness.CodeMode, [call("run_code", code="await look(n=1)")]),
}
