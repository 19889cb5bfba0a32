"""`POST /api/ag-ui/{agent}`: runs, repeated and resumed, and their interrupts; events are of the protocol's types."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from ag_ui.core import Event
from pydantic import TypeAdapter

from baton.server.api import stream
from baton.settings.limits import PARTS
from tests.fakes.rate_limit import FakeRateLimit
from tests.unit.baton.kit.approval_kit import Kit
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_of, api_with, assert_problem, with_keys
from tests.unit.baton.server.api.following import on_lambda
from tests.unit.baton.server.api.sessions.chatting import delivering

_EVENT = re.compile(r"id: (\d+-\d+\.\d+)\ndata: (.*)")
_Event = TypeAdapter[Any](Event)


def user(message_id: str, text: str) -> dict[str, Any]:
    return {"id": message_id, "role": "user", "content": text}


def run_input(run: str, *messages: dict[str, Any], thread: str = "thread-1", **fields: Any) -> dict[str, Any]:
    return {"threadId": thread, "runId": run, "messages": list(messages), "tools": [], "context": [], **fields}


async def send(api: Api, agent: str, body: dict[str, Any], key: str = ACME, last_id: str = "") -> httpx.Response:
    """Run an agent, and read its events to the end of the answer; no question expires meanwhile."""
    headers = {"last-event-id": last_id} if last_id else {}
    request = api.request("POST", f"/api/ag-ui/{agent}", key, json=body, headers=headers)
    return await delivering(api, request, within_seconds=3_600)


def ids_of(response: httpx.Response) -> list[str]:
    return [event_id for event_id, _ in _EVENT.findall(response.text)]


def events_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The events, each held to the protocol's types: nothing in it may be unknown to them."""
    assert response.status_code == 200, response.text
    events = [json.loads(text) for _, text in _EVENT.findall(response.text)]
    for event in events:
        typed = _Event.validate_python(event)
        assert not typed.model_extra, f"AG-UI knows no {typed.model_extra} of {event}"
    return events


def kinds_of(response: httpx.Response) -> list[str]:
    return [event["type"] for event in events_of(response)]


def outcome_of(response: httpx.Response) -> dict[str, Any]:
    last = events_of(response)[-1]
    assert last["type"] == "RUN_FINISHED", last
    outcome: dict[str, Any] = last["outcome"]
    return outcome


HELLO = user("m1", "hello")


@pytest.fixture
def kit() -> Kit:
    return Kit()


@pytest.fixture
async def asking(kit: Kit) -> AsyncIterator[Api]:
    async with api_with(kit.registry(), approval_links=True) as made:
        yield made


def resumed(run: str, *answers: tuple[str, bool], **payload: Any) -> dict[str, Any]:
    resume = [
        {"interruptId": one, "status": "resolved", "payload": {"approved": approved, **payload}}
        for one, approved in answers
    ]
    return run_input(run, HELLO, resume=resume)


async def interrupted(api: Api, agent: str, run: str = "r1") -> list[dict[str, Any]]:
    outcome = outcome_of(await send(api, agent, run_input(run, HELLO)))
    assert outcome["type"] == "interrupt"
    interrupts: list[dict[str, Any]] = outcome["interrupts"]
    return interrupts


async def test_a_run_has_texts_calls_and_steps(api: Api) -> None:
    response = await send(api, "adds", run_input("r1", HELLO))
    call = ["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"]
    assert kinds_of(response) == [
        *("RUN_STARTED", "STEP_STARTED", *call, *call, "TOOL_CALL_RESULT", "TOOL_CALL_RESULT", "STEP_FINISHED"),
        *("STEP_STARTED", "TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "STEP_FINISHED"),
        "RUN_FINISHED",
    ]
    events = events_of(response)
    assert len({event["parentMessageId"] for event in events if event["type"] == "TOOL_CALL_START"}) == 1
    assert [event["content"] for event in events if event["type"] == "TOOL_CALL_RESULT"] == ["3", "7"]
    assert (events[-1]["result"], events[-1]["outcome"]) == ({"answer": "3 and 7"}, {"type": "success"})


async def test_a_repeated_request_is_the_same_run(api: Api) -> None:
    """Whatever state its front end has by then; but another message needs another id."""
    first = await send(api, "adds", run_input("r1", HELLO, state={"a": 1}))
    assert (await send(api, "adds", run_input("r1", HELLO, state={"a": 2}))).text == first.text
    assert api.stage.step_result.runs == ["add 1 2", "add 3 4"]
    assert_problem(await send(api, "adds", run_input("r1", user("m2", "hello"))), 422, "runId")
    assert "adds" in assert_problem(await send(api, "nobody", run_input("r1", HELLO)), 404)


async def test_a_reader_that_comes_back_gets_the_rest(api: Api) -> None:
    """After each of its events, also in the middle of those of one part."""
    whole = await send(api, "adds", run_input("r1", HELLO))
    ids, events = ids_of(whole), events_of(whole)
    for place, event_id in enumerate(ids, 1):
        rest = await send(api, "adds", run_input("r1", HELLO), last_id=event_id)
        assert (ids_of(rest), events_of(rest)) == (ids[place:], events[place:])
    published = len(api.stage.queue.published)
    assert_problem(await send(api, "adds", run_input("r2", HELLO), last_id=ids[0]), 404)
    assert_problem(await send(api, "answers", run_input("r1", HELLO), last_id=ids[0]), 403)
    assert len(api.stage.queue.published) == published, "who comes back starts nothing"
    assert_problem(await send(api, "adds", run_input("r1", HELLO), last_id="7-1"), 400)


async def test_a_part_larger_than_a_page_is_read_where_answers_are_sent_whole(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that comes back has the parts before it. It got an empty page, again and again."""
    whole = events_of(await send(api, "adds", run_input("r1", HELLO)))
    monkeypatch.setattr(stream, "ANSWER_BYTES", 1)
    found, last = list[dict[str, Any]](), "0-0.0"
    while not found or found[-1]["type"] != "RUN_FINISHED":
        page = await on_lambda(api, "/api/ag-ui/adds", run_input("r1", HELLO), {"last-event-id": last})
        assert ids_of(page), "a page has at least one part"
        found, last = [*found, *events_of(page)], ids_of(page)[-1]
    assert found == whole


async def test_who_comes_back_is_limited_as_a_reader() -> None:
    """A run counts as what its key asks; reading it again where no stream is held open does not."""
    asking, following = FakeRateLimit(1), FakeRateLimit(9)
    async with api_of(Stage(settings=with_keys(), rate_limit=asking, follow_limit=following)) as api:
        last = ids_of(await send(api, "adds", run_input("r1", HELLO)))[3]
        assert kinds_of(await send(api, "adds", run_input("r1", HELLO), last_id=last))[-1] == "RUN_FINISHED"
        assert (sum(asking.taken.values()), sum(following.taken.values())) == (1, 1)
        assert_problem(await send(api, "adds", run_input("r2", HELLO)), 429)


async def test_messages_behind_the_users_newest_are_taken_back(api: Api) -> None:
    """A front end that sends a run again has the beginning of its answer; one that wants another has the old one."""
    half = {"id": "half", "role": "assistant", "content": "3 a"}
    for run in ("r1", "r1", "r2"):
        events = events_of(await send(api, "adds", run_input(run, HELLO, half)))
        assert events[1] == {"type": "MESSAGES_SNAPSHOT", "messages": [HELLO]}
    assert len(api.stage.step_result.runs) == 4
    session = (await api.request("GET", "/api/sessions/thread-1")).json()
    assert [message["role"] for message in session["messages"]] == ["user", "assistant"]


async def test_state_and_context_are_data_of_the_job(api: Api) -> None:
    """But for what is empty."""
    context = [{"description": "the user's name", "value": "Ann"}]
    await send(api, "answers", run_input("r1", HELLO, state={"city": "Oslo"}, context=context, forwardedProps=""))
    job = (await api.request("GET", "/api/agent-jobs")).json()["jobs"][0]
    assert (await api.read(job["id"]))["inputData"] == {"state": {"city": "Oslo"}, "context": context}


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ([{"type": "text", "text": "x"}] * (PARTS + 1), "messages.0.content"),
        ([{"type": "text", "text": " "}], "messages.0.content"),
        ([{"type": "smell", "text": "x"}], "messages.0.content.0"),
        (
            [{"type": "image", "source": {"type": "url", "value": "ftp://a", "mimeType": "image/png"}}],
            "messages.0.content.0.url",
        ),
    ],
)
async def test_a_part_that_cannot_be_taken_is_named(api: Api, content: Any, field: str) -> None:
    assert_problem(await send(api, "answers", run_input("r1", HELLO | {"content": content})), 422, field)


async def test_an_approval_is_an_interrupt(asking: Api, kit: Kit) -> None:
    (interrupt,) = await interrupted(asking, "pays")
    assert (interrupt["reason"], interrupt["message"]) == ("tool_call", "pay a bill")
    edits = {"editedArgs": {"to": "Ann", "amount": 3}}
    response = await send(asking, "pays", resumed("r2", (interrupt["id"], True), **edits))
    events = events_of(response)
    assert (events[0]["runId"], events[-1]["runId"]) == ("r2", "r2")
    (result,) = (event for event in events if event["type"] == "TOOL_CALL_RESULT")
    assert (result["toolCallId"], result["content"]) == (interrupt["toolCallId"], '{"paid":3}')
    assert outcome_of(response) == {"type": "success"}
    assert [ran.arguments["amount"] for ran in kit.ran] == [3]


async def test_two_questions_are_asked_and_answered_together(asking: Api, kit: Kit) -> None:
    first = await send(asking, "pays-twice", run_input("r1", HELLO))
    assert kinds_of(first).count("TOOL_CALL_RESULT") == 1
    ann, ben = (one["id"] for one in outcome_of(first)["interrupts"])
    assert_problem(await send(asking, "pays-twice", resumed("r2", (ann, True))), 422, "resume")
    assert_problem(await send(asking, "pays", resumed("r2", (ann, True), (ben, True))), 422, "resume.0.interruptId")
    second = await send(asking, "pays-twice", resumed("r2", (ann, True), (ben, False)))
    results = [event["content"] for event in events_of(second) if event["type"] == "TOOL_CALL_RESULT"]
    assert sorted(results) == ["The call could not be completed.", '{"paid":5}']
    assert len(kit.ran) == 1
    again = await send(asking, "pays-twice", run_input("r1", HELLO))
    assert again.text == first.text, "the first run ends where it has ended before"
    assert (await send(asking, "pays-twice", resumed("r2", (ann, True), (ben, False)))).text == second.text


async def test_a_plan_asks_once_nothing_else_can_happen(asking: Api) -> None:
    """Steps that come after the question do not count as work."""
    (interrupt,) = await interrupted(asking, "plan")
    response = await send(asking, "plan", resumed("r2", (interrupt["id"], True)))
    assert outcome_of(response) == {"type": "success"}
    assert "note" in [event.get("stepName") for event in events_of(response)]


async def test_a_cancelled_answer_rejects(asking: Api, kit: Kit) -> None:
    """A new message is not taken before: it would wait behind the question."""
    (interrupt,) = await interrupted(asking, "pays")
    refused = await send(asking, "pays", run_input("r2", HELLO, user("m2", "and?")))
    assert interrupt["id"] in assert_problem(refused, 409)
    resume = [{"interruptId": interrupt["id"], "status": "cancelled"}]
    response = await send(asking, "pays", run_input("r2", HELLO, resume=resume))
    assert "cancelled without an answer" in response.text
    assert kit.ran == []


async def test_who_may_not_decide_waits_for_those_who_may(kit: Kit) -> None:
    """Without APPROVAL_LINKS a client key's answer is refused, until an operator has decided: then it goes on."""
    async with api_with(kit.registry()) as api:
        (interrupt,) = await interrupted(api, "pays")
        body = resumed("r2", (interrupt["id"], True))
        assert "APPROVAL_LINKS" in assert_problem(await send(api, "pays", body), 403)
        assert_problem(await send(api, "pays", body, OTHER), 403)
        rejected = await api.request(
            "DELETE", f"/api/admin/agent-checkpoints/{interrupt['id']}", ADMIN, json={"reason": "too much"}
        )
        assert rejected.status_code == 200
        assert "too much" in (await send(api, "pays", body, ACME)).text
    assert kit.ran == []


async def test_a_read_that_is_older_than_a_new_run_is_no_unknown_run(api: Api) -> None:
    api.stage.reader.late = "parts"
    assert outcome_of(await send(api, "adds", run_input("r1", HELLO))) == {"type": "success"}
