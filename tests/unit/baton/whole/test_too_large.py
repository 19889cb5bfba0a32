"""No field of what foreign code gives is without a bound, and what the store never takes is an error of its step."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent as LibraryAgent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ThinkingPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from upstash_redis.errors import UpstashError

from baton import Agent, Call, Registry, ScriptedModel, ToolContext, ToolError, tool, wait_for_event
from baton.engine.transitions import JobStatus
from baton.pydantic_ai import durable
from baton.sdk.models.model import ModelAnswer, ModelError, ModelRequest, Origin
from baton.sdk.tools.pending import RunAgain
from baton.store.transport.redis_rest import command_bytes
from baton_events.errors import StoreAnswerError, StoreError, StoreFullError, TooLargeForStoreError
from tests.fakes.stored import FakeConnection, FakeRedis, FakeStore
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage
from tests.unit.baton.server.api.client import api_of, assert_problem, with_keys

# A store takes as much in one request; what is given here is stored twice at least.
MOST_BYTES, HUGE = 4_000_000, "h" * 3_000_000
Asked = Callable[[], Any]


class SmallRedis(FakeRedis):
    """A store that refuses requests as the hosted one does; `most_bytes`: of a request."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        super().__init__()
        self.most_bytes = most_bytes

    def run(self, *command: str | int) -> Any:
        if (size := command_bytes(command)) > self.most_bytes:
            raise UpstashError(f"ERR max request size exceeded. Limit: {self.most_bytes} bytes, Actual: {size} bytes")
        return super().run(*command)


def largest(stage: Stage) -> int:
    """About the size of the largest value that is stored."""
    return max(len(str(getattr(value, "__dict__", value))) for value in stage.redis.data.values.values())


def stage_of(*agents: Agent, most_bytes: int = MOST_BYTES) -> Stage:
    return Stage(store=FakeStore(SmallRedis(most_bytes)), registry=Registry(agents))


class Model:
    """Gives something in its first turn, whatever it is, and an answer in the next one."""

    name, reads_history = "odd", False

    def __init__(self, gives: Asked) -> None:
        self._gives, self.first = gives, 0

    async def answer(self, request: ModelRequest) -> Any:
        self.first += request.turn == 1
        return self._gives() if request.turn == 1 else ModelAnswer("done")


def raising(error: Exception) -> Asked:
    def gives() -> Any:
        raise error

    return gives


@tool(retries=0)
async def add(a: int = 0, b: str = "") -> str:
    return f"{a}{b[:9]}"


ANSWERS: dict[str, Asked] = {
    "name": lambda: ModelAnswer("", (Call(HUGE),)),
    "name of a call that cannot be read": lambda: ModelAnswer("", (Call(HUGE, {}, "no JSON"),)),
    "name of a call that was cut off": lambda: ModelAnswer("", (Call(HUGE),), origin=Origin(finish_reason="length")),
    "fault": lambda: ModelAnswer("", (Call("add", {}, HUGE),)),
    "argument": lambda: ModelAnswer("", (Call("add", {"b": HUGE}),)),
    "name of an argument": lambda: ModelAnswer("", (Call("add", {HUGE: 1}),)),
    "argument of an unknown tool": lambda: ModelAnswer("", (Call("none", {"b": HUGE}),)),
    "number": lambda: ModelAnswer("", (Call("add", {"a": 10**4_000}),)),
    "calls together": lambda: ModelAnswer("", tuple(Call("add", {"b": "h" * 250_000}) for _ in range(12))),
    "number of calls": lambda: ModelAnswer("", tuple(Call("add", {"a": n}) for n in range(10_000))),
    "text": lambda: ModelAnswer(HUGE),
    "text of signs": lambda: ModelAnswer("\x01" * 1_000_000),
    "text beside a call": lambda: ModelAnswer(HUGE, (Call("add"),)),
    "text that was cut off": lambda: ModelAnswer(HUGE, origin=Origin(finish_reason="length")),
    "data of the provider": lambda: ModelAnswer("done", provider={"signature": HUGE}),
    "data of the provider beside a call": lambda: ModelAnswer("", (Call("add"),), provider={"signature": HUGE}),
    "origin": lambda: ModelAnswer("done", origin=Origin(HUGE, HUGE, HUGE, HUGE, "stop", HUGE)),
    "error": raising(ModelError(HUGE, retryable=False)),
    "type of an error": raising(ModelError("no", retryable=False, type=HUGE)),
    "exception": raising(ValueError(HUGE)),
    "name of an exception": raising(type(HUGE, (ValueError,), {})("no")),
}
# These fail in passing, as any exception of a model does.
AGAIN = {"exception", "name of an exception"}


class Out(BaseModel):
    """A structured answer."""

    b: str


@pytest.mark.parametrize("given", ANSWERS)
@pytest.mark.parametrize("more", [{}, {"mode": "plan"}, {"output_type": Out}], ids=["react", "plan", "output"])
async def test_a_model_that_gives_too_much_is_asked_once(given: str, more: dict[str, Any]) -> None:
    """A name is cut, data left out, or the answer refused by name: the store takes whatever becomes of it."""
    model = Model(ANSWERS[given])
    agent = Agent("odd", model, tools=[add], **more)
    stage = stage_of(agent)
    job = await stage.played("odd")
    assert job.status in (JobStatus.COMPLETED, JobStatus.FAILED)
    assert model.first == (4 if given in AGAIN else 1)
    assert largest(stage) < MOST_BYTES / 2


TOOLS: dict[str, Callable[[ToolContext], Any]] = {
    "result": lambda _: HUGE,
    "event": lambda _: wait_for_event(HUGE, timeout_seconds=5),
    "message": lambda _: raising(ToolError(HUGE))(),
    "type": lambda _: raising(ToolError("no", type=HUGE))(),
    "exception": lambda _: raising(ValueError(HUGE))(),
    "name of an exception": lambda _: raising(type(HUGE, (ValueError,), {})("no"))(),
    "info": lambda ctx: ctx.info("title", HUGE),
    "title of an info": lambda ctx: ctx.info(HUGE),
    "progress": lambda ctx: ctx.progress(0.5, HUGE),
    "job below": lambda ctx: ctx.start("odd", HUGE),
    "data of a job below": lambda ctx: ctx.start("odd", "x", {"a": HUGE}),
    "memo": lambda _: RunAgain(memo={"a": HUGE}),
    "form": lambda _: RunAgain(memo={}, form={"type": "object", "title": HUGE}, timeout_seconds=5),
    "question": lambda _: RunAgain(memo={}, form={"type": "object"}, title=HUGE, timeout_seconds=5),
    "beginning of a form": lambda _: RunAgain(
        memo={}, form={"type": "object"}, begins_with={"a": HUGE}, timeout_seconds=5
    ),
    "app event": lambda ctx: ctx.emit("named", HUGE),
    "name of an app event": lambda ctx: ctx.emit(HUGE, 1),
    "key of an app event": lambda ctx: ctx.emit("named", 1, key=HUGE),
    "note": lambda ctx: ctx.memory.remember(HUGE),
    "media type of a file": lambda ctx: ctx.keep_file(b"a", f"text/{HUGE}"),
    "name of a file": lambda ctx: ctx.keep_file(b"a", "text/plain", HUGE),
}


@pytest.mark.parametrize("given", TOOLS)
async def test_a_tool_that_gives_too_much_runs_once(given: str) -> None:
    runs = list[int]()

    @tool(retries=0)
    async def give(ctx: ToolContext) -> Any:
        if ctx.memo or runs:
            return "again"
        runs.append(1)
        found = TOOLS[given](ctx)
        return await found if inspect.isawaitable(found) else found

    stage = stage_of(Agent("odd", ScriptedModel([[Call("give")], "done"]), tools=[give]))
    job = await stage.played("odd")
    assert (job.status, len(runs)) == (JobStatus.COMPLETED, 1)
    assert largest(stage) < MOST_BYTES / 2


LIBRARY: dict[str, Asked] = {
    "name": lambda: [ToolCallPart(HUGE, {})],
    "argument": lambda: [ToolCallPart("give", {"b": HUGE})],
    "text": lambda: [TextPart(HUGE)],
    "thought": lambda: [ThinkingPart(HUGE), TextPart("done")],
    "data of the provider": lambda: [TextPart("done", provider_details={"a": HUGE})],
    "exception": raising(ValueError(HUGE)),
}


@pytest.mark.parametrize("given", LIBRARY)
async def test_an_agent_of_a_library_is_asked_once(given: str) -> None:
    asked = list[int]()

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        asked.append(len(messages))
        return ModelResponse(LIBRARY[given]() if len(messages) == 1 else [TextPart("done")])

    library = LibraryAgent(FunctionModel(answer), name="odd")

    @library.tool_plain
    def give(b: str = "") -> str:
        return b[:9]

    stage = PlayedStage(store=FakeStore(SmallRedis()), registry=Registry([durable(library)]))
    job = await stage.played("odd")
    assert job.status in (JobStatus.COMPLETED, JobStatus.FAILED)
    assert asked.count(1) == 1


@pytest.mark.parametrize(("size", "agents"), [(300_000, "tool"), (300_000, "model"), (300_000, "script")])
async def test_what_a_small_store_never_takes_is_an_error_of_its_step(size: int, agents: str) -> None:
    """Also where every field is within its bound: nothing is asked for or run again, and what was used counts."""
    runs = list[int]()

    @tool(retries=2)
    async def give() -> str:
        """Give much."""
        runs.append(1)
        return "h" * size

    turns: dict[str, list[list[Call] | str]] = {
        "tool": [[Call("give")], "done"],
        "model": ["h" * size],
        "script": [[Call("give")], "done"],
    }
    stage = stage_of(Agent("odd", ScriptedModel(turns[agents]), tools=[give]), most_bytes=100_000)
    job = await stage.played("odd")
    if agents == "model":
        assert job.status is JobStatus.FAILED
        assert job.error is not None
        assert (job.error.type, job.used.model_calls) == ("too_large", 1)
        return
    [call] = (await stage.snapshot()).calls
    assert (job.status, len(runs), call.error and call.error.type) == (JobStatus.COMPLETED, 1, "too_large")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ERR max request size exceeded. Limit: 1 bytes, Actual: 2 bytes", TooLargeForStoreError),
        ("ERR max single record size exceeded", TooLargeForStoreError),
        ("ERR string exceeds maximum allowed size (proto-max-bulk-len)", TooLargeForStoreError),
        ("status 413, without a reason", TooLargeForStoreError),
        ("OOM command not allowed when used memory > 'maxmemory'.", StoreFullError),
        ("ERR max daily request limit exceeded. Limit: 500000", StoreAnswerError),
        ("status 502, without a reason", StoreAnswerError),
    ],
)
async def test_a_refusal_for_its_size_is_told_from_what_may_become_right(text: str, kind: type[StoreError]) -> None:
    class Refusing(SmallRedis):
        def run(self, *_: str | int) -> Any:
            raise UpstashError(text)

    with pytest.raises(StoreError) as raised:
        await FakeConnection(Refusing()).execute("GET", "a")
    assert type(raised.value) is kind
    assert raised.value.retryable is (kind is not TooLargeForStoreError)


async def test_a_submission_that_the_store_never_takes_is_refused() -> None:
    """By 413, as another attempt would be."""
    redis = SmallRedis(50_000)
    stage = Stage(settings=with_keys(), store=FakeStore(redis), registry=Registry([Agent("odd", ScriptedModel(["a"]))]))
    async with api_of(stage) as api:
        answer = await api.submit(jobType="odd", taskDescription="h" * 100_000)
    assert_problem(answer, 413)
