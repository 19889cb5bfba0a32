"""`POST /mcp`, `tools/call`: a task where the client takes tasks, else the answer in the same response."""

import json
from typing import Any

import pytest
from mcp_types import ElicitRequestFormParams
from msgspec.structs import replace

from baton import Agent, Registry, ScriptedModel
from baton import Call as ToolCall
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.server.protocols.mcp import calls
from baton.server.protocols.mcp.body import Call
from baton.server.protocols.mcp.calls import CallForm
from baton.server.protocols.mcp.tasks import created_task
from baton.worker.commands.audience import NOT_COMPLETED
from tests.unit.baton.kit.approval_kit import Kit
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_with
from tests.unit.baton.server.protocols.mcp.calling import LEGACY, MODERN, TAKES_TASKS, Client, exposed, text_of

HELLO = {"task": "hello"}
FORM: dict[str, Any] = {"elicitation": {}}
PROGRESS = {"_meta": {"progressToken": "p-1"}}


async def newest(api: Api) -> str:
    """The job that was created last."""
    return str((await api.request("GET", "/api/agent-jobs", ADMIN)).json()["jobs"][0]["id"])


def accepted(key: str, **content: Any) -> dict[str, Any]:
    return {key: {"action": "accept", "content": content}}


@pytest.mark.parametrize("revision", [MODERN, LEGACY])
async def test_the_answer_comes_with_the_call(revision: str) -> None:
    async with exposed() as api:
        client = Client(api, revision)
        assert text_of(await client.called("talks")) == "good day"
        priced = await client.called("prices")
        assert (priced["structuredContent"], text_of(priced)) == ({"euros": 3}, '{"euros":3}')
        assert text_of(await client.called("greets", {"name": "Ann"})) == "Hello, Ann!"
        failed = await client.called("fails", {"to": "sea"})
        assert (failed["isError"], text_of(failed)) == (True, f"step_failed: {NOT_COMPLETED} ({await newest(api)})")


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("greets", {"names": "Ann"}, "lack name"),
        ("talks", {}, "lack task"),
        ("talks", {"task": 5}, "task: Input should be a valid string"),
        ("talks", {"task": "x", "sessionId": ""}, "sessionId"),
        ("talks", [], "must be an object"),
    ],
)
async def test_arguments_that_do_not_fit_are_said_to_the_model(tool: str, arguments: Any, said: str) -> None:
    """In a result, so that it calls again; no job begins."""
    async with exposed() as api:
        found = await Client(api).result("tools/call", name=tool, arguments=arguments)
        assert found["isError"]
        assert said in text_of(found)
        assert not (await api.request("GET", "/api/agent-jobs")).json()["jobs"]


async def test_a_task_is_a_job() -> None:
    """Its id is the job's; once it has ended it has the tool's result; cancelling is a wish, which is repeatable."""
    async with exposed() as api:
        client = Client(api, **TAKES_TASKS)
        made = await client.called("talks")
        assert (made["resultType"], made["status"], made["ttlMs"]) == ("task", "working", None)
        fields = {"taskId", "createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs", "status"}
        assert made.keys() == fields | {"resultType", "_meta"}
        assert (await api.read(made["taskId"]))["jobType"] == "talks"
        await api.stage.run()
        task = await client.result("tasks/get", taskId=made["taskId"])
        assert (task["resultType"], task["status"], text_of(task["result"])) == ("complete", "completed", "good day")
        assert task["ttlMs"] == 2_592_000_000 + _between(task)
        assert not {"taskId", "status"} & (await client.result("tasks/cancel", taskId=made["taskId"])).keys()
        assert (await client.result("tasks/get", taskId=made["taskId"]))["status"] == "completed"
        body, headers = client.message("tools/call", name="talks", arguments=HELLO)
        second = (await api.request("POST", "/mcp", json=body, headers=headers)).json()["result"]["taskId"]
        await client.result("tasks/cancel", taskId=second)
        assert (await client.result("tasks/get", taskId=second))["status"] == "cancelled"
        failed = (await client.called("fails", {"x": 1}))["taskId"]
        await api.stage.run()
        task = await client.result("tasks/get", taskId=failed)
        assert (task["status"], task["result"]["isError"]) == ("completed", True)


def _between(task: dict[str, Any]) -> int:
    assert task["createdAt"][:17] == task["lastUpdatedAt"][:17]
    return round((float(task["lastUpdatedAt"][17:-1]) - float(task["createdAt"][17:-1])) * 1_000)


async def test_a_task_of_the_older_revision_is_asked_for() -> None:
    """By the call; its result comes by a method of its own, and it is cancelled once."""
    async with exposed() as api:
        client = Client(api, LEGACY)
        made = (await client.called("talks", task={"ttl": 60_000}))["task"]
        assert (made["status"], made["ttl"]) == ("working", None)
        assert made.keys() == {"taskId", "createdAt", "lastUpdatedAt", "ttl", "pollInterval", "status"}
        found = await client.result("tasks/result", taskId=made["taskId"])
        assert text_of(found) == "good day"
        assert found["_meta"]["io.modelcontextprotocol/related-task"] == {"taskId": made["taskId"]}
        assert (await client.result("tasks/get", taskId=made["taskId"]))["status"] == "completed"
        assert await client.error("tasks/cancel", taskId=made["taskId"]) == (200, -32602, None)
        body, headers = client.message("tools/call", name="fails", arguments={"x": 1}, task={})
        failed = (await api.request("POST", "/mcp", json=body, headers=headers)).json()["result"]["task"]["taskId"]
        assert (await client.result("tasks/result", taskId=failed))["isError"]
        task = await client.result("tasks/get", taskId=failed)
        assert (task["status"], task["statusMessage"]) == ("failed", f"step_failed: {NOT_COMPLETED} ({failed})")


@pytest.mark.parametrize("key", [ACME, ADMIN])
async def test_a_task_asks_people(key: str) -> None:
    """Its answer decides, with other arguments; what it does not ask is ignored; a person may put it off."""
    kit = Kit()
    async with exposed(kit, approval_links=key != ADMIN) as api:
        client = Client(api, key=key, **TAKES_TASKS)
        task_id = (await client.called("pays"))["taskId"]
        await api.stage.run(within_seconds=60)
        task = await client.result("tasks/get", taskId=task_id)
        assert task["status"] == "input_required"
        ((asked, request),) = task["inputRequests"].items()
        assert request["method"] == "elicitation/create"
        assert request["params"]["message"] == 'pay a bill\npay {"amount":5,"to":"Ann"}'
        blind = Client(api, key=key, extensions=TAKES_TASKS["extensions"])
        assert (await blind.result("tasks/get", taskId=task_id))["status"] == "working"
        for ignored in ({"other": {"action": "accept"}}, {asked: {"action": "cancel"}}):
            await client.result("tasks/update", taskId=task_id, inputResponses=ignored)
        assert (await client.result("tasks/get", taskId=task_id))["status"] == "input_required"
        answer = accepted(asked, approved=True, editedArgs='{"to": "Ann", "amount": 3}')
        assert not {"taskId"} & (await client.result("tasks/update", taskId=task_id, inputResponses=answer)).keys()
        await client.result("tasks/update", taskId=task_id, inputResponses=answer)
        await api.stage.run()
        assert (await client.result("tasks/get", taskId=task_id))["status"] == "completed"
    assert [ran.arguments["amount"] for ran in kit.ran] == [3]


async def test_an_answer_counts_beside_one_that_comes_too_late() -> None:
    """One of two questions is decided elsewhere while both are answered: the other answer is recorded."""
    kit = Kit()
    model = ScriptedModel([[ToolCall("pay", {"to": name, "amount": 5}) for name in ("Ann", "Bob")], "done"])
    registry = Registry([Agent(name="pays", model=model, tools=[kit.pay], expose="mcp")])
    async with api_with(registry, approval_links=True) as api:
        client = Client(api, **TAKES_TASKS)
        task_id = (await client.called("pays"))["taskId"]
        await api.stage.run(within_seconds=60)
        asked = list((await client.result("tasks/get", taskId=task_id))["inputRequests"])
        late = [asked[0]]

        async def decide_first(read: Method, job_id: str, **named: Any) -> Any:
            found = await read(job_id, **named)
            if late:
                path = f"/api/admin/agent-checkpoints/{late.pop()}"
                assert (await api.request("DELETE", path, ADMIN, json={"reason": "no"})).status_code == 200
            return found

        around(api.stage.reader, "job", decide_first)
        answers = {name: {"action": "accept", "content": {"approved": True}} for name in asked}
        await client.result("tasks/update", taskId=task_id, inputResponses=answers)
        await api.stage.run()
    assert [ran.arguments["to"] for ran in kit.ran] == ["Bob"]


async def test_answers_that_do_not_fit_are_refused() -> None:
    """And nothing is decided; a client key decides where APPROVAL_LINKS lets it."""
    async with exposed() as api:
        client = Client(api, **TAKES_TASKS)
        task_id = (await client.called("pays"))["taskId"]
        await api.stage.run(within_seconds=60)
        ((asked, _),) = (await client.result("tasks/get", taskId=task_id))["inputRequests"].items()
        answers = [
            {asked: {"action": "nod"}},
            {asked: "yes"},
            accepted(asked, approved="yes"),
            accepted(asked, editedArgs="{"),
            accepted(asked, editedArgs="[" * 200_000),
            accepted(asked),
            [],
        ]
        for responses in answers:
            found = await client.error("tasks/update", taskId=task_id, inputResponses=responses)
            assert found == (400, -32602, None)
        assert (await client.result("tasks/get", taskId=task_id))["status"] == "input_required"


@pytest.mark.parametrize("extra", [{}, PROGRESS])
async def test_a_call_comes_again_with_what_people_said(extra: dict[str, Any]) -> None:
    """It goes on with the same job; a rejection is told to the model."""
    kit = Kit()
    async with exposed(kit, approval_links=True) as api:
        client = Client(api, **FORM)

        async def called(**params: Any) -> dict[str, Any]:
            if not extra or ("requestState" in params and "inputResponses" not in params):
                return await client.called("pays", HELLO, **params)
            sent = await client.streamed("tools/call", name="pays", arguments=HELLO, **params, **extra)
            found: dict[str, Any] = sent[-1]["result"]
            return found

        asking = await called()
        assert asking["resultType"] == "input_required"
        state, (asked,) = asking["requestState"], asking["inputRequests"]
        assert asked in (await called(requestState=state))["inputRequests"]
        put_off = await client.called("pays", HELLO, requestState=state, inputResponses={asked: {"action": "cancel"}})
        assert put_off["isError"]
        done = await called(requestState=state, inputResponses=accepted(asked))
        assert (done["resultType"], text_of(done)) == ("complete", "done")
        jobs = (await api.request("GET", "/api/agent-jobs")).json()["jobs"]
        assert [job["status"] for job in jobs] == ["completed"]
    assert len(kit.ran) == 1


async def test_a_state_is_of_one_call() -> None:
    async with exposed(approval_links=True) as api:
        client = Client(api, **FORM)
        state = (await client.called("pays"))["requestState"]
        for tool, arguments, sent in (
            ("pays", HELLO, f"{state}x"),
            ("pays", HELLO, 5),
            ("pays", {"task": "bye"}, state),
            ("talks", HELLO, state),
        ):
            found = await client.error("tools/call", name=tool, arguments=arguments, requestState=sent)
            assert found == (400, -32602, None)
        other = Client(api, key=OTHER, **FORM)
        assert (await other.error("tools/call", name="pays", arguments=HELLO, requestState=state))[1] == -32602
        needs: dict[str, Any] = {"requiredCapabilities": {"elicitation": {"form": {}}}}
        assert await Client(api).error("tools/call", name="pays", arguments=HELLO) == (400, -32021, needs)


async def test_a_call_that_takes_long_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a state alone, and waits for the same job."""
    monkeypatch.setattr(calls, "ANSWER_SECONDS", 0.05)
    async with exposed() as api:
        client = Client(api)
        body, headers = client.message("tools/call", name="talks", arguments=HELLO)
        waiting = (await api.request("POST", "/mcp", json=body, headers=headers)).json()["result"]
        assert (waiting["resultType"], waiting.get("inputRequests")) == ("input_required", None)
        monkeypatch.undo()
        assert text_of(await client.called("talks", HELLO, requestState=waiting["requestState"])) == "good day"
        assert len((await api.request("GET", "/api/agent-jobs")).json()["jobs"]) == 1


async def test_an_older_client_waits_on_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once it has waited long; a stream that the host ends before the job has an answer, too."""
    monkeypatch.setattr(calls, "ANSWER_SECONDS", 0)
    async with exposed() as api:
        (last,) = await Client(api, LEGACY).streamed("tools/call", name="talks", arguments=HELLO)
        assert text_of(last["result"]) == "good day"
    job = Job("job_1", "s", "acme", "talks", 1)
    form = CallForm(Call("tools/call", 1), job, lambda of, asked: {"of": of.id, "asked": list(asked)}, frozenset())
    assert form.ending() == 'event: message\ndata: {"asked":[],"of":"job_1"}\n\n'
    assert form.ending() == ""


@pytest.mark.parametrize("revision", [MODERN, LEGACY])
async def test_progress_is_streamed(revision: str) -> None:
    async with exposed() as api:
        *told, last = await Client(api, revision).streamed("tools/call", name="talks", arguments=HELLO, **PROGRESS)
        assert [(one["method"], one["params"]) for one in told] == [
            ("notifications/progress", {"progressToken": "p-1", "progress": 1})
        ]
        assert text_of(last["result"]) == "good day"


def test_a_report_of_a_tool_is_told_in_its_words_and_the_job_s_last_answer_at_its_end() -> None:
    job = Job("job_1", "s", "acme", "pays", 1)
    call = Call("tools/call", 1, {"_meta": {"progressToken": "p-1"}})
    form = CallForm(call, job, lambda one, asked: {"ended": one.ended, "asked": list(asked)}, frozenset())
    report = json.dumps({"type": "data-progress", "data": {"callId": "c", "fraction": 0.5, "text": "half"}})
    told = json.loads(form.part(job, 1, report).partition("data: ")[2])
    params = {"progressToken": "p-1", "progress": 1, "message": "half"}
    assert told == {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
    assert form.part(job, 2, json.dumps({"type": "finish"})) == "", "it is retried, or another job's"
    ended = replace(job, status=JobStatus.COMPLETED)
    for part in ({"type": "start"}, {"type": "finish"}):
        assert ("ended" in form.part(ended, 3, json.dumps(part))) is (part["type"] == "finish")


def test_an_older_client_is_asked_on_the_stream() -> None:
    """Once, and not what is decided already; an older client is not asked to come again."""
    job = Job("job_1", "s", "acme", "pays", 1)
    view = {"id": "op_1", "callId": "c", "type": "approval", "status": "pending", "title": "Pay", "tool": "pay"}
    part = json.dumps({"type": "data-checkpoint", "data": view | {"arguments": {"amount": 5}}})
    form = CallForm(Call("tasks/result", 1), job, lambda _job, _asked: {}, frozenset())
    asked = json.loads(form.part(job, 1, part).partition("data: ")[2])
    assert (asked["jsonrpc"], asked["id"], asked["method"]) == ("2.0", "op_1", "elicitation/create")
    ElicitRequestFormParams.model_validate(asked["params"])
    assert asked["params"]["mode"] == "form"
    assert asked["params"]["_meta"]["io.modelcontextprotocol/related-task"] == {"taskId": "job_1"}
    assert form.waits_for_people
    assert not form.over
    assert form.part(job, 2, part) == ""
    assert CallForm(Call("tasks/result", 1), job, lambda _job, _asked: {}, frozenset({"op_1"})).part(job, 1, part) == ""


@pytest.mark.parametrize("approves", [True, False])
async def test_an_older_client_answers_to_any_process(approves: bool) -> None:
    """The answer's id names the question; an error leaves the question open."""
    kit = Kit()
    async with exposed(kit, approval_links=True) as api:
        client = Client(api, LEGACY)
        task_id = (await client.called("pays", task={}))["task"]["taskId"]
        await api.stage.run(within_seconds=60)
        assert (await client.result("tasks/get", taskId=task_id))["status"] == "input_required"
        asked = next(iter(await _pending(api, task_id)))
        headers = {"mcp-protocol-version": LEGACY}
        refusal = {"jsonrpc": "2.0", "id": asked, "error": {"code": -32601, "message": "no forms here"}}
        assert (await client.sent(refusal, headers)).status_code == 202
        assert await _pending(api, task_id)
        result = {"action": "accept" if approves else "decline"}
        assert (await client.sent({"jsonrpc": "2.0", "id": asked, "result": result}, headers)).status_code == 202
        assert text_of(await client.result("tasks/result", taskId=task_id)) == "done"
        wrong = {"jsonrpc": "2.0", "id": "no-question", "result": result}
        assert (await client.sent(wrong, headers)).json()["error"]["code"] == -32602
    assert len(kit.ran) == int(approves)


async def _pending(api: Any, job_id: str) -> list[str]:
    found = (await api.request("GET", f"/api/agent-jobs/{job_id}/checkpoints")).json()["checkpoints"]
    return [one["id"] for one in found if one["status"] == "pending"]


async def test_the_same_call_with_the_same_idempotency_key_is_the_same_job() -> None:
    async with exposed() as api:
        client = Client(api, **TAKES_TASKS)
        body, headers = client.message("tools/call", name="talks", arguments={"task": "a", "sessionId": "s"})
        sent = [await client.sent(body, headers | {"idempotency-key": "k"}) for _ in range(2)]
        one, other = (answer.json()["result"]["taskId"] for answer in sent)
        assert one == other
        assert (await api.read(one))["sessionId"] == "s"


async def test_an_older_client_learns_that_its_task_is_cancelled() -> None:
    async with exposed() as api:
        client = Client(api, LEGACY)
        body, headers = client.message("tools/call", name="talks", arguments=HELLO, task={})
        task_id = (await api.request("POST", "/mcp", json=body, headers=headers)).json()["result"]["task"]["taskId"]
        body, headers = client.message("tasks/cancel", taskId=task_id)
        cancelled = (await api.request("POST", "/mcp", json=body, headers=headers)).json()["result"]
        assert (cancelled["taskId"], cancelled["status"]) == (task_id, "cancelled")


@pytest.mark.parametrize(
    ("accept", "streams"), [("text/event-stream", True), ("*/*", True), (None, True), ("application/json", False)]
)
async def test_a_stream_is_for_who_accepts_one(accept: str | None, streams: bool) -> None:
    async with exposed() as api:
        body, headers = Client(api).message("tools/call", name="talks", arguments=HELLO, **PROGRESS)
        del headers["accept"]
        if accept is None:
            del api.http.headers["accept"]
        answer = await Client(api).sent(body, headers | ({} if accept is None else {"accept": accept}))
        assert answer.headers["content-type"].startswith("text/event-stream") is streams
        assert "good day" in answer.text


async def test_an_answer_that_takes_long_is_put_off_where_no_stream_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A client of the older revision is told that the job goes on."""
    monkeypatch.setattr(calls, "ANSWER_SECONDS", 0)
    async with exposed() as api:
        body, headers = Client(api, LEGACY).message("tools/call", name="talks", arguments=HELLO)
        headers["accept"] = "application/json"
        found = (await api.request("POST", "/mcp", json=body, headers=headers)).json()["result"]
        task_id = found["_meta"]["io.modelcontextprotocol/related-task"]["taskId"]
        assert (found["isError"], text_of(found)) == (True, f"there is no answer yet: job {task_id} goes on")


async def test_a_question_that_the_client_cannot_show_is_an_error_on_its_stream() -> None:
    async with exposed() as api:
        *_, last = await Client(api).streamed("tools/call", name="pays", arguments=HELLO, **PROGRESS)
        assert (last["id"], last["error"]["code"]) == ("call-1", -32021)


async def test_a_read_that_is_older_than_a_new_job_is_no_unknown_task() -> None:
    """The call is repeated, by its idempotency key; a stream waits for the job."""
    async with exposed() as api:
        api.stage.reader.late = "job"
        answer = await Client(api).posted("tools/call", name="talks", arguments=HELLO)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        api.stage.reader.late = "parts"
        *_, last = await Client(api).streamed("tools/call", name="talks", arguments={"task": "b"}, **PROGRESS)
        assert text_of(last["result"]) == "good day"


@pytest.mark.parametrize("outcome", ["result", "error", "inputRequests"])
def test_a_new_task_is_told_without_its_outcome(outcome: str) -> None:
    """A call that is repeated may find its job ended."""
    assert created_task({"taskId": "job_1", outcome: {}}, modern=True) == {"taskId": "job_1", "resultType": "task"}
