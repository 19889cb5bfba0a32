"""Copies of an exchange in memory follow their original: edited, answered anew, rolled back, deleted, erased."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from baton import Agent, Call, Pending, Registry, remember, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest, UserMessage
from baton_events.errors import MemoryUnavailableError
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, Api, api_of, with_keys
from tests.unit.baton.server.api.sessions.chatting import chat_body, delivering, job_of, send, sending
from tests.unit.baton.server.protocols.ag_ui import test_runs as ag_ui

SECRET = "HUNTER2"


def answer(request: ModelRequest) -> ModelAnswer:
    """Say what it was asked; note it on request, and then wait."""
    asked = [one for one in request.messages if isinstance(one, UserMessage) and not one.note]
    text, is_first = asked[-1].text, request.messages[-1] is asked[-1]
    if is_first and text.startswith("Note"):
        calls = [Call("remember", {"text": text}), *([Call("hold")] if "wait" in text else [])]
        return ModelAnswer("", tuple(calls))
    return ModelAnswer(f"I heard: {text}")


@tool(background=False)
async def hold() -> Pending:
    return Pending(timeout_seconds=3_600)


class World:
    def __init__(self, api: Api, index: FakeLongTermMemory, model: Listening) -> None:
        self.api, self.index, self.model = api, index, model

    async def say(self, message: str, text: str, session: str = "s", **fields: Any) -> str:
        self.api.stage.clock.ms += 1_000
        job_id = job_of(await send(self.api, session, message, text, **fields))
        await self.api.stage.run()
        return job_id

    async def say_while_the_index_is_away(self, text: str, **fields: Any) -> None:
        self.index.down = MemoryUnavailableError("away")
        self.api.stage.clock.ms += 1_000
        body = chat_body("s", "m1", text, agent="desk", **fields)
        await delivering(self.api, self.api.request("POST", "/api/chat", json=body), within_seconds=2)
        self.index.down = None

    async def kept(self, session: str = "s") -> str:
        recent = await self.api.stage.container.memory.recent("acme", session)
        return str([one.text for one in (*recent, *self.index.entries.values())])

    async def is_known(self) -> bool:
        """Whether anything of the secret is in either memory, or is told to a job of another session."""
        await self.say("other", f"What of {SECRET[:-1]}?", session=f"s{len(self.model.requests)}")
        return SECRET in await self.kept() or SECRET in str(self.model.found[-1])


@asynccontextmanager
async def world(**settings: Any) -> AsyncIterator[World]:
    index, model = FakeLongTermMemory(), Listening(answer)
    agents = [
        Agent("desk", model, memory=True, tools=[remember, hold]),
        Agent("plain", Listening(answer), tools=[remember]),
    ]
    stage = Stage(settings=with_keys(**settings), registry=Registry(agents), long_term_memory=index)
    async with api_of(stage) as api:
        yield World(api, index, model)


@pytest.mark.parametrize("by", ["desk", "plain"])
@pytest.mark.parametrize("text", [f"My password is {SECRET}.", f"Note that it is {SECRET}."])
async def test_what_is_edited_away_is_forgotten(text: str, by: str) -> None:
    """Whichever agent answers, by whichever id the edited message is known."""
    for edited in ({"message": "m2", "messageId": "m2"}, {"message": "m9", "messageId": "m2"}):
        async with world() as here:
            await here.say("m1", "Hello.")
            await here.say("m2", text)
            await here.say("m3", "And then?")
            assert await here.is_known()
            await here.say(edited["message"], "It is a secret.", messageId=edited["messageId"], agent=by)
            assert not await here.is_known()
            assert "Hello." in await here.kept()
            assert "And then?" not in await here.kept(), "all behind it is replaced, too"


async def test_an_answer_that_is_made_anew_is_forgotten_before_the_new_one() -> None:
    async with world() as here:
        await here.say("m1", f"My password is {SECRET}.")
        here.model.requests.clear()
        await here.say("m1", f"My password is {SECRET}.", trigger="regenerate-message")
        assert "I heard" not in str(here.model.found[0])
        assert (await here.kept()).count("Asked") == 2, "one exchange, in both memories"


async def test_all_behind_an_old_message_is_forgotten() -> None:
    async with world() as here:
        for number in range(30):
            await here.say(f"m{number}", f"My password is {SECRET}-{number}.")
        await here.say("m0", "Nothing.", messageId="m0")
        assert not [one for one in here.index.entries.values() if SECRET in one.text]


async def test_a_run_of_ag_ui_that_begins_anew_is_forgotten() -> None:
    async with world() as here:
        for run, text in (("r1", f"My password is {SECRET}."), ("r2", "It is a secret.")):
            here.api.stage.clock.ms += 1_000
            await ag_ui.send(here.api, "desk", ag_ui.run_input(run, ag_ui.user("m1", text), thread="s"))
            await here.api.stage.run()
        assert not await here.is_known()


async def test_a_rollback_leaves_no_note() -> None:
    async with world() as here:
        first = await sending(here.api, "s", "m1", f"Note, and wait: {SECRET}", agent="desk")
        await here.api.stage.run(within_seconds=60)
        assert SECRET in await here.kept()
        second = await sending(here.api, "s", "m2", "Hello.", whenBusy="rollback", agent="desk")
        await here.api.stage.run(within_seconds=60)
        await asyncio.gather(first, second)
        assert not await here.is_known()


@pytest.mark.parametrize("how", ["a job", "a session", "a subject"])
async def test_what_is_deleted_is_forgotten(how: str) -> None:
    async with world() as here:
        job_id = await here.say("m1", f"My password is {SECRET}.", subjectId="anna")
        await here.say("m2", "Hello.")
        match how:
            case "a job":
                response = await here.api.request("DELETE", f"/api/agent-jobs/{job_id}")
            case "a session":
                response = await here.api.request("DELETE", "/api/sessions/s")
            case _:
                response = await here.api.request("DELETE", "/api/admin/subjects/anna?tenant=acme", ADMIN)
        assert response.status_code < 300, response.text
        assert not await here.is_known()
        assert ("Hello." in await here.kept()) == (how == "a job")


async def test_a_copy_that_comes_late_is_refused() -> None:
    """The memory was away when the job ended, and its message is edited before it is back."""
    async with world() as here:
        await here.say_while_the_index_is_away(f"My password is {SECRET}.")
        await here.say("m1", "It is a secret.", messageId="m1")
        assert not await here.is_known()
        assert "It is a secret." in await here.kept()


async def test_an_index_that_is_away_forgets_later() -> None:
    """With the end of the new job at the latest."""
    async with world() as here:
        await here.say("m1", f"My password is {SECRET}.")
        await here.say_while_the_index_is_away("It is a secret.", messageId="m1")
        await here.api.stage.run()
        assert not await here.is_known()
