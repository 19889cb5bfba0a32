"""The next model of a session is told which calls of an earlier job were made, however that job has ended."""

from collections.abc import Awaitable, Callable
from typing import Any

import pydantic_ai
import pytest
from msgspec.structs import replace
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

from baton import Agent, Call, DropOldest, Registry, ToolContext, tool
from baton.engine.state import Job
from baton.pydantic_ai import durable
from baton.sdk.agents.agent import Agent as AnyAgent
from baton.sdk.models.model import ModelAnswer, ModelError, ModelMessage, ModelRequest, ToolMessage
from baton.sdk.records.limits import Limits
from baton.server.api.session_line import Sessions, WhenBusy
from baton.store.records.jobs import Snapshot
from baton_events.errors import StoreError
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage

Act = Callable[["Desk"], Awaitable[object]]


class Desk:
    """An agent that refunds in its first turn, and has `act` done in its second one; its next job is asked behind it.

    `told`: everything that the model was sent last, as one text.
    """

    def __init__(self, kind: str, act: Act, turns: int = 20, **fields: Any) -> None:
        self.act, self.told, self.steps = act, "", 0
        agents = [self._own(turns, fields)] if kind == "own" else [self._durable(turns)]
        self.stage = PlayedStage(registry=Registry([*agents]))
        self.sessions = Sessions(self.stage.container)

    def _own(self, turns: int, fields: dict[str, Any]) -> AnyAgent:
        @tool
        def refund(euros: int) -> str:
            """Pay money back."""
            return f"refunded {euros} euros, receipt R-77"

        @tool(retries=0)
        async def check(receipt: str) -> str:
            """Check a receipt, which takes long."""
            await self.act(self)
            return "fine"

        limits = Limits(turns=turns)
        return Agent(name="desk", model=self, tools=[refund, check], limits=limits, **fields)

    def _durable(self, turns: int) -> AnyAgent:
        def answer(messages: list[Any], _: Any) -> ModelResponse:
            number = sum(isinstance(one, ModelResponse) for one in messages)
            found = self._turn(repr(messages), number)
            call = isinstance(found, Call) and ToolCallPart(found.tool, found.arguments, f"id{number}")
            return ModelResponse([call or TextPart(str(found))])

        agent = pydantic_ai.Agent(FunctionModel(answer), name="desk")

        @agent.tool_plain
        def refund(euros: int) -> str:
            return f"refunded {euros} euros, receipt R-77"

        @agent.tool_plain
        async def check(receipt: str) -> str:
            await self.act(self)
            return "fine"

        return durable(agent, limits=Limits(turns=turns))

    name, reads_history = "desk", True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        found = self._turn(repr(request.messages), sum(isinstance(one, ModelMessage) for one in request.messages))
        return ModelAnswer(found) if isinstance(found, str) else ModelAnswer("", (found,))

    def _turn(self, asked: str, number: int) -> Call | str:
        self.told = asked
        if "go on" in asked:
            return "ok" if self.steps < 1 else self._step()
        if number == 2:
            raise ModelError("no credit left", retryable=False)
        return Call("check", {"receipt": "R-77"}) if number else Call("refund", {"euros": 40})

    def _step(self) -> Call:
        self.steps -= 1
        return Call("refund", {"euros": 1})

    async def submit(self, number: int, text: str, when_busy: WhenBusy = "queue", **chat: str) -> None:
        self.stage.clock.ms += 1_000
        job = self.stage.job("desk", f"job_{number}", session="chat-1")
        await self.sessions.submit(job, {"text": text, "data": {}, "chat": chat}, when_busy)

    async def first(self) -> Job:
        job = await self.stage.container.commands.submit.find("job_1")
        assert job is not None
        return job


async def cancel(desk: Desk) -> None:
    await desk.stage.container.commands.cancel(await desk.first(), "the user")


async def interrupt(desk: Desk) -> None:
    await desk.submit(2, "go on", "interrupt")


async def roll_back(desk: Desk) -> None:
    await desk.submit(2, "go on", "rollback")


async def do_nothing(desk: Desk) -> None:
    pass


async def fail(desk: Desk) -> None:
    raise RuntimeError("the checker is on fire")


async def let_time_pass(desk: Desk) -> None:
    """The job's time is over when the call returns."""
    desk.stage.clock.ms += 2 * 86_400_000


RUNNING = 'check {"receipt":"R-77"}: was not over. Whether it had an effect is unknown.'
DONE = 'check {"receipt":"R-77"}: completed. Its result: "fine"'
FAILED = 'check {"receipt":"R-77"}: failed: RuntimeError: the checker is on fire'


@pytest.mark.parametrize("kind", ["own", "durable"])
@pytest.mark.parametrize(
    ("act", "check", "turns"),
    [
        (cancel, RUNNING, 20),
        (interrupt, RUNNING, 20),
        (do_nothing, DONE, 20),  # the third turn's model fails
        (do_nothing, DONE, 2),  # there is no third turn
        (fail, FAILED, 2),
        (let_time_pass, DONE, 20),
    ],
)
async def test_calls_of_a_job_that_ended_early_are_told(kind: str, act: Act, check: str, turns: int) -> None:
    desk = Desk(kind, act, turns)
    await desk.submit(1, "Refund 40 euros, please.")
    await desk.stage.run()
    if act is not interrupt:
        await desk.submit(2, "go on")
        await desk.stage.run()
    told = desk.told.replace("\\'", "'")
    assert 'refund {"euros":40}: completed. Its result: "refunded 40 euros, receipt R-77"' in told
    assert check in told
    assert (await desk.stage.now("job_2")).result is not None


@pytest.mark.parametrize("kind", ["own", "durable"])
async def test_a_job_that_is_rolled_back_leaves_no_trace(kind: str) -> None:
    desk = Desk(kind, roll_back)
    await desk.submit(1, "Refund 40 euros, please.")
    await desk.stage.run()
    assert "go on" in desk.told
    assert "refund" not in desk.told
    assert "R-77" not in desk.told


@pytest.mark.parametrize("kind", ["own", "durable"])
async def test_calls_of_an_answer_that_is_replaced_are_told_without_it(kind: str) -> None:
    """Also in later jobs, behind the answer that replaces it."""
    desk = Desk(kind, cancel)
    await desk.submit(1, "Refund 40 euros, please.", messageId="m1")
    await desk.stage.run()
    await desk.submit(2, "Refund 40 euros, and go on.", messageId="m1", replaces="job_1")
    await desk.stage.run()
    for number in (3, 4):
        assert desk.told.count("receipt R-77") == 1
        assert "euros, please" not in desk.told
        await desk.submit(number, "go on")
        await desk.stage.run()
    assert desk.told.index("receipt R-77") < desk.told.index("euros, and go on")


@pytest.mark.parametrize("kind", ["own", "durable"])
async def test_the_question_stays_in_later_turns_behind_what_is_told(kind: str) -> None:
    """A library joins messages of the user that follow each other."""
    desk = Desk(kind, cancel)
    await desk.submit(1, "Refund 40 euros, please.")
    await desk.stage.run()
    desk.steps = 2
    await desk.submit(2, "Refund one euro, and go on.")
    await desk.stage.run()
    assert desk.steps == 0
    assert (await desk.stage.now("job_2")).turn == 3
    places = [desk.told.index(text) for text in ("euros, please", "receipt R-77", "and go on", "refunded 1 euros")]
    assert places == sorted(places)


async def test_calls_of_jobs_below_are_told_where_these_have_no_answer() -> None:
    """The person has stopped the job above, while the one below was at work."""
    stages = list[PlayedStage]()

    @tool
    def refund(euros: int) -> str:
        """Pay money back."""
        return f"refunded {euros} euros, receipt R-77"

    @tool
    async def stop(ctx: ToolContext) -> None:
        (stage,) = stages
        job = await stage.container.commands.submit.find("job_1")
        assert job is not None
        await stage.container.commands.cancel(job, "the user")

    def pays(request: ModelRequest) -> ModelAnswer:
        done = any(isinstance(one, ToolMessage) for one in request.messages)
        return ModelAnswer("", (Call("stop") if done else Call("refund", {"euros": 40}),))

    def leads(request: ModelRequest) -> ModelAnswer:
        told.append(repr(request.messages))
        return ModelAnswer("ok") if "go on" in told[-1] else ModelAnswer("", (Call("pays", {"task": "refund"}),))

    told = list[str]()
    below = Agent("pays", Listening(pays), tools=[refund, stop])
    stage = PlayedStage(registry=Registry([Agent("leads", Listening(leads), tools=[below]), below]))
    stages.append(stage)
    for number, text in enumerate(("Refund it.", "go on"), start=1):
        stage.clock.ms += 1_000
        job = stage.job("leads", f"job_{number}", session="chat-1")
        await Sessions(stage.container).submit(job, {"text": text, "data": {}, "chat": {}})
        await stage.run()
    assert "pays" in told[-1]
    assert "  - refund" in told[-1]
    assert "receipt R-77" in told[-1]


async def test_calls_are_told_where_there_is_hardly_any_room() -> None:
    desk = Desk("own", cancel, history=DropOldest(500))
    await desk.submit(1, "Refund 40 euros, please. " + "x" * 5_000)
    await desk.stage.run()
    await desk.submit(2, "go on")
    await desk.stage.run()
    assert "receipt R-77" in desk.told


async def test_a_read_that_does_not_show_the_end_yet_is_repeated() -> None:
    """It could lack a call that has completed."""
    desk = Desk("own", cancel)
    await desk.submit(1, "Refund 40 euros, please.")
    await desk.stage.run()
    old = [True]

    async def read(job: Method, job_id: str) -> Snapshot | None:
        found: Snapshot = await job(job_id)
        if job_id != "job_1" or not old.pop():
            return found
        return type(found)(replace(found.job, finished_at_ms=None, status="processing"), found.task)

    around(desk.stage.reader, "job", read)
    await desk.submit(2, "go on")
    with pytest.raises(StoreError, match="do not show the end of job 'job_1' yet"):
        await desk.stage.run()
    assert "go on" not in desk.told
