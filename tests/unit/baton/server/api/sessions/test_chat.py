"""`POST /api/chat` and `GET /api/chat/{id}/stream`, as `useChat` uses them."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from baton.server.api.session_line import Sessions
from baton_events.errors import SettingsError
from baton_events.ids import digest
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.kit.stage import SETTINGS, Stage
from tests.unit.baton.server.api.client import ADMIN, OTHER, Api, api_with, assert_problem
from tests.unit.baton.server.api.following import on_lambda
from tests.unit.baton.server.api.sessions.chatting import chat_body, job_of, parts_of, send, send_now, sending, text_of


async def test_a_message_sent_again_is_the_same_job(api: Api) -> None:
    """Also at once, and after its end: then all of it is told again. Another text needs another id."""
    first = await send(api, "chat-1", "m1", "add it up", agent="adds")
    again = await send(api, "chat-1", "m1", "add it up", agent="adds")
    assert again.text == first.text
    assert api.stage.step_result.runs == ["add 1 2", "add 3 4"]
    tasks = [asyncio.create_task(send(api, "chat-1", "m2", "once more", agent="adds")) for _ in range(3)]
    assert len({job_of(response) for response in await asyncio.gather(*tasks)}) == 1
    assert_problem(await send(api, "chat-1", "m1", "good bye", agent="adds"), 422, "messages.0.id")


async def test_the_agent_is_the_one_named_or_the_setting_or_the_first() -> None:
    async with api_with() as api:
        assert text_of(await send(api, "c", "m", "hello")) == "done"
    async with api_with(default_agent="adds") as api:
        assert text_of(await send(api, "c", "m", "hello")) == "3 and 7"
        assert text_of(await send(api, "c", "n", "hello", agent="answers")) == "done"
        assert_problem(await send(api, "c", "o", "hello", agent="nobody"), 422, "agent")


def test_a_setting_that_names_no_agent_stops_the_start() -> None:
    """No chat would be answered; the agents are loaded at the start."""
    stage = Stage(settings=replace(SETTINGS, default_agent="gone"))
    with pytest.raises(SettingsError, match=r"DEFAULT_AGENT: 'gone' is none of .*adds"):
        _ = stage.container.registry


async def test_nothing_is_resumed_where_nothing_runs(api: Api) -> None:
    assert (await api.request("GET", "/api/chat/chat-1/stream")).status_code == 204
    await send(api, "chat-1", "m1", "hello")
    answer = await api.request("GET", "/api/chat/chat-1/stream")
    assert (answer.status_code, answer.content) == (204, b"")
    requesting = await sending(api, "chat-1", "m2", "hello")
    assert (await api.request("GET", "/api/chat/chat-1/stream", OTHER)).status_code == 204
    assert_problem(await api.request("GET", "/api/chat/chat-1/stream?tenant=acme", OTHER), 403)
    resuming = asyncio.create_task(api.request("GET", "/api/chat/chat-1/stream?tenant=acme", ADMIN))
    await asyncio.sleep(0.02)
    await api.stage.run()
    told, shown = await requesting, await resuming
    assert {*told.text.splitlines()} < {*shown.text.splitlines()}  # an operator gets more


async def test_a_message_may_be_refused_while_another_is_answered(api: Api) -> None:
    first = await sending(api, "chat-1", "m1", "add", agent="adds")
    refused = await send_now(api, "chat-1", "m2", "add", whenBusy="reject")
    assert_problem(refused, 409)
    assert_problem(await api.submit(sessionId="chat-1", whenBusy="reject"), 409)
    assert_problem(await api.submit(sessionId="chat-1", whenBusy="never"), 422, "whenBusy")
    await api.stage.run()
    assert text_of(await first) == "3 and 7"


@pytest.mark.parametrize(("when_busy", "told"), [("interrupt", ["m1", "m2"]), ("rollback", ["m2"])])
async def test_what_is_rolled_back_is_no_part_of_the_conversation(api: Api, when_busy: str, told: list[str]) -> None:
    first = await sending(api, "chat-1", "m1", "add", agent="adds")
    api.stage.clock.ms += 1_000
    second = await sending(api, "chat-1", "m2", "add", whenBusy=when_busy, agent="adds")
    assert "abort" in [part["type"] for part in parts_of(await first)]
    await api.stage.run()
    session = (await api.request("GET", "/api/sessions/chat-1")).json()
    assert [message["id"] for message in session["messages"] if message["role"] == "user"] == told
    await second


async def test_a_message_may_be_said_to_the_running_job(api: Api) -> None:
    """202 and whose it is, also when it is sent again; the session shows it where it was said."""
    first = await sending(api, "chat-1", "m1", "add", agent="adds")
    told = [await send_now(api, "chat-1", "m2", "and more", whenBusy="steer") for _ in range(2)]
    started = await api.request(
        "POST", "/api/agent/start", json={"request": "x", "conversationId": "chat-1", "whenBusy": "steer"}
    )
    submitted = await api.submit(sessionId="chat-1", whenBusy="steer")
    await api.stage.run()
    running = job_of(await first)
    assert [(response.status_code, response.json()["jobId"]) for response in (*told, submitted)] == [(202, running)] * 3
    assert started.json() == {"workflowId": running}
    [_, answer] = (await api.request("GET", "/api/sessions/chat-1")).json()["messages"]
    said = [part["data"]["text"] for part in answer["parts"] if part["type"] == "data-message"]
    assert said[:2] == ["and more", "x"]


async def test_a_message_that_is_said_again_with_another_text_is_refused(api: Api) -> None:
    """By whichever id it is known, also once the model has got it; no job of its own starts."""
    first = await sending(api, "chat-1", "m1", "add", agent="adds")
    for text, status in (("and more", 202), ("and less", 422), ("", 0), ("and less", 422), ("and more", 202)):
        if not status:
            await api.stage.run(within_seconds=0)
            continue
        async with asyncio.timeout(5):
            told = await send_now(api, "chat-1", "m2", text, whenBusy="steer")
        fields = {"sessionId": "chat-1", "whenBusy": "steer", "taskDescription": text}
        submitted = await api.submit(idempotency_key="k1", **fields)
        assert (told.status_code, submitted.status_code) == (status, status)
    await api.stage.run()
    assert text_of(await first)
    assert len((await api.request("GET", "/api/agent-jobs")).json()["jobs"]) == 1


@pytest.mark.parametrize("payload_keys", ["", f"k1:{'A' * 43}="])
async def test_what_compares_messages_is_no_digest_to_guess_by(payload_keys: str) -> None:
    """A short text could be found by its digest."""
    async with api_with(payload_keys=payload_keys) as api:
        first = await sending(api, "chat-1", "m1", "add", agent="adds")
        told = [await send_now(api, "chat-1", "m2", "yes", whenBusy="steer") for _ in range(2)]
        assert [one.status_code for one in told] == [202, 202]
        kept = repr(api.stage.redis.version().values)
        assert (digest("yes", "null") in kept) is not bool(payload_keys)
        await api.stage.run()
        await first


async def test_a_message_to_a_job_that_is_gone_is_a_job_of_its_own(api: Api) -> None:
    """A message that is sent again counts once, and its first taker may have been deleted meanwhile."""
    await sending(api, "chat-1", "m1", "add", agent="adds")
    sessions, stage = Sessions(api.stage.container), api.stage
    job = stage.job("adds", "job_2", session="chat-1")
    await stage.admission.first_value("steer:job_2", "job_gone")
    assert await sessions.steer(job, {"text": "and more"}) is None


@pytest.mark.parametrize("meanwhile", ["cancelled", "forgotten"])
async def test_a_message_is_said_to_no_job_that_has_just_ended(api: Api, meanwhile: str) -> None:
    """The next one in line gets it. It is a job of its own where the first one may be refused yet."""
    stage, jobs = api.stage, list[str]()
    for _ in range(2):
        stage.clock.ms += 1_000
        jobs.append((await api.submitted(jobType="adds", sessionId="chat-1"))["id"])
    first, second = jobs

    async def end_first(read: Method, names: list[str]) -> Any:
        found = await read(names)
        if meanwhile == "forgotten":
            stage.store.trees.pop(first, None)
        elif not (job := await stage.now(first)).ended:
            await stage.container.commands.cancel(job, "somebody")
        return found

    around(stage.reader, "jobs", end_first)
    told = await api.submitted(sessionId="chat-1", whenBusy="steer")
    assert told.get("jobId") == {"cancelled": second, "forgotten": None}[meanwhile]


async def test_where_nothing_streams_the_answer_is_what_is_there(api: Api) -> None:
    """A host that keeps answers back until they are whole gets no end before the end; the job goes on."""
    answer = await on_lambda(api, "/api/chat", json=chat_body("chat-1", "m1", "hello"))
    assert answer.status_code == 200
    assert '"type":"start"' in answer.text
    assert "[DONE]" not in answer.text
    await api.stage.run()
    assert text_of(await send(api, "chat-1", "m1", "hello")) == "done"
