"""Who is no operator gets what is said, done and asked, of a failure one sentence and an id, and of costs nothing."""

import json
from collections.abc import AsyncIterator
from itertools import chain
from typing import Any, get_args, get_type_hints

import pytest
from pydantic_ai import Agent as LibraryAgent
from pydantic_ai.models.test import TestModel

from baton import Agent, Call, Limits, Registry, ScriptedModel, Step, ToolContext, ToolError, tool
from baton.pydantic_ai import durable
from baton.sdk.models.model import ModelError
from baton.sdk.records.stream_part import StreamPart
from baton.worker.commands.audience import CALL_NOT_COMPLETED, NOT_COMPLETED, Audience
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, Api, api_of, with_keys
from tests.unit.baton.server.api.jobs.test_agent_start import Socket
from tests.unit.baton.server.api.sessions.chatting import delivering
from tests.unit.baton.server.protocols.a2a.test_tasks import called, message
from tests.unit.baton.server.protocols.ag_ui.test_runs import HELLO, run_input
from tests.unit.baton.server.protocols.mcp.calling import LEGACY, MODERN, Client

SECRET = "hunter2"
TEXT = f"could not connect to postgres://app:{SECRET}@db.internal:5432/crm"


def broken(_job: Any) -> Any:
    raise RuntimeError(TEXT)


@tool(retries=0)
async def fail(ctx: ToolContext) -> str:
    await ctx.progress(0.5, "half")
    raise RuntimeError(TEXT)


@tool(retries=0)
async def explain() -> str:
    """Fail with words for the model."""
    raise ToolError(TEXT)


class Breaking:
    """A model that fails."""

    name, reads_history = "breaking", False

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def answer(self, request: Any) -> Any:
        raise self._error


def registry() -> Registry:
    steps = [Step("one", fail, on_failure="continue"), Step("two", explain, depends_on=["one"])]
    below = Agent("below", Breaking(ModelError(TEXT, retryable=False)), description="Fails.")
    shown: dict[str, Any] = {"description": "It fails.", "expose": {"mcp", "a2a"}}
    return Registry(
        [
            Agent("tool", ScriptedModel([[Call("fail")], "done"]), tools=[fail], **shown),
            Agent("words", ScriptedModel([[Call("explain")], "done"]), tools=[explain], **shown),
            Agent("model", Breaking(ValueError(TEXT)), model_retries=0, **shown),
            Agent("refused", Breaking(ModelError(TEXT, retryable=False)), **shown),
            Agent("plan", plan=steps, **shown),
            Agent("limit", ScriptedModel([[Call("fail")]] * 3), tools=[fail], limits=Limits(turns=1), **shown),
            Agent("child", ScriptedModel([[Call("below", {"task": "x"})], "done"]), tools=[below], **shown),
            below,
            durable(LibraryAgent(TestModel(), name="library"), deps=broken, **shown),
        ]
    )


FAILING = ("model", "refused", "plan", "limit", "library")
ALL = (*FAILING, "tool", "words", "child")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_of(Stage(settings=with_keys(redis_token="t"), registry=registry())) as served:
        yield served


def parts_of(text: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def chat(agent: str, session: str) -> dict[str, Any]:
    said = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    return {"id": session, "messages": [said], "trigger": "submit-message", "agent": agent}


async def texts_of(api: Api, agent: str, key: str) -> dict[str, str]:
    """What each door says of a run of an agent, live and later."""
    session, headers = f"c-{agent}", {"authorization": f"Bearer {key}"}
    live = (await delivering(api, api.request("POST", "/api/chat", key, json=chat(agent, session)))).text
    job_id = parts_of(live)[0]["messageId"]
    found = {"chat": live, "stream": (await api.request("GET", f"/api/agent-jobs/{job_id}/stream", key)).text}
    made = (await api.request("POST", "/api/stream-tokens", key, json={"jobId": job_id})).json()["token"]
    found["token"] = (await api.request("GET", f"/api/agent-jobs/{job_id}/stream?token={made}", "")).text
    socket = Socket(api, f"workflowId={job_id}", headers)
    await socket.served
    found["socket"] = json.dumps(socket.parts)
    for name in ("/api/sessions", "/api/chat/sessions"):
        found[name] = (await api.request("GET", f"{name}/{session}", key)).text
    running = api.request("POST", f"/api/ag-ui/{agent}", key, json=run_input("r1", HELLO, thread=f"t-{agent}"))
    found["ag-ui"] = (await delivering(api, running)).text
    for method in ("SendMessage", "SendStreamingMessage"):
        found[method] = (await called(api, agent, method, message(f"{method}-{agent}", "hi"), key)).text
    for revision in (MODERN, LEGACY):
        client = Client(api, revision, key)
        found[revision] = (await client.posted("tools/call", name=agent, arguments={"task": "x"})).text
        progress = {"progressToken": 1}
        streamed = await client.posted("tools/call", name=agent, arguments={"task": "y"}, _meta=progress)
        found[f"{revision} streamed"] = streamed.text
    return found


@pytest.mark.parametrize("agent", ALL)
async def test_no_door_tells_a_client_what_an_exception_said_or_what_it_cost(api: Api, agent: str) -> None:
    for door, text in (await texts_of(api, agent, ACME)).items():
        assert text, door
        assert not [word for word in (SECRET, "postgres", "redisCommands", "costUsd", "Traceback") if word in text], (
            door
        )


@pytest.mark.parametrize("agent", FAILING)
async def test_a_failed_message_says_the_same_live_and_after_a_reload(api: Api, agent: str) -> None:
    """The id is the job's: log and console have it."""
    live = (await delivering(api, api.request("POST", "/api/chat", json=chat(agent, "c")))).text
    [error] = [part for part in parts_of(live) if part["type"] == "error"]
    job_id = parts_of(live)[0]["messageId"]
    assert error == {"type": "error", "errorText": NOT_COMPLETED, "id": job_id}
    answered = (await api.request("GET", "/api/sessions/c")).json()["messages"][-1]
    assert answered["metadata"] == {"status": "failed", "error": {"errorText": NOT_COMPLETED, "id": job_id}}
    shown = (await api.request("GET", "/api/sessions/c?tenant=acme", ADMIN)).json()["messages"][-1]["metadata"]
    assert (shown["error"]["id"], shown["error"]["errorText"] != NOT_COMPLETED) == (job_id, True)


@pytest.mark.parametrize("agent", ["model", "plan"])
async def test_operators_get_all_and_clients_texts_of_errors_by_a_setting(agent: str) -> None:
    stage = Stage(settings=with_keys(chat_shows_errors=True, redis_token="t"), registry=registry())
    async with api_of(stage) as api:
        client = await texts_of(api, agent, ACME)
        assert [door for door, text in client.items() if SECRET not in text and door != "/api/chat/sessions"] == []
        assert not [door for door, text in client.items() if "redisCommands" in text or "costUsd" in text]
    async with api_of(Stage(settings=with_keys(redis_token="t"), registry=registry())) as api:
        operator = await texts_of(api, agent, ADMIN)
        assert SECRET in operator["stream"]
        assert "redisCommands" in operator["stream"]
        assert NOT_COMPLETED not in "".join(text for door, text in operator.items() if door != "token")
        assert SECRET not in operator["token"]


async def test_an_error_is_over_once_the_job_is_retried(api: Api) -> None:
    live = (await delivering(api, api.request("POST", "/api/chat", json=chat("model", "c")))).text
    job_id = parts_of(live)[0]["messageId"]
    api.stage.restart(Registry([Agent("model", ScriptedModel(["done"]))]))
    async with api_of(api.stage) as again:
        change = await again.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "retry"})
        assert change.status_code == 200
        await api.stage.run()
        answered = (await again.request("GET", "/api/sessions/c")).json()["messages"][-1]
    assert answered["metadata"] == {"status": "completed"}


KINDS = [*chain.from_iterable(get_args(get_type_hints(kind)["type"]) for kind in get_args(StreamPart))]


@pytest.mark.parametrize("kind", sorted({*chain.from_iterable(get_args(k) or [k] for k in KINDS)}))
def test_each_kind_of_part_has_an_audience(kind: str) -> None:
    """A part that stands here is for operators alone; what a newer version adds is, too."""
    alone = {"data-event", "data-lost", "data-usage", "data-memory"}
    part = json.dumps({"type": kind, "data": {}, "errorText": "x", "toolCallId": "c"})
    assert bool(Audience().shown_part("job_1", part)) is (kind not in alone)
    assert Audience(is_operator=True).shown_part("job_1", part)
    assert Audience().shown_part("job_1", json.dumps({"type": "data-newer"})) == ""


@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (
            {"type": "tool-output-error", "toolCallId": "c", "errorText": TEXT},
            {"type": "tool-output-error", "toolCallId": "c", "errorText": CALL_NOT_COMPLETED},
        ),
        (
            {"type": "data-step-completed", "data": {"step": "s", "error": {"type": "T", "message": TEXT}}},
            {
                "type": "data-step-completed",
                "data": {"step": "s", "error": {"type": "T", "message": CALL_NOT_COMPLETED}},
            },
        ),
        (
            {"type": "data-operation", "data": {"status": "failed", "error": {"type": "T", "message": TEXT}}},
            {
                "type": "data-operation",
                "data": {"status": "failed", "error": {"type": "T", "message": CALL_NOT_COMPLETED}},
            },
        ),
        (
            {
                "type": "data-checkpoint",
                "data": {"mayDecide": "operator", "title": "Raise 3 USD", "arguments": {"spent": 3}},
            },
            {
                "type": "data-checkpoint",
                "data": {"mayDecide": "operator", "title": "An operator has to decide.", "arguments": None},
            },
        ),
        (
            {"type": "data-checkpoint", "data": {"mayDecide": "tenant", "title": "Pay?", "arguments": {"a": 3}}},
            {"type": "data-checkpoint", "data": {"mayDecide": "tenant", "title": "Pay?", "arguments": {"a": 3}}},
        ),
        (
            {"type": "tool-output-available", "toolCallId": "c", "output": {"type": "text-delta"}},
            {"type": "tool-output-available", "toolCallId": "c", "output": {"type": "text-delta"}},
        ),
    ],
)
def test_a_part_is_shown_without_what_is_the_operators(part: dict[str, Any], shown: dict[str, Any]) -> None:
    assert json.loads(Audience().shown_part("job_1", json.dumps(part))) == shown
    assert json.loads(Audience(is_operator=True).shown_part("job_1", json.dumps(part))) == part
