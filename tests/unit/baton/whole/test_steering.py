"""What is said to a running job: its model is told before its next turn, once, whatever is repeated."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

import pytest

from baton import Agent, Call, Registry, tool
from baton.api.session_line import Sessions
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.models.model import ModelAnswer, ModelError, ModelMessage, ModelRequest, ToolMessage
from baton.models.model import UserMessage as User
from baton_events.errors import StoreError
from tests.unit.baton.kit.faults import fail
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.plan_kit import parts_of
from tests.unit.baton.kit.stage import SETTINGS, Stage

Continuation = Literal["queue", "inline"]
either_way = pytest.mark.parametrize("continuation", ["queue", "inline"])


class Chat:
    """A session in which one job runs; its model looks in its first turn, and then answers.

    `meanwhile`: by turn, what happens before the model does so.
    """

    def __init__(self, continuation: Continuation = "queue") -> None:
        @tool
        def look() -> str:
            return "seen"

        self.meanwhile: dict[int, Callable[[], Awaitable[Any]]] = {}
        self.model = Listening(self._answer)
        settings = replace(SETTINGS, continuation=continuation)
        self.stage = Stage(settings=settings, registry=Registry([Agent("talks", self.model, tools=[look])]))
        self.sessions = Sessions(self.stage.container)

    async def _answer(self, request: ModelRequest) -> ModelAnswer:
        if (happens := self.meanwhile.pop(request.turn, None)) is not None:
            await happens()
        return ModelAnswer(calls=(Call("look"),)) if request.turn == 1 else ModelAnswer(f"answer {request.turn}")

    def job(self, name: str) -> Job:
        self.stage.clock.ms += 1_000
        return self.stage.job("talks", name, session="chat-1")

    async def submit(self, name: str = "job_1", text: str = "one") -> None:
        await self.sessions.submit(self.job(name), {"text": text, "data": {}, "chat": {}})

    async def say(self, name: str, text: str) -> Job | None:
        """Say something to whatever runs."""
        return await self.sessions.steer(self.job(name), {"text": text, "data": {}, "chat": {}})

    async def shown(self) -> list[str]:
        """What the stream shows of what was said."""
        return [part["data"]["text"] for part in await parts_of(self.stage, "data-message")]


@either_way
async def test_what_is_said_is_told_before_the_next_turn(continuation: Continuation) -> None:
    chat = Chat(continuation)
    await chat.submit()
    chat.meanwhile[1] = lambda: chat.say("m2", "two")
    await chat.stage.run()
    assert [type(message) for message in chat.model.found[1]] == [User, ModelMessage, ToolMessage, User]
    assert chat.model.found[1][-1] == User("two")
    snapshot = await chat.stage.snapshot()
    assert (snapshot.job.result, snapshot.messages) == ({"answer": "answer 2"}, {"m2": ""})
    assert await chat.shown() == ["two"]


@either_way
async def test_a_job_that_is_told_something_in_its_last_turn_goes_on(continuation: Continuation) -> None:
    chat = Chat(continuation)

    async def both() -> None:
        await chat.say("m2", "two")
        await chat.say("m3", "three")

    await chat.submit()
    chat.meanwhile[2] = both
    await chat.stage.run()
    assert chat.model.found[2][-3:] == (ModelMessage("answer 2"), User("two"), User("three"))
    job = await chat.stage.now()
    assert (job.status, job.result) == (JobStatus.COMPLETED, {"answer": "answer 3"})
    roles = [entry["role"] for entry in await chat.stage.reader.transcript("job_1")]
    assert roles == ["user", "model", "model", "user", "user", "model"]


async def test_a_message_that_comes_again_is_told_once() -> None:
    """While its job runs, and after its end; also where the store's answer was lost, and its backup comes too."""
    chat = Chat()
    await chat.submit()
    fail(chat.stage.store, "signal", StoreError("no answer"), applied=True)
    with pytest.raises(StoreError):
        await chat.say("m2", "two")
    told = [await chat.say("m2", "two") for _ in range(2)]
    await chat.stage.run()
    told.append(await chat.say("m2", "two"))
    assert [job.id for job in told if job] == ["job_1"] * 3
    assert [message for message in chat.model.found[-1] if message == User("two")] == [User("two")]
    assert await chat.shown() == ["two"]


async def test_where_nothing_runs_it_is_a_job_of_its_own() -> None:
    chat = Chat()
    assert await chat.say("m1", "one") is None
    await chat.submit()
    await chat.stage.run()
    assert await chat.say("m2", "two") is None
    await chat.submit("m2")
    assert await chat.say("m2", "two") is None


async def test_a_later_job_of_the_session_is_given_it() -> None:
    chat = Chat()
    await chat.submit()
    await chat.say("m2", "two")
    await chat.stage.run()
    await chat.submit("job_3", "three")
    await chat.stage.run()
    assert chat.model.found[-1][:2] == (User("one\n\ntwo"), ModelMessage("answer 2"))


async def test_who_fails_tells_nothing_more() -> None:
    """What was said stays with the job; a retry tells it."""
    chat = Chat()

    async def doomed() -> None:
        await chat.say("m2", "two")
        raise ModelError("no", retryable=False)

    await chat.submit()
    chat.meanwhile[2] = doomed
    await chat.stage.run()
    snapshot = await chat.stage.snapshot()
    assert (snapshot.job.status, bool(snapshot.messages["m2"])) == (JobStatus.FAILED, True)
    await chat.stage.container.commands.retry(snapshot.job, "me", from_start=False)
    await chat.stage.run()
    assert chat.model.found[-1][-1] == User("two")
