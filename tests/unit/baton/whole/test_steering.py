"""What is said to a running job: its model is told before its next turn, once, whatever is repeated."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.api.session_line import Sessions
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.models.model import Message, ModelAnswer, ModelError, ModelMessage, ModelRequest, ToolMessage
from baton.models.model import UserMessage as User
from baton_events.errors import StoreError
from tests.unit.baton.kit.plan_kit import parts_of
from tests.unit.baton.kit.stage import SETTINGS, Stage

TASK = {"text": "one", "data": {}, "chat": {}}
Meanwhile = Callable[[], Awaitable[Any]]


class Interrupted:
    """A model that looks in its first turn and then answers; `meanwhile`: by turn, what happens before it does so."""

    name = "interrupted"
    reads_history = True

    def __init__(self) -> None:
        self.meanwhile: dict[int, Meanwhile] = {}
        self.found: list[tuple[Message, ...]] = []

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.found.append(request.messages)
        if (happens := self.meanwhile.pop(request.turn, None)) is not None:
            await happens()
        return ModelAnswer(calls=(Call("look"),)) if request.turn == 1 else ModelAnswer(f"answer {request.turn}")


@tool
def look() -> str:
    return "seen"


class Chat:
    def __init__(self, continuation: Literal["queue", "inline"] = "queue") -> None:
        self.model = Interrupted()
        agents = [Agent("talks", self.model, tools=[look]), Agent("recites", ScriptedModel(["done"]))]
        settings = replace(SETTINGS, continuation=continuation)
        self.stage = Stage(settings=settings, registry=Registry(agents))
        self.sessions = Sessions(self.stage.container)

    async def submit(self) -> None:
        await self.sessions.submit(self.job(), TASK)

    def job(self, name: str = "job_1") -> Job:
        self.stage.clock.ms += 1_000
        return self.stage.job("talks", name, session="chat-1")

    async def say(self, name: str, text: str) -> Job | None:
        return await self.sessions.steer(self.job(name), {"text": text, "data": {}, "chat": {}})

    async def shown(self) -> list[str]:
        return [part["data"]["text"] for part in await parts_of(self.stage, "data-message")]


@pytest.mark.parametrize("continuation", ["queue", "inline"])
async def test_what_is_said_is_told_before_the_next_turn(continuation: Literal["queue", "inline"]) -> None:
    chat = Chat(continuation)
    await chat.submit()
    chat.model.meanwhile[1] = lambda: chat.say("m2", "two")
    await chat.stage.run()
    assert [type(message) for message in chat.model.found[1]] == [User, ModelMessage, ToolMessage, User]
    assert chat.model.found[1][-1] == User("two")
    snapshot = await chat.stage.snapshot()
    assert (snapshot.job.result, snapshot.messages) == ({"answer": "answer 2"}, {"m2": ""})
    assert await chat.shown() == ["two"]


@pytest.mark.parametrize("continuation", ["queue", "inline"])
async def test_a_job_that_is_told_something_in_its_last_turn_goes_on(continuation: Literal["queue", "inline"]) -> None:
    chat = Chat(continuation)

    async def both() -> None:
        await chat.say("m2", "two")
        await chat.say("m3", "three")

    await chat.submit()
    chat.model.meanwhile[2] = both
    await chat.stage.run()
    assert chat.model.found[2][-3:] == (ModelMessage("answer 2"), User("two"), User("three"))
    snapshot = await chat.stage.snapshot()
    assert (snapshot.job.status, snapshot.job.result) == (JobStatus.COMPLETED, {"answer": "answer 3"})
    assert [entry["role"] for entry in await chat.stage.reader.transcript("job_1")] == [
        *("user", "model", "model", "user", "user", "model")
    ]


async def test_a_message_that_comes_again_is_told_once() -> None:
    chat = Chat()
    await chat.submit()
    told = [await chat.say("m2", "two") for _ in range(2)]
    await chat.stage.run()
    told.append(await chat.say("m2", "two"))
    assert [job.id for job in told if job] == ["job_1"] * 3
    assert [message for message in chat.model.found[-1] if message == User("two")] == [User("two")]


async def test_an_answer_of_the_store_that_is_lost_tells_nothing_twice() -> None:
    chat = Chat()
    await chat.submit()
    signal = chat.stage.store.signal

    async def lost(*args: Any, **named: Any) -> Any:
        await signal(*args, **named)
        chat.stage.store.signal = signal  # type: ignore[method-assign]
        raise StoreError("no answer")

    chat.stage.store.signal = lost  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        await chat.say("m2", "two")
    assert await chat.say("m2", "two") is not None
    await chat.stage.run()
    assert await chat.shown() == ["two"]


async def test_where_nothing_runs_it_is_a_job_of_its_own() -> None:
    chat = Chat()
    assert await chat.say("m1", "one") is None
    await chat.submit()
    await chat.stage.run()
    assert await chat.say("m2", "two") is None
    await chat.sessions.submit(chat.job("m2"), TASK)
    assert await chat.say("m2", "two") is None


async def test_a_later_job_of_the_session_is_given_it() -> None:
    chat = Chat()
    await chat.submit()
    await chat.say("m2", "two")
    await chat.stage.run()
    await chat.sessions.submit(chat.job("job_3"), {"text": "three", "data": {}, "chat": {}})
    await chat.stage.run()
    assert chat.model.found[-1][:2] == (User("one\n\ntwo"), ModelMessage("answer 2"))


async def test_who_fails_tells_nothing_more() -> None:
    chat = Chat()

    async def fail() -> None:
        await chat.say("m2", "two")
        raise ModelError("no", retryable=False)

    await chat.submit()
    chat.model.meanwhile[2] = fail
    await chat.stage.run()
    snapshot = await chat.stage.snapshot()
    assert (snapshot.job.status, bool(snapshot.messages["m2"])) == (JobStatus.FAILED, True)
    await chat.stage.container.commands.retry(snapshot.job, "me", from_start=False)
    await chat.stage.run()
    assert chat.model.found[-1][-1] == User("two")
