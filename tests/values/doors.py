"""The doors that foreign code goes through, each with a drawn value: its outcome can be recorded, and read again.

`DOORS` has a function for each. Invariant: a door lets a value in whole, or gives a failure that is recorded.
"""

import json
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import msgspec
from pydantic_core import from_json

from baton import Agent, Call, Pending, Registry, ScriptedModel, ToolContext, ToolError, tool
from baton.engine.commit.answers import Claim, History
from baton.engine.decide import decide
from baton.engine.effects import CallModel, RunTool
from baton.engine.state import CallRecord, Job
from baton.engine.step_results import StepResult
from baton.engine.work_items import ItemKind
from baton.sdk.memory.keeper import MemoryKeeper
from baton.sdk.models.model import ModelAnswer, ModelError
from baton.sdk.records.redaction import KnownSecrets
from baton.sdk.tools.pending import RunAgain
from baton.sdk.tools.running_calls import RunningCalls
from baton.server.app import build_app
from baton.testing import asgi
from baton.worker.executors.executor import OutcomeDoor
from baton.worker.executors.model_turn import ModelTurn
from baton.worker.executors.tool_run import ToolRun
from baton.worker.runtime.job_view import job_view
from baton_events.app_event import AppEventError, app_event, parse_app_event
from baton_events.errors import TooLargeError
from baton_events.ids import canonical_json
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeSessionMemory, FakeStore
from tests.unit.baton.engine.sample_state import call_record, call_state, turn_state
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import OPERATIONS_KEY, with_keys
from tests.values.odd import Drawn, Fits

SECRETS = KnownSecrets(["sk-0123456789"])
CLAIM = Claim("job_1", "call:x:1", "m", "o", 0, 0)
_HALVES = "surrogatepass", "backslashreplace"  # how halves of characters are sent
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
        run = ToolRun(registry, FakeStore(), keeper, FakeClock(), RunningCalls(5), _RESULT_LIMIT_BYTES)
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
    """A tool returns it."""
    value = drawn.any()

    async def body(_: ToolContext) -> Any:
        return value

    await tool_run(body)


async def an_error(drawn: Drawn) -> None:
    """A tool raises it."""
    error = drawn.error()

    async def body(_: ToolContext) -> None:
        raise error

    await tool_run(body)


async def a_tool_error(drawn: Drawn) -> None:
    """A tool raises a `ToolError` of it."""
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
        """Answer, whatever the request is."""
        del request
        return self.make()


_odd_model = cache(OddModel)


async def model_turn(make: Callable[[], Any], output: Any = None) -> None:
    """Ask a model that answers so, and decide what follows."""
    odd = _odd_model(output)
    odd.make = make
    state = turn_state()
    task = {"role": "user", "text": "go", "data": {}}
    step_result = await odd.run(CallModel(state.job, 2, 1), History((task,)), CLAIM)
    read_again(step_result)
    assert step_result is not None
    assert decide(state, step_result, 1_000).changes is not None


async def an_answer(drawn: Drawn) -> None:
    """A model answers with it."""

    def pick(usual: Any) -> Any:
        return drawn.any() if drawn.random.random() < 0.3 else usual

    def make() -> Any:
        call = Call(pick("look"), pick({"x": drawn.any()}))
        return pick(
            ModelAnswer(
                text=pick("done"),
                calls=pick((call, pick(call))),
                provider=pick(None),
            )
        )

    await model_turn(make)


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


async def an_event(drawn: Drawn) -> None:
    """A program emits it."""
    data, key = drawn.any(), drawn.text()
    try:
        event = app_event("order.created", data, key, event_id="evt_1", tenant="t", now_ms=1_000)
    except (AppEventError, TooLargeError):
        return
    sent = event.model_dump_json(by_alias=True).encode()
    assert parse_app_event(sent) == event


class OddOutcomes:
    """Calls that wait for an outcome from outside, in jobs of many; a job is run to its end once all have one."""

    def __init__(self) -> None:
        @tool
        async def order() -> Pending:
            """Order something."""
            return Pending(timeout_seconds=3_600)

        calls = ScriptedModel([[Call("order")] * _CALLS_OF_A_JOB, "done"])
        self.registry, self.waiting = Registry([Agent("a", calls, tools=[order])]), list[str]()
        self.stage: Stage | None = None

    async def next(self) -> str:
        """Return an operation that waits."""
        if not self.waiting:
            await self.read_again()
            self.stage = Stage(registry=self.registry, settings=with_keys(operations_api_key=OPERATIONS_KEY))
            self.app = build_app(self.stage.container)
            await self.stage.submit("a")
            await self.stage.run(within_seconds=1)
            self.waiting = [call.operation_id for call in await self.stage.calls()]
            assert len(self.waiting) == _CALLS_OF_A_JOB
        return self.waiting.pop()

    async def read_again(self) -> None:
        """Assert that the job ends, and is read, whatever its calls were told."""
        if self.stage is not None:
            await self.stage.run()
            snapshot = await self.stage.snapshot()
            assert snapshot.job.ended
            text = canonical_json(job_view(snapshot, self.stage.clock.ms))
            assert from_json(text.encode()) == json.loads(text)

    async def sent(self, operation_id: str, body: bytes) -> None:
        """Send an outcome by the webhook."""
        path, headers = f"/api/operations/{operation_id}/complete", {"x-api-key": OPERATIONS_KEY}
        answer = await asgi.request(self.app, path, headers, body)
        assert answer.status in {200, 400, 422}, answer

    async def streamed(self, operation_id: str, **fields: str) -> None:
        """Add an outcome to the stream, as another system does, and read it."""
        assert self.stage is not None
        redis, name = self.stage.redis, self.stage.container.settings.operations_stream_name
        texts = [text for pair in {"operation_id": operation_id, **fields}.items() for text in pair]
        redis.run("XADD", name, "*", *(text.encode(errors="backslashreplace").decode() for text in texts))
        await self.stage.container.operations.outcomes.poll()


_odd_outcomes = cache(OddOutcomes)


async def an_outcome(drawn: Drawn) -> None:
    """Somebody outside sends it as the outcome of a call that waits."""
    outcomes, success = _odd_outcomes(), drawn.random.choice(("true", "false", drawn.json()))
    field = drawn.random.choice(("result", "error", drawn.text()))
    operation_id, value = await outcomes.next(), drawn.json()
    if drawn.random.random() < 0.5:
        body = f'{{"success": {success}, {json.dumps(field)}: {value}}}'
        await outcomes.sent(operation_id, body.encode(errors=drawn.random.choice(_HALVES)))
    else:
        await outcomes.streamed(operation_id, success=success, **{field or "result": value})


Door = Callable[[Drawn], Awaitable[None]]
DOORS: tuple[Door, ...] = (
    *(a_result, an_error, a_tool_error, a_wait, a_report),
    *(an_answer, an_output, a_model_error, an_event, an_outcome),
)
