"""One table of limits for all protocols: what is too large, or encoded, is refused before anything is stored."""

import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from baton import Agent, Registry, ScriptedModel
from baton.server.api.route import ApiRoute
from baton.server.openapi import described
from baton.settings.limits import FAULTS, MESSAGES, PAGE_BYTES, PARTS, TASK_BYTES, VALUES
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, Api, api_of, api_with, assert_problem
from tests.unit.baton.server.api.sessions.chatting import chat_body, delivering, user_message
from tests.unit.baton.server.console.operator import operator_of
from tests.unit.baton.server.test_routes import OPERATIONS_KEY, TABLE, WITH_OPERATIONS, path_of, route_name

REGISTRY = Registry([Agent(name="answers", model=ScriptedModel(["done"]), expose=("a2a", "mcp"))])
WITH_BODY = [route for route in TABLE if described(route).body is not None]
CODED = {"gzip": gzip.compress(b"{}"), "deflate": zlib.compress(b"{}"), "br": b"\x0b\x00\x80{}\x03", "gzip, gzip": b"x"}
ENCODINGS = {
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "utf-32-be": "UTF-32",
}
STATUS = {"A2A": 200}
ENCODINGS |= {"latin-1": "'latin-1'"}
# Each protocol that starts jobs: its path, its headers, and its body with a text.
Start = tuple[str, Mapping[str, str], Any]


def starts(text: str) -> dict[str, Start]:
    a2a: dict[str, Any] = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]}}
    a2a |= {"configuration": {"returnImmediately": True}}
    mcp = {"name": "answers", "arguments": {"task": text}}
    steer = {"whenBusy": "steer"}
    run = {"threadId": "t", "runId": "r", "messages": [{"id": "m", "role": "user", "content": "x"}]}
    return {
        "API": ("/api/agent-jobs", {}, {"jobType": "answers", "taskDescription": text}),
        "API, data": ("/api/agent-jobs", {}, {"jobType": "answers", "inputData": {"x": text}}),
        "chat": ("/api/chat", {}, chat_body("c", "m", text)),
        "chat, steering": ("/api/chat", {}, chat_body("c", "m", text, **steer)),
        "AG-UI, state": ("/api/ag-ui/answers", {}, run | {"state": {"x": text}}),
        "AG-UI": ("/api/ag-ui/answers", {}, run | {"messages": [{"id": "m", "role": "user", "content": text}]}),
        "A2A": ("/a2a/answers", {"a2a-version": "1.0"}, rpc("SendMessage", a2a)),
        "MCP": ("/mcp", {}, rpc("tools/call", mcp)),
        "workflow": ("/api/agent/start", {}, {"request": text, "agent": "answers"}),
    }


def rpc(method: str, params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def assert_refused(answer: httpx.Response, *statuses: int) -> str:
    """A problem, or an error of JSON-RPC; returns its words."""
    if answer.status_code == 200:
        assert "jsonrpc" in answer.text
        assert answer.json()["error"]["code"] == -32602
        return str(answer.json()["error"]["message"])
    assert answer.status_code in statuses, answer.text[:300]
    return str(answer.json()["detail"])


@pytest.mark.parametrize("how", starts(""))
async def test_a_body_is_read_in_utf_8_and_refused_by_name_in_another_encoding(how: str) -> None:
    """A mark before it is dropped; what is guessed would be kept as garbled words."""
    path, headers, body = starts("é")[how]
    text = json.dumps(body, ensure_ascii=False)
    async with api_with(REGISTRY) as api:
        for encoding, named in ENCODINGS.items():
            media = f'application/json; charset="{encoding}"' if encoding == "latin-1" else "application/json"
            sent: dict[str, Any] = {"content": text.encode(encoding), "headers": {**headers, "content-type": media}}
            answer = await api.request("POST", path, **sent)
            told = answer.json()
            assert (answer.status_code, told.get("error", {}).get("code", -32700)) == (STATUS.get(how, 400), -32700), (
                told
            )
            assert named in answer.text.replace('\\"', '"'), told
            assert "send UTF-8" in (told["error"]["message"] if "jsonrpc" in told else told["detail"])
            assert api.stage.store.trees == {}
        marked: dict[str, Any] = {
            "content": text.encode("utf-8-sig"),
            "headers": {**headers, "content-type": "application/json"},
        }
        assert (await delivering(api, api.request("POST", path, **marked))).is_success
        assert len(api.stage.store.trees) == 1


@pytest.mark.parametrize("how", starts(""))
async def test_a_task_is_at_most_what_its_backup_message_carries(how: str) -> None:
    """By whatever protocol it comes; nothing is published, and nothing is stored."""
    async with api_with(REGISTRY) as api:
        for text in ("x" * (TASK_BYTES + 1), "é" * (TASK_BYTES // 2), "\x01" * (TASK_BYTES // 6)):
            path, headers, body = starts(text)[how]
            detail = assert_refused(await api.request("POST", path, json=body, headers=headers), 413)
            assert str(TASK_BYTES) in detail
        assert (api.stage.queue.published, api.stage.store.trees) == ([], {})


@pytest.mark.parametrize("how", [each for each in starts("") if "steering" not in each])
async def test_a_task_below_the_limit_is_taken(how: str) -> None:
    async with api_with(REGISTRY) as api:
        path, headers, body = starts("x" * (TASK_BYTES - 1_000))[how]
        answer = await delivering(api, api.request("POST", path, json=body, headers=headers))
        assert answer.status_code in (200, 202), answer.text
        assert "error" not in answer.text[:30]
        assert len(api.stage.store.trees) == 1


@pytest.mark.parametrize("how", [each for each in starts("") if "steering" not in each])
async def test_half_a_character_of_a_text_is_replaced(how: str) -> None:
    """A program that cuts texts anywhere sends such; it is a text of JSON by its grammar."""
    async with api_with(REGISTRY) as api:
        path, headers, body = starts("half \ud83d, whole \ud83d\ude00")[how]
        headers = {**headers, "content-type": "application/json"}
        answer = await delivering(api, api.request("POST", path, content=json.dumps(body), headers=headers))
        assert answer.status_code in (200, 202), answer.text
        assert "half \ufffd, whole \U0001f600" in repr([tree.transcript for tree in api.stage.store.trees.values()])


async def test_earlier_messages_of_a_chat_may_be_larger_together() -> None:
    """They are not read: a client sends the whole conversation, with results of tools, each time."""
    output = {"type": "tool-x", "toolCallId": "c", "state": "output-available", "input": {}, "output": "y" * 3_000_000}
    earlier = {"id": "a", "role": "assistant", "parts": [output]}
    async with api_with(REGISTRY) as api:
        body = {"id": "c", "messages": [earlier, user_message("m", "hello")]}
        assert (await delivering(api, api.request("POST", "/api/chat", json=body))).status_code == 200


@pytest.mark.parametrize("coding", CODED)
async def test_a_coded_body_is_refused_by_name_on_every_route(coding: str) -> None:
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        headers = {"x-api-key": OPERATIONS_KEY, "content-encoding": coding}
        for route in WITH_BODY:
            path = path_of(route, "job_1")
            answer = await api.request(route.method, path, ADMIN, headers=headers, content=CODED[coding])
            assert "Content-Encoding" in assert_problem(answer, 415), route_name(route)
            assert answer.headers["accept-encoding"] == "identity"


async def test_a_coded_form_or_message_is_refused_by_name() -> None:
    async with operator_of() as operator:
        headers = {"content-encoding": "gzip", "content-type": "application/x-www-form-urlencoded"}
        answer = await operator.http.post("/console/login", content=CODED["gzip"], headers=headers)
        assert (answer.status_code, "Content-Encoding" in answer.text) == (415, True)
        signed = {"upstash-signature": "any", "upstash-message-id": "m", "content-encoding": "gzip"}
        answer = await operator.http.post("/workers/agent-loop", content=CODED["gzip"], headers=signed)
        assert "Content-Encoding" in assert_refused(answer, 415)


MANY: dict[str, bytes] = {
    "numbers": b",".join([b"1"] * 2_000_000),
    "as many as are parsed": b",".join([b"1"] * (VALUES - 10)),
    "objects": b",".join([b"{}"] * (VALUES // 2 - 10)),
    "lists": b",".join([b"[1]"] * (VALUES // 2 - 10)),
    "texts": b",".join([b'""'] * (VALUES - 10)),
}
PLACES: dict[str, tuple[str, Mapping[str, str], bytes]] = {
    "messages of a chat": ("/api/chat", {}, b'{"id": "c", "messages": [%b]}'),
    "parts of a chat": ("/api/chat", {}, b'{"id": "c", "messages": [{"id": "m", "role": "user", "parts": [%b]}]}'),
    "messages of AG-UI": ("/api/ag-ui/answers", {}, b'{"threadId": "t", "runId": "r", "messages": [%b]}'),
    "tools of AG-UI": ("/api/ag-ui/answers", {}, b'{"threadId": "t", "runId": "r", "messages": [], "tools": [%b]}'),
    "answers of AG-UI": ("/api/ag-ui/answers", {}, b'{"threadId": "t", "runId": "r", "messages": [], "resume": [%b]}'),
    "content of AG-UI": (
        "/api/ag-ui/answers",
        {},
        b'{"threadId": "t", "runId": "r", "messages": [{"id": "m", "role": "user", "content": [%b]}]}',
    ),
    "parts of A2A": (
        "/a2a/answers",
        {"a2a-version": "1.0"},
        b'{"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": {"parts": [%b]}}}',
    ),
    "tags": ("/api/agent-jobs", {}, b'{"jobType": "answers", "tags": [%b]}'),
    "a call of MCP": ("/mcp", {}, b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": [%b]}'),
}


@pytest.mark.parametrize("place", PLACES)
async def test_many_faults_are_refused_and_few_are_listed(place: str) -> None:
    """None of them costs more than it is worth: the answer is short, and so is the way to it."""
    path, headers, body = PLACES[place]
    async with api_with(REGISTRY) as api:
        for kind, many in MANY.items():
            answer = await api.request("POST", path, content=body.replace(b"%b", many), headers=headers)
            if answer.status_code != 400:  # of MCP: a message that is none
                assert_refused(answer, 413, 422)
            assert len(answer.text) < 10_000, kind
            assert len(answer.json().get("errors", ())) <= FAULTS
        assert api.stage.store.trees == {}


async def test_unknown_fields_are_counted_and_not_listed() -> None:
    many = ",".join(f'"x{number}": 1' for number in range(20_000))
    async with api_with(REGISTRY) as api:
        answer = await api.request("POST", "/api/agent-jobs", content=f'{{"jobType": "answers", {many}}}'.encode())
        assert "20,000 faults" in assert_problem(answer, 422, "body")
        some = {f"x{number}": 1 for number in range(FAULTS + 10)}
        answer = await api.request("POST", "/api/agent-jobs", json={"jobType": "answers", **some})
        assert len(answer.json()["errors"]) == FAULTS


@pytest.mark.parametrize(("most", "path"), [(MESSAGES, "/api/chat"), (MESSAGES, "/api/ag-ui/answers")])
async def test_a_conversation_has_so_many_messages(most: int, path: str) -> None:
    async with api_with(REGISTRY) as api:
        for count in (most, most + 1):
            messages = [{"id": "m", "role": "assistant", "parts": [], "content": ""}] * count
            body = {"id": "c", "threadId": "t", "runId": "r", "messages": messages}
            faults = (await api.request("POST", path, json=body)).json()["errors"]
            assert any(str(most) in fault["message"] for fault in faults) is (count > most)


async def test_a_message_has_so_many_parts() -> None:
    async with api_with(REGISTRY) as api:
        parts = [{"type": "text", "text": "x"}] * (PARTS + 1)
        body = {"id": "c", "messages": [{"id": "m", "role": "user", "parts": parts}]}
        assert str(PARTS) in assert_problem(await api.request("POST", "/api/chat", json=body), 422, "messages.0.parts")
        body["messages"][0]["parts"] = parts[:PARTS]  # type: ignore[index]
        assert (await delivering(api, api.request("POST", "/api/chat", json=body))).status_code == 200


DEEP = {"lists": b"[" * 10_000 + b"]" * 10_000, "objects": b'{"a":' * 10_000 + b"1" + b"}" * 10_000}


@pytest.mark.parametrize("deep", DEEP)
@pytest.mark.parametrize("route", WITH_BODY, ids=route_name)
async def test_nested_json_is_refused(route: ApiRoute, deep: str) -> None:
    async with api_of(Stage(settings=WITH_OPERATIONS)) as api:
        headers = {"x-api-key": OPERATIONS_KEY}
        answer = await api.request(route.method, path_of(route, "job_1"), ADMIN, headers=headers, content=DEEP[deep])
        assert 400 <= answer.status_code < 500 or "error" in answer.json()
        assert len(answer.text) < 10_000


async def pages(api: Api, path: str, name: str) -> list[list[Any]]:
    found, cursor = list[list[Any]](), ""
    while not found or cursor:
        query = {"limit": "100"} | ({"cursor": cursor} if cursor else {})
        answer = await api.request("GET", path, params=httpx.URL(path).params.merge(query))
        assert answer.status_code == 200, answer.text
        assert len(answer.content) < 2 * PAGE_BYTES
        found.append(answer.json()[name])
        cursor = answer.json().get("cursor", "")
    return found


async def test_lists_and_sessions_are_paged_by_size() -> None:
    """Ten jobs of a megabyte are three pages, each of which ends where it gets too large; none is left out."""
    async with api_with(REGISTRY) as api:
        for number in range(10):
            fields = {"jobType": "answers", "taskDescription": f"{number}" * 900_000, "sessionId": "s"}
            assert (await api.submit(ACME, **fields)).status_code == 202
            await api.stage.run()
        listed = await pages(api, "/api/agent-jobs", "jobs")
        assert [len(page) for page in listed] == [4, 4, 2]
        assert [job["taskDescription"][0] for page in listed for job in page] == [*"9876543210"]
        told = await pages(api, "/api/sessions/s", "messages")
        assert [len(page) for page in told] == [8, 8, 4]
        asked = [each["parts"][0]["text"][0] for page in reversed(told) for each in page if each["role"] == "user"]
        assert asked == [*"0123456789"]
        searched = await pages(api, "/api/agent-jobs?sessionId=s", "jobs")
        assert sum(map(len, searched)) == 10


async def test_a_limit_that_a_setting_has_is_named_with_it() -> None:
    async with api_with(REGISTRY, result_limit_bytes=100_000) as api:
        body = {"name": "paid", "data": "x" * 200_000}
        detail = assert_refused(await api.request("POST", "/api/agent-jobs/job_1/events", json=body), 413)
        assert detail.endswith("; RESULT_LIMIT_BYTES is 100000")
