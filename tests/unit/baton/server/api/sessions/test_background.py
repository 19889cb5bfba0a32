"""Chats that go on: what a call waits for goes on in the background, and its outcome is answered by a turn of its own.

Seed 003: `operation_started`, `process_operation_success` and `process_operation_failure`.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import pytest

from baton import Agent, Call, Pending, Registry, ToolContext, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.server.api.sessions import sessions
from baton.worker.executors.continuing import outcome_of
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.server.api.client import ADMIN, OPERATIONS_KEY, Api, api_with
from tests.unit.baton.server.api.sessions.chatting import delivering, job_of, parts_of, sending, text_of

HOUR_MS = 3_600_000


@tool
async def order(ctx: ToolContext) -> Pending:
    return Pending(timeout_seconds=3_600)


@tool(requires_approval=True)
def pay(amount: int) -> str:
    return f"paid {amount}"


@tool(background=True)
def count() -> int:
    return 7


@tool
async def hear() -> Pending:
    return Pending(event="heard", timeout_seconds=3_600)


@tool(background=False)
async def wait() -> Pending:
    """Hold up the turn."""
    return Pending(timeout_seconds=3_600)


class Says:
    """A model that calls a tool when the user says so, and says again what it was told last."""

    name = "says"
    reads_history = True

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        last = request.messages[-1]
        text = getattr(last, "text", "")
        if text.startswith("call "):
            _, names, *arguments = text.split()
            given = {"amount": int(arguments[0])} if arguments else {}
            return ModelAnswer("", tuple(Call(name, given) for name in names.split(",")))
        return ModelAnswer(text or "it has begun")


@pytest.fixture
def model() -> Says:
    return Says()


@pytest.fixture
async def api(model: Says) -> AsyncIterator[Api]:
    registry = Registry([Agent(name="says", model=model, tools=[order, pay, count, hear, wait])])
    async with api_with(registry, operations_api_key=OPERATIONS_KEY) as made:
        yield made


async def send(api: Api, message_id: str, text: str) -> httpx.Response:
    """Send a message and read its answer; nothing is delivered that is to come later than in a minute."""
    requesting = await sending(api, "chat-1", message_id, text)
    await run_for_a_minute(api)
    return await requesting


async def run_for_a_minute(api: Api) -> None:
    await api.stage.run(within_seconds=60)


async def session(api: Api) -> dict[str, Any]:
    shown: dict[str, Any] = (await api.request("GET", "/api/sessions/chat-1")).json()
    return shown


async def complete(api: Api, operation_id: str, **body: Any) -> dict[str, Any]:
    answer: dict[str, Any] = (await api.complete(operation_id, **body)).json()
    await run_for_a_minute(api)
    return answer


def operations_of(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [part["data"] for part in parts if part["type"] == "data-operation"]


async def last_answer(api: Api) -> tuple[str, dict[str, Any]]:
    message = (await session(api))["messages"][-1]
    assert message["role"] == "assistant"
    return message["parts"][-1]["text"], await api.read(message["id"])


async def test_a_call_that_waits_is_answered_at_once_and_its_outcome_by_a_turn_of_its_own(api: Api) -> None:
    """The user may write meanwhile; the outcome is answered once. A job that is no chat waits for it."""
    first = await send(api, "m1", "call order")
    (started,) = operations_of(parts_of(first))
    assert (started["status"], text_of(first)) == ("started", "it has begun")
    assert await api.stage.ports.operation_stream.expected(api.stage.clock.ms)  # its outcome may come by the stream
    operation_id = started["operationId"]
    output = next(part["output"] for part in parts_of(first) if part["type"] == "tool-output-available")
    names = {"operation_id": operation_id, "tool_name": "order", "task_id": started["jobId"]}
    assert output.items() >= {"status": "started", "type": "operation_started", **names}.items()
    jobs = {"jobId": job_of(first), "operationJobId": started["jobId"]}
    assert (await session(api))["activeOperations"] == [{"operationId": operation_id, "tool": "order", **jobs}]
    assert text_of(await send(api, "m2", "hello")) == "hello"
    assert (await complete(api, operation_id, success=True, result="three"))["applied"]
    text, job = await last_answer(api)
    assert text.endswith('is done. Its result: "three"]')
    assert (job["sessionId"], job["continues"]) == ("chat-1", {"jobId": job_of(first), "operationId": operation_id})
    assert not (await complete(api, operation_id, success=True, result="four"))["applied"]
    messages = (await session(api))["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant", "assistant"]
    assert operations_of(messages[-1]["parts"])[0]["status"] == "completed"
    assert (await session(api))["activeOperations"] == []
    job_id = (await api.submitted(jobType="says", taskDescription="call order"))["id"]
    await run_for_a_minute(api)
    assert (await api.read(job_id))["status"] == "waiting"


async def test_a_failure_and_the_end_of_its_time_are_told_too(api: Api) -> None:
    """Each by a turn of its own, several at a time; what comes after the end of its time starts none."""
    first, second = [operations_of(parts_of(await send(api, f"m{n}", "call order")))[0] for n in (1, 2)]
    await complete(api, first["operationId"], success=False, error="sold out")
    assert (await last_answer(api))[0].endswith("has failed: operation_failed: sold out]")
    api.stage.clock.ms += 2 * HOUR_MS
    await run_for_a_minute(api)
    text, job = await last_answer(api)
    assert "has had no outcome in its time" in text
    assert job["continues"]["operationId"] == second["operationId"]
    assert not (await complete(api, second["operationId"], success=True))["applied"]
    assert (await last_answer(api))[1]["id"] == job["id"]


async def test_an_outcome_that_looks_like_the_end_of_its_time_is_told_as_it_is(api: Api) -> None:
    (started,) = operations_of(parts_of(await send(api, "m1", "call order")))
    await complete(api, started["operationId"], success=True, result={"timedOut": True})
    text, _ = await last_answer(api)
    assert text.endswith('is done. Its result: {"timedOut":true}]')
    snapshot = await api.stage.snapshot(started["jobId"])
    assert outcome_of(snapshot)["status"] == "completed"


async def test_an_approval_is_asked_in_the_background(api: Api) -> None:
    """The tool runs once it is approved, and the model is told; a rejection's reason is told, too."""
    for number, amount, decided in ((1, 5, "POST"), (2, 6, "DELETE")):
        response = await send(api, f"m{number}", f"call pay {amount}")
        answered = next(part for part in parts_of(response) if part["type"] == "tool-output-available")["output"]
        assert answered["status"] == "pending_approval"
        path = f"/api/admin/agent-checkpoints/{answered['checkpointId']}"
        pending = (await api.request("GET", "/api/admin/agent-checkpoints", ADMIN)).json()["checkpoints"]
        assert [one["id"] for one in pending] == [answered["checkpointId"]]
        of_job = (await api.request("GET", f"/api/agent-jobs/{job_of(response)}/checkpoints")).json()["checkpoints"]
        assert of_job == pending
        body = {"json": {"reason": "too dear"}} if decided == "DELETE" else {}
        assert (await api.request(decided, path, ADMIN, **body)).status_code == 200
        await run_for_a_minute(api)
        text, _ = await last_answer(api)
        assert ('Its result: "paid 5"' if decided == "POST" else "rejected: too dear") in text


async def test_an_operation_that_waits_is_found_by_its_session_and_status(api: Api) -> None:
    """By lists, and by a change of many."""
    (started,) = operations_of(parts_of(await send(api, "m1", "call order")))
    for query in ("status=waiting", "status=waiting&sessionId=chat-1", "status=waiting,pending&sessionId=chat-1"):
        page = (await api.request("GET", f"/api/agent-jobs?{query}")).json()
        assert [job["id"] for job in page["jobs"]] == [started["jobId"]], query
    body = {"action": "cancel", "filter": {"sessionId": "chat-1"}}
    answer = (await api.request("POST", "/api/admin/agent-jobs/bulk", ADMIN, json=body)).json()
    assert answer == {"matched": 1, "changed": 1}


@pytest.mark.parametrize("holds", ["wait", "hear"])
async def test_a_tool_decides_for_itself(api: Api, holds: str) -> None:
    """One of the background is never waited for; one that is not holds its turn up, as does what the job is sent."""
    first = await send(api, "m1", "call count")
    assert text_of(first) == "it has begun"
    await run_for_a_minute(api)
    assert (await last_answer(api))[0].endswith("Its result: 7]")
    waiting = await sending(api, "chat-1", "m2", f"call {holds}")
    await run_for_a_minute(api)
    shown = await session(api)
    assert (shown["activeOperations"], shown["activeStream"]["toolName"]) == ([], holds)
    assert not waiting.done()
    if holds == "wait":
        await complete(api, shown["activeStream"]["operationId"], success=True, result=1)
    else:
        path = f"/api/agent-jobs/{shown['activeStream']['jobId']}/events"
        await api.request("POST", path, json={"name": "heard"})
        await run_for_a_minute(api)
    assert operations_of(parts_of(await waiting))[-1]["status"] == "completed"


async def test_who_cancels_the_session_cancels_its_operations(api: Api, model: Says) -> None:
    """Nobody goes on by himself then, whatever comes; the model reads of it when the user writes."""
    operation = operations_of(parts_of(await send(api, "m1", "call order")))[0]
    cancelled = (await api.request("POST", "/api/sessions/chat-1/cancel")).json()
    assert cancelled["cancelledJobs"] == [operation["jobId"]]
    stream = await api.request("GET", f"/api/agent-jobs/{operation['jobId']}/stream")
    shown = operations_of(parts_of(stream))
    assert (shown[-1]["status"], shown[-1]["operationId"]) == ("cancelled", operation["operationId"])
    parts = [part for message in (await session(api))["messages"] for part in message["parts"]]
    assert [part["data"]["status"] for part in parts if part["type"] == "data-operation"] == ["cancelled"]
    answer = await complete(api, operation["operationId"], success=True, result="late")
    assert (answer["applied"], answer["why"]) == (False, "the job has ended")
    assert (await last_answer(api))[0] == "it has begun"
    await send(api, "m2", "hello")
    told = [getattr(message, "text", "") for message in model.requests[-1].messages]
    assert told[-3:] == [
        f"[Operation {operation['operationId']} of tool 'order', which was started before.]",
        (
            "[This was not answered: cancelled. Its calls, which are not undone:]\n"
            "- order {}: was not over. Whether it had an effect is unknown."
        ),
        "hello",
    ]


async def test_who_cancels_a_long_session_cancels_its_old_operations(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a hundred newer jobs an operation stayed open. Those are not read: a session may have any number."""
    monkeypatch.setattr(sessions, "_PAGE_JOBS", 2)
    await send(api, "m1", "call order")
    (operation,) = (await session(api))["activeOperations"]
    for number in range(2, 6):
        api.stage.clock.ms += 1_000
        await send(api, f"m{number}", "hello")
    found = set[str]()

    async def noting(jobs: Method, job_ids: Iterable[str]) -> Any:
        found.update(job_ids)
        return await jobs(job_ids)

    around(api.stage.container.ports.reader, "jobs", noting)
    cancelled = (await api.request("POST", "/api/sessions/chat-1/cancel")).json()
    assert cancelled["cancelledJobs"] == [operation["operationJobId"]]
    assert found == {operation["operationJobId"]}


async def test_an_outcome_that_comes_before_the_tool_has_returned_counts(model: Says) -> None:
    served: list[Api] = []

    @tool
    async def order(ctx: ToolContext) -> Pending:
        """Order something that is there a moment later."""
        served[0].stage.clock.ms += 1
        answer = await served[0].complete(ctx.operation_id, success=True, result="soon")
        assert answer.json()["applied"]
        return Pending(timeout_seconds=3_600)

    registry = Registry([Agent(name="says", model=model, tools=[order])])
    async with api_with(registry, operations_api_key=OPERATIONS_KEY) as api:
        served.append(api)
        await send(api, "m1", "call order")
        await run_for_a_minute(api)
        messages = (await session(api))["messages"]
        assert [message["role"] for message in messages] == ["user", "assistant", "assistant"]
        assert (await last_answer(api))[0].endswith('Its result: "soon"]')


async def test_an_outcome_takes_its_place_among_the_messages(api: Api, model: Says) -> None:
    """Behind those that were sent before it, and before later ones."""
    operation = operations_of(parts_of(await send(api, "m1", "call order")))[0]
    before = await sending(api, "chat-1", "m2", "before")
    api.stage.clock.ms += 10
    await complete(api, operation["operationId"], success=True)
    await send(api, "m3", "after")
    assert text_of(await before) == "before"
    said = [getattr(message, "text", "") for message in model.requests[-1].messages]
    places = [next(at for at, text in enumerate(said) if word in text) for word in ("before", "is completed", "after")]
    assert places == sorted(places)


@tool(requires_approval=True, background=False)
def book() -> str:
    """Book, while the turn waits."""
    return "booked"


@pytest.mark.parametrize("path", ["/api/chat/chat-1/stream", "/api/chat/sessions/chat-1/stream"])
async def test_a_stream_ends_while_its_turn_waits_for_a_person_and_begins_again_after_the_decision(path: str) -> None:
    """The front end has the question then; who asks before the decision gets the same once more."""
    async with api_with(Registry([Agent(name="says", model=Says(), tools=[book])])) as api:
        asked = parts_of(await send(api, "m1", "call book"))
        (question,) = (part["data"] for part in asked if part["type"] == "data-checkpoint")
        assert question["status"] == "pending"
        assert parts_of(await api.request("GET", path)) == asked
        decided = await api.request("POST", f"/api/admin/agent-checkpoints/{question['id']}", ADMIN, json={})
        assert decided.is_success
        whole = parts_of(await delivering(api, api.request("GET", path), 60))
        assert whole[: len(asked)] == asked
        assert whole[-1]["type"] == "finish"
        assert (await api.request("GET", path)).status_code == 204
