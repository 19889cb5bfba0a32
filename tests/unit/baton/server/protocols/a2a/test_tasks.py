"""`POST /a2a/{agent}` and agent cards: tasks are jobs, contexts are sessions, input that is required is an approval.

What comes is held to the protocol's own messages.
"""

import base64
import json
import re
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest
from a2a.types import a2a_pb2
from a2a.types.a2a_pb2 import AgentCard
from google.protobuf.json_format import ParseDict

from baton import Agent, Registry, ScriptedModel
from baton.engine.state import Job
from baton.sdk.models.model import Call
from baton.server.protocols.a2a.body import read_call
from baton.server.protocols.a2a.tasks import TaskForm
from baton.settings.limits import VALUES
from baton_events.errors import TooLargeError
from tests.unit.baton.kit.approval_kit import Kit
from tests.unit.baton.server.api.client import ACME, OTHER, Api, api_with, assert_problem
from tests.unit.baton.server.api.sessions.chatting import delivering

HOUR_SECONDS = 3_600
_RESULTS = {
    "SendMessage": a2a_pb2.SendMessageResponse,
    "SendStreamingMessage": a2a_pb2.StreamResponse,
    "SubscribeToTask": a2a_pb2.StreamResponse,
    "GetTask": a2a_pb2.Task,
    "CancelTask": a2a_pb2.Task,
    "ListTaskPushNotificationConfigs": a2a_pb2.ListTaskPushNotificationConfigsResponse,
}


class Reading(ScriptedModel):
    takes_files = ("text/plain",)


def registry_of(kit: Kit) -> Registry:
    model = ScriptedModel([[Call("pay", {"to": "Ann", "amount": 5})], "done"])
    talks = Agent(name="talks", model=ScriptedModel(["good day"]), description="Talks.", expose="a2a")
    pays = Agent(name="pays", model=model, tools=[kit.pay], expose={"a2a"})
    reads = Agent(name="reads", model=Reading(["read"]), description="Reads.", expose="a2a")
    return Registry([talks, pays, reads, Agent(name="hidden", model=ScriptedModel(["psst"]))])


def exposed(kit: Kit | None = None, **settings: Any) -> AbstractAsyncContextManager[Api]:
    return api_with(registry_of(kit or Kit()), **settings)


def message(message_id: str, *parts: Any, **fields: Any) -> dict[str, Any]:
    made = [{"text": part} if isinstance(part, str) else {"data": part} for part in parts]
    return {"message": {"messageId": message_id, "role": "ROLE_USER", "parts": made, **fields}}


async def called(api: Api, agent: str, method: str, params: Any, key: str = ACME, **headers: str) -> httpx.Response:
    """Call a method, while the messages that follow from it are delivered; no question expires meanwhile."""
    body = {"jsonrpc": "2.0", "id": "call-1", "method": method, "params": params}
    sent = {"a2a-version": "1.0", **headers}
    request = api.request("POST", f"/a2a/{agent}", key, json=body, headers=sent)
    return await delivering(api, request, within_seconds=HOUR_SECONDS)


async def result(api: Api, agent: str, method: str, params: Any, key: str = ACME) -> dict[str, Any]:
    answer = (await called(api, agent, method, params, key)).json()
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", "call-1")
    assert "error" not in answer, answer["error"]
    ParseDict(answer["result"], _RESULTS[method]())
    found: dict[str, Any] = answer["result"]
    return found


async def task(api: Api, agent: str, params: Any, key: str = ACME) -> dict[str, Any]:
    found: dict[str, Any] = (await result(api, agent, "SendMessage", params, key))["task"]
    return found


async def error(api: Api, agent: str, method: str, params: Any, key: str = ACME, **headers: str) -> tuple[int, str]:
    answer = (await called(api, agent, method, params, key, **headers)).json()
    found = answer["error"]
    assert found["message"]
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", "call-1" if isinstance(params, dict) else None)
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "a2a-protocol.org"}
    assert all(one.items() >= info.items() and len(one) == 3 for one in found.get("data", []))
    return found["code"], (found.get("data") or [{}])[0].get("reason", "")


async def streamed(api: Api, agent: str, method: str, params: Any, **headers: str) -> list[dict[str, Any]]:
    answer = await called(api, agent, method, params, **headers)
    found = [json.loads(text)["result"] for text in re.findall(r"^data: (.*)$", answer.text, re.MULTILINE)]
    for one in found:
        ParseDict(one, _RESULTS[method]())
    return found


HELLO = message("m1", "hello")
YES = {"approved": True}


async def test_a_message_is_a_task_with_an_answer() -> None:
    """Sent again it is the same task; another message of the context is told what was said before."""
    async with exposed() as api:
        first = await task(api, "talks", HELLO)
        assert first["status"]["state"] == "TASK_STATE_COMPLETED"
        assert first["artifacts"] == [{"artifactId": "answer", "parts": [{"text": "good day"}]}]
        assert first["history"][0]["parts"] == [{"text": "hello"}]
        assert (await api.read(first["id"]))["inputData"] == {}
        with_data = await task(api, "talks", message("m0", "hello", {"n": 1}))
        assert (await api.read(with_data["id"]))["inputData"] == {"n": 1}
        assert await task(api, "talks", HELLO) == first
        assert (await error(api, "talks", "SendMessage", message("m1", "bye")))[0] == -32602
        second = await task(api, "talks", message("m2", "and?", contextId=first["contextId"]))
        assert (second["contextId"], second["id"] != first["id"]) == (first["contextId"], True)
        assert (await task(api, "talks", message("m3", "hello")))["contextId"] != first["contextId"]
        got = await result(api, "talks", "GetTask", {"id": first["id"], "historyLength": 0})
        assert got == {name: value for name, value in first.items() if name != "history"}


async def test_a_file_is_read_in_its_own_tenants_context_alone() -> None:
    """It is sent again by its address. A context named like its tenant gives another tenant nothing."""
    async with exposed() as api:
        raw = {"raw": base64.b64encode(b"a letter").decode(), "mediaType": "text/plain"}
        await task(api, "reads", message("m1", contextId="other", parts=[raw]))
        (file,) = (await api.request("GET", "/api/sessions/other")).json()["messages"][0]["parts"]
        again = {"url": file["url"], "mediaType": "text/plain"}
        assert await task(api, "reads", message("m2", contextId="other", parts=[again]))
        for context in ("acme", "other"):
            params = message("m2", contextId=context, parts=[again])
            answer = (await called(api, "reads", "SendMessage", params, OTHER)).json()
            assert "has no such file" in answer["error"]["message"]


async def test_a_client_may_not_wait() -> None:
    """The task is submitted, and read later; a cancelled one stays so, one that has ended cannot be cancelled."""
    async with exposed() as api:
        params = HELLO | {"configuration": {"returnImmediately": True}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
        answer = await api.request("POST", "/a2a/talks", json=body, headers={"a2a-version": "1.0"})
        sent = answer.json()["result"]["task"]
        assert sent["status"]["state"] in ("TASK_STATE_SUBMITTED", "TASK_STATE_WORKING")
        for _ in range(2):
            cancelled = await result(api, "talks", "CancelTask", {"id": sent["id"]})
            assert cancelled["status"]["state"] == "TASK_STATE_CANCELED"
        done = await task(api, "talks", message("m2", "hello"))
        assert await error(api, "talks", "CancelTask", {"id": done["id"]}) == (-32002, "TASK_NOT_CANCELABLE")
        assert await error(api, "talks", "SubscribeToTask", {"id": done["id"]}) == (-32004, "UNSUPPORTED_OPERATION")


async def test_a_stream_has_the_task_its_artifact_and_its_end() -> None:
    """In this order; with the id of an event it goes on behind that, after the task again."""
    async with exposed() as api:
        whole = await streamed(api, "talks", "SendStreamingMessage", HELLO)
        kinds = [next(iter(one)) for one in whole]
        assert (kinds[0], kinds[-2:]) == ("task", ["artifactUpdate", "statusUpdate"])
        assert whole[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
        last = whole[-2]["artifactUpdate"]
        assert (last["artifact"]["parts"], last["append"], last["lastChunk"]) == ([{"text": "good day"}], False, True)
        answer = await called(api, "talks", "SendStreamingMessage", HELLO)
        assert answer.text.endswith("\n\n: end\n\n")
        ids = [line for line in answer.text.splitlines() if line.startswith("id: ")]
        seen = {"last-event-id": ids[-2].removeprefix("id: ")}
        rest = await streamed(api, "talks", "SendStreamingMessage", HELLO, **seen)
        assert [next(iter(one)) for one in rest] == ["task", "statusUpdate"]


def test_a_report_of_a_tool_is_a_message_of_the_working_task() -> None:
    job = Job("job_1", "s", "acme", "talks", 1)
    form = TaskForm(1, {"id": "job_1"}, frozenset(), None, 7)
    told = [
        form.part(job, number, json.dumps({"type": "data-progress", "data": {"callId": "c", "text": words}}))
        for number, words in enumerate(("half", ""), 1)
    ]
    update = json.loads(told[0].strip().rpartition("data: ")[2])["result"]["statusUpdate"]
    assert (update["status"]["state"], update["status"]["message"]["parts"]) == (
        "TASK_STATE_WORKING",
        [{"text": "half"}],
    )
    assert told[1] == ""


@pytest.mark.parametrize("streams", [False, True])
async def test_an_approval_is_input_that_is_required(streams: bool) -> None:
    kit = Kit()
    async with exposed(kit, approval_links=True) as api:
        if streams:
            status = (await streamed(api, "pays", "SendStreamingMessage", HELLO))[-1]["statusUpdate"]["status"]
        else:
            status = (await task(api, "pays", HELLO))["status"]
        assert status["state"] == "TASK_STATE_INPUT_REQUIRED"
        title, asked = status["message"]["parts"]
        assert (title, asked["data"]["arguments"]) == ({"text": "pay a bill"}, {"to": "Ann", "amount": 5})
        task_id = status["message"]["taskId"]
        answer = {"editedArgs": {"to": "Ann", "amount": 3}, "checkpointId": asked["data"]["checkpointId"]}
        params = message("m2", YES | answer, taskId=task_id)
        if streams:
            found = await streamed(api, "pays", "SendStreamingMessage", params)
            assert found[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
        else:
            assert (await task(api, "pays", params))["status"]["state"] == "TASK_STATE_COMPLETED"
    assert [ran.arguments["amount"] for ran in kit.ran] == [3]


async def test_an_answer_that_comes_again_after_the_last_question_is_the_task() -> None:
    """Its response may have been lost. What names no question of the task stays refused."""
    async with exposed(approval_links=True) as api:
        asked = (await task(api, "pays", HELLO))["status"]["message"]
        yes = YES | {"checkpointId": asked["parts"][1]["data"]["checkpointId"]}
        for _ in range(2):
            found = await task(api, "pays", message("m2", yes, taskId=asked["taskId"]))
            assert (found["id"], found["status"]["state"]) == (asked["taskId"], "TASK_STATE_COMPLETED")
        for parts in (["hello"], [YES], [yes, YES | {"checkpointId": "op_x"}]):
            late = message("m3", *parts, taskId=asked["taskId"])
            assert await error(api, "pays", "SendMessage", late) == (-32004, "UNSUPPORTED_OPERATION")


async def test_answers_that_do_not_fit_are_refused() -> None:
    async with exposed(approval_links=True) as api:
        asked = await task(api, "pays", HELLO)
        for parts in (
            ["yes"],
            [{"approved": "yes"}],
            [YES | {"checkpointId": "op_x"}],
            [YES | {"checkpointId": ["x"]}],
        ):
            params = message("m2", *parts, taskId=asked["id"])
            assert (await error(api, "pays", "SendMessage", params))[0] == -32602
        other = message("m2", YES, taskId=asked["id"], contextId="another")
        assert (await error(api, "pays", "SendMessage", other))[0] == -32602
        done = await task(api, "talks", HELLO)
        late = message("m3", YES, taskId=done["id"])
        assert await error(api, "talks", "SendMessage", late) == (-32004, "UNSUPPORTED_OPERATION")
        assert (await task(api, "pays", HELLO))["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
    async with exposed() as api:
        asked = await task(api, "pays", HELLO)
        params = message("m2", YES, taskId=asked["id"])
        assert await error(api, "pays", "SendMessage", params) == (-32004, "UNSUPPORTED_OPERATION")


async def test_the_end_is_pushed_as_a_task() -> None:
    """To the address that came with the message, which stays."""
    async with exposed(callback_key=f"whsec_{32 * 'A'}") as api:
        push = {"url": "https://client.example.com/a2a"}
        sent = await task(api, "talks", HELLO | {"configuration": {"taskPushNotificationConfig": push}})
        await api.stage.run()
        ((url, _, body),) = api.stage.callbacks.sent
        assert url == push["url"]
        assert json.loads(body)["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
        configs = await result(api, "talks", "ListTaskPushNotificationConfigs", {"taskId": sent["id"]})
        assert [one["url"] for one in configs["configs"]] == [push["url"]]
        fixed = {"taskId": sent["id"], "url": "https://other.example.com"}
        create = await error(api, "talks", "CreateTaskPushNotificationConfig", fixed)
        assert create == (-32003, "PUSH_NOTIFICATION_NOT_SUPPORTED")
        token = {"taskPushNotificationConfig": push | {"token": "x"}}
        assert (await error(api, "talks", "SendMessage", message("m2", "hi") | {"configuration": token}))[0] == -32602


@pytest.mark.parametrize(
    ("method", "params", "wanted"),
    [
        ("GetTask", {"id": "job_x"}, (-32001, "TASK_NOT_FOUND")),
        ("GetTask", {}, (-32602, "")),
        ("Sing", {}, (-32601, "")),
        ("SendMessage", message("m1", " "), (-32602, "")),
        ("GetExtendedAgentCard", {}, (-32007, "EXTENDED_AGENT_CARD_NOT_CONFIGURED")),
    ],
)
async def test_errors_are_the_protocols(method: str, params: Any, wanted: Any) -> None:
    async with exposed() as api:
        assert await error(api, "talks", method, params) == wanted


async def test_requests_that_are_none_are_refused() -> None:
    async with exposed() as api:
        for content, code in ((b"{", -32700), (b"[]", -32600), (b'{"jsonrpc": "1.0", "method": "x"}', -32600)):
            answer = await api.request("POST", "/a2a/talks", content=content, headers={"a2a-version": "1.0"})
            assert answer.json()["error"]["code"] == code
        for version in ("0.3", ""):
            found = await error(api, "talks", "GetTask", {"id": "x"}, **{"a2a-version": version})
            assert found == (-32009, "VERSION_NOT_SUPPORTED")
        assert_problem(await called(api, "hidden", "SendMessage", HELLO), 404)
        mine = await task(api, "talks", HELLO)
        assert (await error(api, "talks", "GetTask", {"id": mine["id"]}, OTHER))[0] == -32001
        assert (await error(api, "pays", "GetTask", {"id": mine["id"]}))[0] == -32001


async def test_cards_name_exposed_agents_alone() -> None:
    async with exposed() as api:
        card = (await api.request("GET", "/.well-known/agent-card.json", "")).json()
        ParseDict(card, AgentCard())
        assert card["name"] == "talks"
        assert card["supportedInterfaces"][0]["url"].endswith("/a2a/talks")
        assert (await api.request("GET", "/a2a/pays/.well-known/agent-card.json", "")).json()["name"] == "pays"
        assert_problem(await api.request("GET", "/a2a/hidden/.well-known/agent-card.json", ""), 404)
    async with exposed(default_agent="pays") as api:
        assert (await api.request("GET", "/.well-known/agent-card.json", "")).json()["name"] == "pays"


def test_a_call_has_so_many_values() -> None:
    for values in (1, VALUES):
        call = {"jsonrpc": "2.0", "method": "GetTask", "params": {"id": "x", "more": [0] * values}}
        if values == 1:
            assert read_call(json.dumps(call).encode()).params["id"] == "x"
        else:
            with pytest.raises(TooLargeError, match=str(VALUES)):
                read_call(json.dumps(call).encode())
