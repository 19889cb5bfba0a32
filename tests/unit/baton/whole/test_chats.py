"""A chat of several turns: each model is told what was said before in its session."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from baton import Agent, Call, DropOldest, Memory, Registry, tool
from baton.api.session_line import Sessions, WhenBusy
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.models.model import Message, ModelAnswer, ModelMessage, ModelRequest, ToolMessage, UserMessage
from baton.storage.ports.jobs import Snapshot
from baton_events.errors import StoreError
from tests.unit.baton.kit.stage import Stage


class Listening:
    name = "listening"
    reads_history = True

    def __init__(self) -> None:
        self.found: list[tuple[Message, ...]] = []

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.found.append(request.messages)
        if request.tools and request.turn == 1:
            return ModelAnswer(calls=(Call(request.tools[0].name),))
        return ModelAnswer(f"answer {len(self.found)}")


@tool
def look() -> str:
    return "seen"


def stage_of(model: Any, **fields: Any) -> Stage:
    return Stage(registry=Registry([Agent("talks", model, **fields)]))


async def reply(stage: Stage, number: int, text: str, replaces: str = "", session: str = "chat-1") -> Job:
    stage.clock.ms += 1_000
    chat = {"messageId": f"m{number}"} | ({"replaces": replaces} if replaces else {})
    remembers = stage.container.registry.agents[0].memory_policy is not None
    job = structs.replace(stage.job("talks", f"job_{number}", session=session), remembers=remembers)
    await Sessions(stage.container).submit(job, {"text": text, "data": {}, "chat": chat})
    await stage.run()
    return (await stage.snapshot(job.id)).job


async def test_a_third_turn_is_given_the_first_two() -> None:
    model = Listening()
    stage = stage_of(model)
    for number, text in enumerate(("one", "two", "three"), 1):
        await reply(stage, number, text)
    assert model.found[-1] == (
        UserMessage("one"),
        ModelMessage("answer 1"),
        UserMessage("two"),
        ModelMessage("answer 2"),
        UserMessage("three"),
    )


@pytest.mark.parametrize("when_busy", ["interrupt", "rollback"])
async def test_what_is_rolled_back_is_not_given(when_busy: WhenBusy) -> None:
    """What is only interrupted is, as a question without an answer."""
    model = Listening()
    stage = stage_of(model)
    for number, text in enumerate(("one", "two"), 1):
        stage.clock.ms += 1_000
        job = stage.job("talks", f"job_{number}", session="chat-1")
        await Sessions(stage.container).submit(job, {"text": text, "data": {}, "chat": {}}, when_busy)
    await stage.run()
    assert (UserMessage("one") in model.found[-1]) == (when_busy == "interrupt")
    assert model.found[-1][-1] == UserMessage("two")


async def test_other_sessions_and_jobs_outside_of_chats_are_given_nothing() -> None:
    """A job that only shares its session waits for its turn, and that is all."""
    model = Listening()
    stage = stage_of(model)
    await reply(stage, 1, "one")
    await reply(stage, 2, "two", session="chat-2")
    assert model.found[-1] == (UserMessage("two"),)
    await Sessions(stage.container).submit(stage.job("talks", "job_3", session="chat-1"), {"text": "x", "data": {}})
    await stage.run()
    assert model.found[-1] == (UserMessage("x"),)


async def test_an_answer_that_is_replaced_is_not_given() -> None:
    model = Listening()
    stage = stage_of(model)
    for number, text in enumerate(("one", "two", "three"), 1):
        await reply(stage, number, text)
    await reply(stage, 4, "two", replaces="job_2")
    assert model.found[-1] == (UserMessage("one"), ModelMessage("answer 1"), UserMessage("two"))
    await reply(stage, 5, "five")
    assert [message.text for message in model.found[-1] if not isinstance(message, ToolMessage)] == [
        "one",
        "answer 1",
        "two",
        "answer 4",
        "five",
    ]


async def test_the_conversation_is_not_sent_a_second_time_from_memory() -> None:
    model = Listening()
    stage = stage_of(model, memory=Memory())
    await reply(stage, 1, "one")
    await reply(stage, 2, "two")
    await reply(stage, 3, "three", session="chat-2")
    assert model.found[1:] == [
        (UserMessage("one"), ModelMessage("answer 1"), UserMessage("two")),
        (UserMessage("three"),),
    ]


async def test_a_policy_that_sends_little_sends_the_newest() -> None:
    """Half of its room is the conversation's."""
    model = Listening()
    stage = stage_of(model, history=DropOldest(500))
    await reply(stage, 1, "x" * 990)
    await reply(stage, 2, "two")
    await reply(stage, 3, "three")
    assert [message.text for message in model.found[-1] if isinstance(message, UserMessage)] == [
        "[Earlier messages of this conversation are left out here.]",
        "two",
        "three",
    ]


async def test_an_answer_that_a_read_does_not_show_yet_is_sent() -> None:
    """The job before has ended, else this one would not run: what the store's scripts know counts."""
    model = Listening()
    stage = stage_of(model)
    await reply(stage, 1, "one")
    seen = stage.reader.jobs

    async def old(job_ids: Sequence[str]) -> dict[str, Snapshot]:
        found = await seen(job_ids)
        running = structs.replace(found["job_1"].job, status=JobStatus.PROCESSING, result=None)
        return {**found, "job_1": replace(found["job_1"], job=running)}

    stage.reader.jobs = old  # type: ignore[method-assign]  # it is a little old
    await reply(stage, 2, "two")
    assert model.found[-1] == (UserMessage("one"), ModelMessage("answer 1"), UserMessage("two"))


async def test_an_outage_is_repeated_by_the_queue() -> None:
    model = Listening()
    stage = stage_of(model)
    await reply(stage, 1, "one")

    async def down(*_: object) -> object:
        raise StoreError("no answer")

    stage.reader.jobs = down  # type: ignore[method-assign, assignment]  # it is down
    with pytest.raises(StoreError):
        await reply(stage, 2, "two")
    assert len(model.found) == 1
