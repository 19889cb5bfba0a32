"""A chat of several turns: each model is told what was said before in its session."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from baton import Agent, Call, DropOldest, Memory, Registry, ToolError, tool
from baton.engine.transitions import JobStatus
from baton.sdk.models.model import Message, ModelAnswer, ModelMessage, ModelRequest, UserMessage
from baton.server.api.session_line import Sessions, WhenBusy
from baton.store.records.jobs import Snapshot
from baton_events.errors import StoreError
from tests.unit.baton.kit.faults import Method, around, fail
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.stage import Stage


class Chats:
    """One agent, whose model numbers its answers and keeps what it is told."""

    def __init__(self, **fields: Any) -> None:
        self.model = Listening(self._answer)
        self.stage = Stage(registry=Registry([Agent("talks", self.model, **fields)]))
        self.sessions = Sessions(self.stage.container)
        self.remembers = "memory" in fields

    def _answer(self, _request: ModelRequest) -> ModelAnswer:
        return ModelAnswer(f"answer {len(self.model.requests)}")

    async def submit(
        self,
        number: int,
        text: str,
        when_busy: WhenBusy = "queue",
        *,
        session: str = "chat-1",
        chat: dict[str, str] | None = None,
    ) -> None:
        self.stage.clock.ms += 1_000
        job = structs.replace(self.stage.job("talks", f"job_{number}", session=session), remembers=self.remembers)
        await self.sessions.submit(job, {"text": text, "data": {}, "chat": chat or {}}, when_busy)

    async def reply(self, number: int, text: str, session: str = "chat-1", **chat: str) -> tuple[Message, ...]:
        """Say something in a chat, and have it answered; what the model was told."""
        await self.submit(number, text, session=session, chat={"messageId": f"m{number}", **chat})
        await self.stage.run()
        return self.model.found[-1]


def texts(found: Sequence[Message]) -> list[str]:
    return [message.text for message in found if isinstance(message, UserMessage | ModelMessage)]


async def test_a_turn_is_given_those_before_it_but_for_what_was_replaced() -> None:
    chats = Chats()
    await chats.reply(1, "one")
    await chats.reply(2, "two")
    assert await chats.reply(3, "three") == (
        UserMessage("one"),
        ModelMessage("answer 1"),
        UserMessage("two"),
        ModelMessage("answer 2"),
        UserMessage("three"),
    )
    assert texts(await chats.reply(4, "two", replaces="job_2")) == ["one", "answer 1", "two"]
    assert texts(await chats.reply(5, "five")) == ["one", "answer 1", "two", "answer 4", "five"]


@pytest.mark.parametrize("when_busy", ["interrupt", "rollback"])
async def test_what_is_rolled_back_is_not_given(when_busy: WhenBusy) -> None:
    """What is only interrupted is, as a question without an answer."""
    chats = Chats()
    await chats.submit(1, "one", when_busy)
    await chats.submit(2, "two", when_busy)
    await chats.stage.run()
    found = chats.model.found[-1]
    assert (UserMessage("one") in found, found[-1]) == (when_busy == "interrupt", UserMessage("two"))


async def test_other_sessions_and_jobs_outside_of_chats_are_given_nothing() -> None:
    """A job that only shares its session waits for its turn, and that is all."""
    chats = Chats()
    await chats.reply(1, "one")
    assert await chats.reply(2, "two", session="chat-2") == (UserMessage("two"),)
    job = chats.stage.job("talks", "job_3", session="chat-1")
    await chats.sessions.submit(job, {"text": "x", "data": {}})
    await chats.stage.run()
    assert chats.model.found[-1] == (UserMessage("x"),)


async def test_the_conversation_is_not_sent_a_second_time_from_memory() -> None:
    """An agent that remembers has the session's exchanges in both."""
    chats = Chats(memory=Memory())
    await chats.reply(1, "one")
    assert texts(await chats.reply(2, "two")) == ["one", "answer 1", "two"]
    assert await chats.reply(3, "three", session="chat-2") == (UserMessage("three"),)


class Finding(Chats):
    """Each message names the orders to find: the model calls a tool for each, and answers without what it found."""

    def __init__(self, size: int = 0, **fields: Any) -> None:
        @tool
        def find(order: str) -> str:
            if order == "lost":
                raise ToolError("nobody has it")
            return f"{order} is R-7741" + "." * size

        super().__init__(tools=[find], **fields)

    def _answer(self, request: ModelRequest) -> ModelAnswer:
        last = request.messages[-1]
        if isinstance(last, UserMessage) and last.text and not last.note:
            return ModelAnswer("", tuple([Call("find", {"order": one}) for one in last.text.split()]))
        return ModelAnswer("found")


async def test_what_the_calls_of_the_last_answer_found_is_told() -> None:
    """Of those before it, the answers alone; also what a call did not find."""
    chats = Finding()
    await chats.reply(1, "one")
    await chats.reply(2, "two lost")
    await chats.submit(3, "three", chat={"messageId": "m3"})
    await chats.stage.run()
    told = next(found for found in chats.model.found if found[-1] == UserMessage("three"))
    two = '- find {"order":"two"}: completed. Its result: "two is R-7741"'
    lost = '- find {"order":"lost"}: failed: ToolError: nobody has it'
    calls = f"[Its calls:]\n{two}\n{lost}"
    assert texts(told) == ["one", "found", "two lost", calls, "found", "three"]


@pytest.mark.parametrize("most", [500, 1_000, 20_000])
async def test_what_calls_found_leaves_room_for_the_exchanges_before(most: int) -> None:
    """It takes half of the room at most."""
    chats = Finding(3_000, history=DropOldest(most))
    await chats.reply(1, "one")
    await chats.reply(2, "two")
    await chats.submit(3, "three", chat={"messageId": "m3"})
    await chats.stage.run()
    told = texts(next(found for found in chats.model.found if found[-1] == UserMessage("three")))
    (calls,) = [text for text in told if text.startswith("[Its calls:]")]
    assert told[0] == "one"
    assert len(calls) <= max(most, 100)


async def test_a_policy_that_sends_little_sends_the_newest() -> None:
    """Half of its room is the conversation's."""
    chats = Chats(history=DropOldest(500))
    await chats.reply(1, "x" * 990)
    await chats.reply(2, "two")
    assert texts(await chats.reply(3, "three")) == [
        "[Earlier messages of this conversation are left out here.]",
        "two",
        "answer 2",
        "three",
    ]


async def test_an_answer_that_a_read_does_not_show_yet_is_sent() -> None:
    """The job before has ended, else this one would not run: what the store's scripts know counts."""
    chats = Chats()
    await chats.reply(1, "one")

    async def old(jobs: Method, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        found = await jobs(job_ids)
        running = structs.replace(found["job_1"].job, status=JobStatus.PROCESSING, result=None)
        return {**found, "job_1": replace(found["job_1"], job=running)}

    around(chats.stage.reader, "jobs", old)
    assert texts(await chats.reply(2, "two")) == ["one", "answer 1", "two"]


async def test_an_outage_is_repeated_by_the_queue() -> None:
    chats = Chats()
    await chats.reply(1, "one")
    fail(chats.stage.reader, "jobs", StoreError("no answer"), 9)
    with pytest.raises(StoreError):
        await chats.reply(2, "two")
    assert len(chats.model.requests) == 1
