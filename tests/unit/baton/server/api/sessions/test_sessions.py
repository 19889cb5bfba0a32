"""`GET /api/sessions/{id}`, stopping, deleting and forgetting one."""

import asyncio
from urllib.parse import quote

import pytest

from baton.server.api.session_line import Sessions
from baton.server.api.sessions import chat
from baton.server.api.sessions.sessions import NOTHING_RUNS
from baton_events.errors import MemoryUnavailableError
from tests.fakes import FakeLongTermMemory
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.sdk.memory.sample_entries import an_entry
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_of, assert_problem, with_keys
from tests.unit.baton.server.api.following import cut
from tests.unit.baton.server.api.sessions.chatting import job_of, parts_of, send, send_now, sending, text_of


async def test_a_session_has_its_messages_in_order(api: Api) -> None:
    """As `useChat` keeps them: text and tools; a job outside of a chat is part of it, too."""
    first = job_of(await send(api, "chat-1", "m1", "add it up", agent="adds"))
    other = (await api.submitted(sessionId="chat-1", taskDescription="and then?"))["id"]
    await api.stage.run()
    assert_problem(await api.request("GET", "/api/sessions/chat-1", OTHER), 404)
    assert_problem(await api.request("GET", "/api/sessions/unknown"), 404)
    session = (await api.request("GET", "/api/sessions/chat-1?tenant=acme", ADMIN)).json()
    assert (session["id"], session["activeStream"], session["queued"]) == ("chat-1", None, [])
    messages = session["messages"]
    assert [(one["id"], one["role"]) for one in messages] == [
        ("m1", "user"),
        (first, "assistant"),
        (f"{other}-user", "user"),
        (other, "assistant"),
    ]
    assert messages[0]["parts"] == [{"type": "text", "text": "add it up"}]
    assert messages[1]["parts"][2]["output"] == 3
    assert messages[1]["metadata"] == {"status": "completed"}
    cut(api.stage, 1_000)
    trimmed = (await api.request("GET", "/api/sessions/chat-1")).json()["messages"]
    assert trimmed[1]["parts"] == [{"type": "text", "text": "3 and 7", "state": "done"}], "as in the job's result"


async def test_an_unfinished_answer_is_left_out_and_can_be_followed(api: Api) -> None:
    """Its question is there; what waits behind it is told apart."""
    await send(api, "chat-1", "m1", "hello")
    running = await sending(api, "chat-1", "m2", "add", agent="adds")
    waiting = await sending(api, "chat-1", "m3", "add", agent="adds")
    session = (await api.request("GET", "/api/sessions/chat-1")).json()
    assert [one["id"] for one in session["messages"]][-1] == "m2"
    assert [one["id"] for one in session["queued"]] == ["m3"]
    active = session["activeStream"]
    assert active == {"jobId": active["jobId"], "lastMessageId": "0-0", "operationId": None, "toolName": None}
    await api.stage.run()
    assert job_of(await running) == active["jobId"]
    assert text_of(await waiting) == "3 and 7"


async def test_a_long_session_comes_in_pages(api: Api) -> None:
    for number in range(1, 6):
        await send(api, "chat-1", f"m{number}", "hello")
    newest = (await api.request("GET", "/api/sessions/chat-1?limit=2")).json()
    assert [one["id"] for one in newest["messages"] if one["role"] == "user"] == ["m4", "m5"]
    older = (await api.request("GET", "/api/sessions/chat-1", params={"limit": 3, "cursor": newest["cursor"]})).json()
    assert [one["id"] for one in older["messages"] if one["role"] == "user"] == ["m1", "m2", "m3"]
    assert "cursor" not in older


async def test_requesting_once_more_while_the_answer_runs_ends_that(api: Api) -> None:
    """And a client that repeats its request is told of the same new one."""
    first = await sending(api, "chat-1", "m1", "add", agent="adds")
    second = await sending(api, "chat-1", "m1", "add", agent="adds", trigger="regenerate-message")
    repeated = asyncio.create_task(send_now(api, "chat-1", "m1", "add", agent="adds", trigger="regenerate-message"))
    assert "abort" in [part["type"] for part in parts_of(await first)]
    await api.stage.run()
    assert job_of(await second) == job_of(await repeated)
    assert text_of(await second) == "3 and 7"


async def test_an_edited_message_takes_the_place_of_the_old_one(api: Api) -> None:
    """With all that came after it; sent again it is the same job."""
    for number in (1, 2, 3):
        await send(api, "chat-1", f"m{number}", "hello")
    edited = job_of(await send(api, "chat-1", "m2", "good bye", messageId="m2"))
    assert job_of(await send(api, "chat-1", "m2", "good bye", messageId="m2")) == edited
    messages = (await api.request("GET", "/api/sessions/chat-1")).json()["messages"]
    assert [one["parts"][0]["text"] for one in messages if one["role"] == "user"] == ["hello", "good bye"]
    assert messages[-1]["id"] == edited


async def test_who_was_deleted_meanwhile_hinders_no_stop(api: Api) -> None:
    """Its place in line outlives it: whoever stops the line, or interrupts it by a message, has met it there."""
    gone, waits = [(await api.submitted(sessionId="chat-1", taskDescription="wait")) for _ in range(2)]
    line = await Sessions(api.stage.container).line("acme", "chat-1")
    await api.request("PATCH", f"/api/agent-jobs/{gone['id']}", json={"action": "cancel"})
    assert (await api.request("DELETE", f"/api/agent-jobs/{gone['id']}")).status_code == 204
    stopped = await Sessions(api.stage.container).stop([snapshot.job for snapshot in line], "another message")
    assert [(job.id, job.status) for job in stopped] == [(waits["id"], "cancelled")]


async def test_a_session_is_stopped(api: Api) -> None:
    """The running job and those in line, before their first event; their streams end; a second time nothing runs."""
    first = await sending(api, "chat-1", "m1", "add", agent="adds")
    second = await sending(api, "chat-1", "m2", "add", agent="adds")
    assert_problem(await api.request("POST", "/api/sessions/chat-1/cancel", OTHER), 404)
    answer = await api.request("POST", "/api/sessions/chat-1/cancel")
    assert answer.status_code == 200
    found = answer.json()
    assert (found["cancelled"], found["reason"]) == (True, None)
    assert found["cancelledJobs"] == [job_of(await first), job_of(await second)]
    assert found["jobId"] == job_of(await first)
    await api.stage.run()
    assert api.stage.step_result.runs == []
    again = await api.request("POST", "/api/sessions/chat-1/cancel")
    assert again.json() == {"cancelled": False, "jobId": None, "reason": NOTHING_RUNS}
    answer = await api.request("GET", "/api/sessions/chat-1")
    assert [one["metadata"].get("status") for one in answer.json()["messages"]] == [None, "cancelled"] * 2


async def test_a_session_is_deleted(api: Api) -> None:
    """Its jobs' data and its memory, once all have ended; those of others stay."""
    for number in range(1, 4):
        await send(api, "chat-1", f"m{number}", "hello")
    other = job_of(await send(api, "chat-2", "m1", "hello"))
    running = await sending(api, "chat-1", "m4", "hello")
    memory = api.stage.container.memory
    for session in ("chat-1", "chat-2"):
        await memory.store("acme", an_entry(f"of {session}", session=session))
    assert "cancel it first" in assert_problem(await api.request("DELETE", "/api/sessions/chat-1"), 409)
    await api.stage.run()
    job_id = job_of(await running)
    assert_problem(await api.request("DELETE", "/api/sessions/chat-1", OTHER), 404)
    answer = await api.request("DELETE", "/api/sessions/chat-1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert [len(await memory.recent("acme", session)) for session in ("chat-1", "chat-2")] == [0, 1]
    await api.stage.run()
    assert_problem(await api.request("GET", f"/api/agent-jobs/{job_id}"), 410)
    assert_problem(await api.request("GET", "/api/sessions/chat-1"), 404)
    assert_problem(await api.request("DELETE", "/api/sessions/chat-1"), 404)
    assert (await api.read(other))["status"] == "completed"


async def test_who_closes_the_connection_stops_nothing(api: Api) -> None:
    running = await sending(api, "chat-1", "m1", "add", agent="adds")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await api.stage.run()
    messages = (await api.request("GET", "/api/sessions/chat-1")).json()["messages"]
    assert messages[-1]["metadata"] == {"status": "completed"}


@pytest.mark.parametrize("session", ["session_1", "a session/with %2F ü", "x" * 200, "of\ntwo lines\n"])
@pytest.mark.parametrize("index", [FakeLongTermMemory(), None], ids=["with an index", "without"])
async def test_a_session_is_forgotten(session: str, index: FakeLongTermMemory | None) -> None:
    """Whatever text its id is; in both memories, of its tenant alone; a second time there is nothing."""
    async with api_of(Stage(settings=with_keys(), long_term_memory=index)) as api:
        await api.stage.container.memory.store("acme", an_entry("of it", session=session))
        path = f"/api/sessions/{quote(session, safe='/')}/memory"
        assert (await api.request("DELETE", path, OTHER)).json()["forgotten"] == {"session": 0, "longTerm": 0}
        for count, key in ((1, ADMIN), (0, ACME)):
            answer = await api.request("DELETE", f"{path}?tenant=acme", key)
            assert answer.status_code == 200, answer.text
            assert answer.json() == {
                "sessionId": session,
                "forgotten": {"session": count, "longTerm": count if index else 0},
            }
        assert not index or index.entries == {}
        assert await api.stage.container.memory.recent("acme", session) == ()
        assert_problem(await api.request("DELETE", f"/api/sessions/{'x' * 201}/memory"), 404)


async def test_a_slash_of_an_id_ends_no_part_of_a_path(api: Api) -> None:
    """Neither of a session, whose memory is another's, nor of a job."""
    for session in ("a", "a/memory"):
        await api.stage.container.memory.store("acme", an_entry("of it", session=session))
    assert_problem(await api.request("DELETE", "/api/sessions/a%2fmemory", OTHER), 404)
    assert len(await api.stage.container.memory.recent("acme", "a")) == 1
    for path in ("/api/sessions/a%2Fmemory/memory", "/api/sessions/a/memory"):
        answer = await api.request("DELETE", path)
        assert answer.json()["forgotten"]["session"] == 1, answer.text
    job = await api.submitted()
    detail = assert_problem(await api.request("GET", f"/api/agent-jobs/{job['id']}%2Fcheckpoints"), 404)
    assert f"{job['id']}/checkpoints" in detail


async def test_an_outage_is_worth_another_try() -> None:
    index = FakeLongTermMemory()
    async with api_of(Stage(settings=with_keys(), long_term_memory=index)) as api:
        index.down = MemoryUnavailableError("no answer from the vector index at http://inner.example")
        detail = assert_problem(await api.request("DELETE", "/api/sessions/session_1/memory"), 503)
        assert "inner.example" not in detail


async def paged(api: Api, limit: int) -> list[str]:
    """Return the texts of the users' messages, the newest page first, read page by page."""
    asked: dict[str, str | int] = {"limit": limit}
    found = list[str]()
    while True:
        page = (await api.request("GET", "/api/sessions/chat-1", params=asked)).json()
        found = [one["parts"][0]["text"] for one in page["messages"] if one["role"] == "user"] + found
        if "cursor" not in page:
            return found
        asked["cursor"] = page["cursor"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_a_replaced_message_stays_replaced_on_whatever_page_it_is(api: Api, limit: int) -> None:
    """Page by page, what an edited message had replaced on an older page was part of the conversation again."""

    async def say(message: str, text: str, **fields: str) -> None:
        await send(api, "chat-1", message, text, **fields)
        api.stage.clock.ms += 1_000

    for number in range(1, 6):
        await say(f"m{number}", f"old {number}")
    await say("m4", "new 4", messageId="m4")
    await say("m6", "old 6")
    await say("m2", "new 2", messageId="m2")
    await say("m7", "new 7")
    assert await paged(api, limit) == ["old 1", "new 2", "new 7"]


@pytest.mark.parametrize("by_answer", [True, False])
async def test_an_old_message_is_answered_anew(api: Api, monkeypatch: pytest.MonkeyPatch, *, by_answer: bool) -> None:
    """Behind a hundred newer jobs it was not found, and its old answer was streamed again."""
    monkeypatch.setattr(chat, "_ROWS", 2)
    answers = list[str]()
    for number in range(1, 6):
        answers.append(job_of(await send(api, "chat-1", f"m{number}", "hello")))
        api.stage.clock.ms += 1_000
    named = {"messageId": answers[0]} if by_answer else {}
    again = await send(api, "chat-1", "m1", "hello", trigger="regenerate-message", **named)
    assert job_of(again) not in answers
    task = (await api.stage.reader.jobs([job_of(again)]))[job_of(again)].task
    assert task["chat"]["replaces"] == answers[0]
    api.stage.clock.ms += 1_000
    await send(api, "chat-1", "m2", "good bye", messageId="m2")  # which is replaced already
    assert [await paged(api, limit) for limit in (1, 100)] == [["hello", "good bye"]] * 2
