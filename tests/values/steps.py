"""What a tool, a model or a program of a user gives, drawn by chance: each step has an outcome that can be recorded.

Invariant: a value is let in whole, or gives a failure that is recorded.
"""

import json
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, cast

import msgspec
from pydantic_core import from_json

from baton import (
    Agent,
    Call,
    Pending,
    Registry,
    ScriptedModel,
    Step,
    ToolContext,
    ToolError,
    result_of,
    task_data,
    tool,
)
from baton.engine.commit.answers import Claim, History
from baton.engine.decide import decide
from baton.engine.effects import CallModel, RunTool
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import ModelAnswered, StepResult, ToolFailed, ToolReturned
from baton.engine.work_items import ItemKind
from baton.sdk.agents.runner import JobInfo, Recorded, Runner, RunnerAnswer
from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.models.model import ModelAnswer, ModelError, Spent
from baton.sdk.records.limits import MOST, MOST_USD
from baton.sdk.records.redaction import KnownSecrets
from baton.sdk.tools.pending import RunAgain
from baton.sdk.tools.running_calls import RunningCalls
from baton.worker.executors.executor import UNRECORDABLE, OutcomeDoor
from baton.worker.executors.model_call import runner_turn
from baton.worker.executors.model_turn import ModelTurn
from baton.worker.executors.plan_turns import static_turn
from baton.worker.executors.tool_run import ResultLimit, ToolRun, arguments_of
from baton_events.app_event import AppEventError, app_event, parse_app_event
from baton_events.errors import TooLargeError
from baton_events.ids import canonical_json
from baton_events.schema import encode_event
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeSessionMemory, FakeStore
from tests.unit.baton.engine.sample_state import call_record, call_state, turn_state
from tests.values.odd import Drawn, Fits, MuteError
from tests.values.oracle import Meant, Refused, meant

SECRETS = KnownSecrets(["sk-0123456789"])
CLAIM = Claim("job_1", "call:x:1", "m", "o", 0, 0)
HALVES = "surrogatepass", "backslashreplace"  # how halves of characters are sent
_RESULT_LIMIT_BYTES, _CALLS_OF_A_JOB = 100_000, 40


def read_again(step_result: StepResult | None) -> None:
    """Assert that every reader of JSON reads what the step result says."""
    assert step_result is not None
    data = msgspec.to_builtins(step_result)
    text = canonical_json(data)
    assert from_json(text.encode()) == json.loads(text)


class OddTool:
    """A tool that does whatever `body` does, made once: making a tool costs more than running it."""

    def __init__(self) -> None:
        self.body: Callable[[ToolContext], Awaitable[Any]]

        @tool(retries=1)
        async def odd(ctx: ToolContext) -> Any:
            """Be odd."""
            return await self.body(ctx)

        registry = Registry([Agent("a", ScriptedModel(["done"]), tools=[odd])])
        keeper = MemoryKeeper(FakeSessionMemory(), None)
        run = ToolRun(registry, FakeStore(), keeper, FakeClock(), RunningCalls(5), ResultLimit(_RESULT_LIMIT_BYTES))
        self.run = OutcomeDoor(run, SECRETS)


_odd_tool = cache(OddTool)


async def tool_run(body: Callable[[ToolContext], Awaitable[Any]]) -> StepResult:
    """Run a tool with this body, and decide what follows."""
    odd = _odd_tool()
    odd.body = body
    state = call_state(ItemKind.CALL, call_record())
    effect = RunTool(Job("job_1", "s", "t", "a", 0), CallRecord("job_1-1-0-x", 1, 0, "odd", {}), 1)
    step_result = await odd.run(effect, History(), CLAIM)
    read_again(step_result)
    assert step_result is not None
    assert decide(state, step_result, 1_000).changes is not None
    return step_result


async def a_result(drawn: Drawn) -> None:
    """A tool returns it: JSON is let in as it is, and what is none is refused by its place."""
    value = drawn.any()

    async def body(_: ToolContext) -> Any:
        return value

    expected, step_result = meant(value, "result"), await tool_run(body)
    match expected:
        case Refused():
            assert isinstance(step_result, ToolFailed), value
            assert step_result.failure.type == UNRECORDABLE
            assert f"{expected.place}: " in step_result.failure.message, (value, step_result)
        case Meant():
            assert isinstance(step_result, ToolReturned), (value, step_result)
            assert json.loads(step_result.result_json) == expected.value, value


async def an_error(drawn: Drawn) -> None:
    error = drawn.error()

    async def body(_: ToolContext) -> None:
        raise error

    step_result = await tool_run(body)
    assert isinstance(step_result, ToolFailed)
    if isinstance(error, MuteError):
        assert step_result.failure.type == "MuteError"


async def a_tool_error(drawn: Drawn) -> None:
    error = ToolError(drawn.any(), drawn.any(), drawn.any(), drawn.any())

    async def body(_: ToolContext) -> None:
        raise error

    await tool_run(body)


async def a_wait(drawn: Drawn) -> None:
    """A tool waits for it, runs again with it, or gives it to another agent."""

    async def body(ctx: ToolContext) -> Any:
        match drawn.random.randrange(4):
            case 0:
                return Pending(timeout_seconds=drawn.any(), otherwise=drawn.any())
            case 1:
                return Pending(timeout_seconds=5, event=drawn.any(), key=drawn.any(), otherwise=drawn.any())
            case 2:
                return RunAgain(memo=drawn.any(), after_seconds=drawn.any(), form=drawn.any(), title=drawn.any())
            case _:
                return ctx.start(drawn.random.choice(("a", drawn.any())), drawn.any(), drawn.any())

    await tool_run(body)


async def a_report(drawn: Drawn) -> None:
    """A tool reports it while it runs, and returns what that gives."""

    async def body(ctx: ToolContext) -> Any:
        match drawn.random.randrange(4):
            case 0:
                return await ctx.info(drawn.any(), drawn.any())
            case 1:
                return await ctx.progress(drawn.any(), drawn.any())
            case 2:
                return await ctx.memory.remember(drawn.any())
            case _:
                return await ctx.emit(drawn.random.choice(("a.b", drawn.any())), drawn.any(), drawn.any(), drawn.any())

    await tool_run(body)


class OddModel:
    """A model that answers with whatever `make` gives; its agent is made once, and may ask for a structured answer."""

    name, reads_history = "odd", False

    def __init__(self, output: Any = None) -> None:
        self.make: Callable[[], Any]

        @tool
        def look(x: int = 0) -> int:
            """Look."""
            return x

        registry = Registry([Agent("agent_1", self, tools=[look], output_type=output)])
        self.run = OutcomeDoor(ModelTurn(registry, 5), SECRETS)

    async def answer(self, request: Any) -> Any:
        del request
        return self.make()


_odd_model = cache(OddModel)


async def model_turn(make: Callable[[], Any], output: Any = None) -> StepResult:
    """Ask a model that answers so, and decide what follows."""
    odd = _odd_model(output)
    odd.make = make
    state = turn_state()
    task = {"role": "user", "text": "go", "data": {}}
    step_result = await odd.run(CallModel(state.job, 2, 1), History((task,)), CLAIM)
    read_again(step_result)
    assert step_result is not None
    assert decide(state, step_result, 1_000).changes is not None
    return step_result


class OddRunner:
    """A library's agent, whose turn is whatever `make` gives."""

    name = "odd"

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self.run = OutcomeDoor(self._turn, SECRETS)

    async def turn(self, record: Any, listener: Any) -> Any:
        """Answer, whatever the record is."""
        del record, listener
        return self._make()

    async def _turn(self, effect: Any, history: Any, claim: Any) -> StepResult:
        del effect, history, claim
        record = Recorded(JobInfo(job_id="job_1", session_id="s", tenant="t", task="go"))
        return await runner_turn(cast("Runner", self), record, None, 5)


async def an_answer_of_a_runner(drawn: Drawn) -> None:
    """A library's agent answers with it."""
    odd = drawn.random.choice(("tool", "arguments", "text", "provider", "output", "correction", "alone"))

    def pick(name: str, usual: Any) -> Any:
        return drawn.any() if name == odd else usual

    def make() -> Any:
        call = Call(pick("tool", "look"), pick("arguments", {"x": drawn.any()}))
        answer = ModelAnswer(text=pick("text", "done"), calls=(call,), provider=pick("provider", {"x": drawn.any()}))
        more = {"correction": pick("correction", ""), "alone": pick("alone", ())}
        return RunnerAnswer(answer, output=pick("output", None), **more)

    state = turn_state()
    step_result = await OddRunner(make).run(CallModel(state.job, 2, 1), History(), CLAIM)
    read_again(step_result)
    assert step_result is not None
    assert decide(state, step_result, 1_000).changes is not None


async def an_answer(drawn: Drawn) -> None:
    """A model answers with it."""

    def make() -> Any:
        pick = drawn.picked
        call = Call(pick("look"), pick({"x": drawn.any()}))
        return pick(ModelAnswer(text=pick("done"), calls=pick((call, pick(call))), provider=pick(None)))

    await model_turn(make)


async def a_usage(drawn: Drawn) -> None:
    """A model says that its answer, and those before it, have used it: the answer is taken, and odd counts are none."""
    counts = drawn.any(), drawn.any(), drawn.any()
    answer = ModelAnswer("done", (), *counts, cached_input_tokens=drawn.any(), spent_before=Spent(drawn.any(), *counts))
    step_result = await model_turn(lambda: answer)
    assert isinstance(step_result, ModelAnswered), step_result
    for used in (step_result, step_result.extra_usage):
        assert all(type(each) is int and 0 <= each <= MOST for each in (used.input_tokens, used.output_tokens)), counts
        assert 0 <= used.cost_usd <= MOST_USD, counts


async def an_output(drawn: Drawn) -> None:
    """A model answers with it as the structured answer."""
    await model_turn(lambda: ModelAnswer(calls=(Call("final_result", {"amount": drawn.any()}),)), Fits)


async def a_model_error(drawn: Drawn) -> None:
    """A model raises it."""

    def make() -> Any:
        if drawn.random.random() < 0.5:
            raise drawn.error()
        raise ModelError(drawn.any(), retryable=drawn.any(), retry_after_seconds=drawn.any())

    await model_turn(make)


async def a_task_of_a_plan(drawn: Drawn) -> None:
    """The steps of a fixed plan are given it, as data of their task and as the result of a step before."""
    data, result = {"x": drawn.marked(), "$resultOf": drawn.marked()}, drawn.marked()

    @tool
    async def take(event: dict[str, Any], rows: list[Any], result: Any = None) -> None:
        """Take it."""

    of_task = {"event": task_data, "rows": [task_data["x"]]}
    plan = [Step("a", take, of_task), Step("b", take, of_task | {"result": result_of("a")}, depends_on=["a"])]
    turn = static_turn(plan, {"take": take}, History(({"role": "user", "text": "go", "data": data},)))
    assert isinstance(turn, ModelAnswered), (data, turn)
    given = {"event": data, "rows": [data["x"]]}
    for wanted, expected in zip(turn.wanted, (given, given | {"result": result}), strict=True):
        call = CallRecord("job_1-1-1", 1, 1, "take", wanted.arguments, step=wanted.step, after={"a": "job_1-1-0"})
        assert arguments_of(call, History(results={"job_1-1-0": {"ok": result}})) == expected


async def an_event(drawn: Drawn) -> None:
    """A program emits it."""
    data, key = drawn.any(), drawn.text()
    try:
        event = app_event("order.created", data, key, event_id="evt_1", tenant="t", now_ms=1_000)
    except (AppEventError, TooLargeError):
        return
    sent = encode_event(event).encode()
    assert parse_app_event(sent) == event
