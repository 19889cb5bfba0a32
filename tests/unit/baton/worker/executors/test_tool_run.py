"""One attempt of a tool call: whatever goes wrong is a step result with a clear message; the memory that it may use."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from baton import Agent, Memory, Registry, ScriptedModel, ToolContext, ToolError, tool
from baton.engine.commit.answers import Claim, History
from baton.engine.effects import RunTool
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import StepResult, ToolFailed, ToolReturned
from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.tools.running_calls import RunningCalls
from baton.sdk.tools.tool import Tool
from baton.worker.executors.tool_context import CallMemory
from baton.worker.executors.tool_run import ResultLimit, ToolRun
from baton_events.errors import MemoryUnavailableError, StoreError
from tests.fakes import FakeLongTermMemory
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeSessionMemory, FakeStore
from tests.unit.baton.sdk.memory.sample_entries import JOB, SUBMITTED_MS, an_entry


@tool(timeout_seconds=0.01, retry_on=(OSError,))
async def odd(kind: str) -> Any:
    match kind:
        case "hang":
            await asyncio.sleep(5)
        case "own timeout":
            raise TimeoutError("the database")
        case "raise":
            raise RuntimeError("no \ud800")
        case "exit":
            raise SystemExit(3)
        case "say":
            raise ToolError("not today", retryable=True, type="Closed")
        case "outage":
            raise StoreError("in the tool's own words")
        case "object":
            return object()
        case "large":
            return "x" * 200
        case "nan":
            return {"a": float("nan")}
    return {"ok": kind}


async def run(kind: str) -> ToolReturned | ToolFailed:
    return await run_tool(odd, kind=kind)


async def run_tool(item: Tool, **arguments: Any) -> ToolReturned | ToolFailed:
    step_result = await run_call(item, CallRecord("job_1-1-0-x", 1, 0, item.name, arguments))
    assert isinstance(step_result, ToolReturned | ToolFailed)
    return step_result


async def run_call(item: Tool, call: CallRecord, store: FakeStore | None = None) -> StepResult:
    registry = Registry([Agent("a", ScriptedModel(["done"]), tools=[item])])
    keeper = MemoryKeeper(FakeSessionMemory(), None)
    executor = ToolRun(registry, store or FakeStore(), keeper, FakeClock(), RunningCalls(5), ResultLimit(100))
    job = Job("job_1", "s", "t", "a", 0)
    return await executor(RunTool(job, call, 1), History(), Claim("job_1", "k", "m", "o", 0, 0))


@pytest.mark.parametrize(
    ("kind", "type_name", "text", "retryable"),
    [
        ("hang", "timeout", "did not return within 0.01 s", True),
        ("own timeout", "TimeoutError", "the database", True),  # an OSError
        ("raise", "RuntimeError", "no \ufffd", False),
        ("exit", "SystemExit", "3", False),
        ("say", "Closed", "not today", True),
        ("object", "unrecordable", "recorded: result: a object that JSON cannot hold", False),
        ("nan", "unrecordable", "recorded: result.a: nan is no number in JSON", False),
        ("outage", "StoreError", "in the tool's own words", False),
        ("large", "result_too_large", "202 bytes, over the limit of 100", False),
    ],
)
async def test_a_failure_says_what_and_whether_to_try_again(
    kind: str, type_name: str, text: str, retryable: bool
) -> None:
    step_result = await run(kind)
    assert isinstance(step_result, ToolFailed)
    assert (step_result.failure.type, step_result.failure.retryable) == (type_name, retryable)
    assert text in step_result.failure.message


async def test_the_log_has_the_traceback_of_what_nobody_expected(caplog: pytest.LogCaptureFixture) -> None:
    @tool
    def connect(api_key: str) -> None:
        raise RuntimeError(f"no door opens for {api_key}")

    await run_tool(connect, api_key="sk-0123456789abcdef")
    first, *_, last = caplog.messages[0].partition("Traceback (most recent call last):\n")[2].splitlines()
    assert first.endswith("in connect")
    assert last == "RuntimeError: no door opens for [redacted]"


async def test_a_result_that_its_annotation_does_not_promise_is_a_permanent_failure() -> None:
    """The tool's author has to mend it; running it again would not help."""

    @tool
    async def size() -> dict[str, int]:
        return {"size": "large"}  # type: ignore[dict-item]  # pyright: ignore[reportReturnType]

    step_result = await run_tool(size)
    assert isinstance(step_result, ToolFailed)
    assert (step_result.failure.type, step_result.failure.retryable) == ("invalid_result", False)
    assert "size: input should be a valid integer" in step_result.failure.message


LAMP, DOOR = "the lamp is red", "the door is green"


class Scene:
    def __init__(self, *, index: bool = True, policy: Memory | None = None) -> None:
        self.session, self.index = FakeSessionMemory(), FakeLongTermMemory()
        self.keeper = MemoryKeeper(self.session, self.index if index else None)
        self.call = CallMemory(self.keeper, JOB, "call_1", policy or Memory())


async def test_a_repeated_attempt_stores_once_and_nothing_in_a_forgotten_conversation() -> None:
    scene = Scene()
    for _ in range(2):
        assert await scene.call.remember(LAMP) == {"remembered": True}
    assert list(scene.index.entries) == [("acme", "call_1")]
    assert [entry.text for entry in await scene.keeper.recent("acme", "session_1")] == [LAMP]
    await scene.keeper.forget("acme", "session_1", SUBMITTED_MS)
    note = "this conversation was forgotten on request after the job began"
    assert await scene.call.remember(LAMP) == {"remembered": False, "note": note}
    assert scene.index.entries == {}


async def test_recalling_gives_the_likest_of_the_tenant() -> None:
    """No further than the agent's memory: one that is bound to its session sees no other."""
    scene = Scene(policy=Memory(minimum_score=0.9))
    for name, text, session in (("a", DOOR, "session_1"), ("b", LAMP, "session_2")):
        await scene.keeper.store("acme", an_entry(name, text, session=session))
    await scene.keeper.store("other", an_entry("c", LAMP))
    [found] = (await scene.call.recall(LAMP, 5))["entries"]
    created = "2027-01-15T07:59:59.000Z"
    assert found == {"text": LAMP, "kind": "exchange", "agent": "keeper", "createdAt": created, "score": 1}
    bound = CallMemory(scene.keeper, JOB, "call_1", Memory(scope="session", minimum_score=0.9))
    assert await bound.recall(LAMP, 5) == {"entries": []}


async def test_without_an_index_both_say_so() -> None:
    scene = Scene(index=False)
    assert "UPSTASH_VECTOR_REST_URL" in (await scene.call.remember(LAMP))["note"]
    await scene.keeper.store("acme", an_entry("a", DOOR))
    recalled = await scene.call.recall(LAMP, 1)
    assert [entry["text"] for entry in recalled["entries"]] == [LAMP]
    assert "no vector index is configured: set UPSTASH_VECTOR_REST_URL" in recalled["note"]


async def test_an_outage_of_the_index_is_worth_another_attempt() -> None:
    scene = Scene()
    scene.index.down = MemoryUnavailableError("no answer from the vector index")
    for ask in (scene.call.remember(LAMP), scene.call.recall(LAMP, 5)):
        with pytest.raises(ToolError, match="no answer from the vector index") as raised:
            await ask
        assert (raised.value.retryable, raised.value.type) == (True, "memory_unavailable")


async def test_a_tool_of_an_agent_that_is_gone_recalls_no_further_than_its_session() -> None:
    """Its agent may have said so. A transcript changes nothing for an agent without a runner."""

    @tool
    async def recall(ctx: ToolContext) -> Any:
        return [entry["text"] for entry in (await ctx.memory.recall(LAMP, 5))["entries"]]

    scene = Scene()
    await scene.keeper.store("acme", an_entry("a", LAMP, session="session_2"))
    registry = Registry([Agent("a", ScriptedModel(["done"]), tools=[recall])])
    executor = ToolRun(registry, FakeStore(), scene.keeper, FakeClock(), RunningCalls(5), ResultLimit(100))
    history, call = History(({"role": "user", "text": "go", "data": {}},)), CallRecord("c", 1, 0, "recall", {})
    for agent, found in (("a", f'["{LAMP}"]'), ("gone", "[]")):
        job = Job("job_1", "session_1", "acme", agent, 0)
        result = await executor(RunTool(job, call, 1), history, Claim("job_1", "k", "m", "o", 0, 0))
        assert result == ToolReturned(found)


class Noting(FakeStore):
    """Notes the numbers of what is appended: under one claim the store takes each number once."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: list[int] = []

    async def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> bool:
        del claim, text_id
        self.numbers += [sequence] if parts else []
        return True


async def test_what_an_approval_rule_reports_takes_no_number_of_the_tools_own_reports() -> None:
    """The tool's first reports were taken for those of the rule, and were lost."""

    async def is_much(arguments: dict[str, Any], ctx: ToolContext) -> bool:
        await ctx.info("checked", arguments)
        return False

    @tool(requires_approval=is_much)
    async def pay(ctx: ToolContext) -> None:
        await ctx.info("begun")
        await ctx.progress(0.5)

    store = Noting()
    assert isinstance(await run_call(pay, CallRecord("job_1-1-0-x", 1, 0, "pay", {}), store), ToolReturned)
    assert store.numbers == [1, 2, 3]
