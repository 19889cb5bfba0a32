"""A job's parts as server-sent events."""

import asyncio
import json
import re
from typing import Any

import pytest
from msgspec.structs import replace
from starlette.types import Message

from baton.server.app import build_app
from baton.worker.entry import LambdaHandler
from baton_events.errors import BatonError, StoreError, UnreadablePayloadError
from baton_local.fixtures.lambda_events import HttpRequest, function_url_event
from tests.unit.baton.kit.invoker import Invoker
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, Api, assert_problem, with_keys
from tests.unit.baton.server.api.following import cut, stream_on_lambda

CREATED_MS = 1_800_000_000_000


def streamed(text: str) -> list[tuple[str, Any]]:
    """(id, data) of each event; comments left out."""
    found: list[tuple[str, Any]] = []
    for block in text.split("\n\n"):
        fields = dict(re.findall(r"^(id|data): (.*)$", block, re.MULTILINE))
        if fields:
            data = fields["data"]
            found.append((fields.get("id", ""), data if data == "[DONE]" else json.loads(data)))
    return found


async def ended_job(api: Api, agent: str = "adds") -> str:
    job_id: str = (await api.submitted(jobType=agent))["id"]
    await api.stage.run()
    return job_id


async def test_an_ended_jobs_stream_reports_everything_and_ends(api: Api) -> None:
    """To operators; others get what concerns them."""
    job_id = await ended_job(api)
    response = await api.request("GET", f"/api/agent-jobs/{job_id}/stream", ADMIN)
    events = streamed(response.text)
    assert response.status_code == 200
    assert response.headers["content-type"].split(";")[0] == "text/event-stream"
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert events[-1] == ("", "[DONE]")
    assert [number for number, _ in events[:-1]] == [f"{CREATED_MS}-{n}" for n in range(1, len(events))]
    types = [part["type"] for _, part in events[:-1]]
    assert (types[0], types[-1]) == ("start", "finish")
    assert types.count("tool-output-available") == 2
    assert events[-2][1] == {"type": "finish", "messageMetadata": {"status": "completed"}}
    assert_problem(await api.request("GET", "/api/agent-jobs/job_unknown/stream"), 404)


async def test_a_reader_is_told_where_a_trimmed_stream_begins(api: Api) -> None:
    """Numbers stay what they are; who was behind that place misses nothing, and is told nothing."""
    job_id = await ended_job(api)
    cut(api.stage, 4)
    path, note = f"/api/agent-jobs/{job_id}/stream", ": the parts before 4 are gone"
    text = (await api.request("GET", path)).text
    assert text.startswith(f"{note}\nid: {CREATED_MS}-4\n")
    assert streamed(text)[1][0] == f"{CREATED_MS}-5"
    again = (await api.request("GET", path, headers={"last-event-id": f"{CREATED_MS}-3"})).text
    assert again == text.removeprefix(f"{note}\n")


async def test_a_process_that_stops_ends_a_stream_without_its_end(api: Api) -> None:
    """What is there is told; the client comes back for the rest, to a process that stays."""
    job_id = (await api.submitted(jobType="adds"))["id"]
    api.stage.container.stopping.begun = True
    events = streamed((await api.request("GET", f"/api/agent-jobs/{job_id}/stream")).text)
    assert [part["type"] for _, part in events] == ["start"]


@pytest.mark.parametrize("how", ["header", "query"])
async def test_a_reader_that_comes_back_gets_the_rest_once(api: Api, how: str) -> None:
    """At every position: what was read and what follows are together the whole."""
    job_id = await ended_job(api)
    path = f"/api/agent-jobs/{job_id}/stream"
    whole = streamed((await api.request("GET", path)).text)
    for position, (last_id, _) in enumerate(whole[:-1], 1):
        if how == "header":
            response = await api.request("GET", path, headers={"last-event-id": last_id})
        else:
            response = await api.request("GET", path, params={"last_message_id": last_id})
        assert streamed(response.text) == whole[position:]


@pytest.mark.parametrize("position", ["x", "1", "-1", "1-x", "1.5-2", " 1-2 x", "1-" + "9" * 20, "1-" + "9" * 5_000])
async def test_a_position_that_is_none_is_a_bad_request(api: Api, position: str) -> None:
    job_id = await ended_job(api, "answers")
    response = await api.request("GET", f"/api/agent-jobs/{job_id}/stream", headers={"last-event-id": position})
    detail = assert_problem(response, 400)
    assert len(position) > 1_000 or "is not of the form <ms>-<n>" in detail


async def test_a_part_is_one_line_whatever_is_in_it(api: Api) -> None:
    """A line feed in a text must not end an event."""
    job_id = (await api.submitted())["id"]
    tree = api.stage.store.tree(job_id)
    part = json.dumps({"type": "text-delta", "delta": "a\n\nb\r\ndata: x\u2028"}, ensure_ascii=False)
    api.stage.store.write(job_id, replace(tree, parts={job_id: (part,)}))
    await api.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "cancel"})
    events = streamed((await api.request("GET", f"/api/agent-jobs/{job_id}/stream")).text)
    assert events[0][1]["delta"] == "a\n\nb\r\ndata: x\u2028"


@pytest.mark.parametrize("error", [StoreError("the store is down"), UnreadablePayloadError("k1")], ids=repr)
async def test_a_read_that_fails_in_mid_stream_ends_the_answer_without_the_end(
    api: Api, caplog: pytest.LogCaptureFixture, error: BatonError
) -> None:
    job_id = (await api.submitted())["id"]

    async def fail() -> None:
        await asyncio.sleep(0.05)
        api.stage.reader.connection.down = error

    response, _ = await asyncio.gather(api.request("GET", f"/api/agent-jobs/{job_id}/stream"), fail())
    assert response.status_code == 200
    assert [part["type"] for _, part in streamed(response.text)] == ["start"]
    assert f"the stream of {job_id} ends before the job: {error}" in caplog.text, "else it ends by a traceback"


async def test_a_reader_who_goes_away_is_no_error(api: Api) -> None:
    """On hosts that say so by refusing what is sent."""
    job_id, key = await ended_job(api, "answers"), f"Bearer {ACME}".encode()
    sent: list[str] = []

    async def send(message: Message) -> None:
        sent.append(message["type"])
        if message["type"] == "http.response.body":
            raise OSError("gone")

    async def receive() -> Message:
        return {"type": "http.request"}

    scope: dict[str, Any] = {"type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "method": "GET"}
    scope |= {"path": f"/api/agent-jobs/{job_id}/stream", "root_path": "", "query_string": b"", "scheme": "http"}
    scope |= {"headers": [(b"authorization", key), (b"host", b"test")], "server": ("test", 80), "client": ("test", 1)}
    await build_app(api.stage.container)(scope, receive, send)
    assert sent == ["http.response.start", "http.response.body"]


async def test_where_nothing_streams_a_reader_gets_what_is_there_and_comes_back(api: Api) -> None:
    """Without the end before the end; together the answers are the stream."""
    job_id = (await api.submitted(jobType="adds"))["id"]
    so_far: list[tuple[str, Any]] = [("0-0", "")]

    async def read_on() -> None:
        if so_far[-1][1] != "[DONE]":
            answer = (await stream_on_lambda(api, job_id, so_far[-1][0])).text
            assert answer.startswith("retry: ")
            so_far.extend(streamed(answer))

    await read_on()
    await read_on()
    assert len(so_far) == 2
    await api.stage.run(read_on)
    assert so_far[1:] == streamed((await api.request("GET", f"/api/agent-jobs/{job_id}/stream")).text)


def test_a_stream_behind_mangum_ends_with_what_is_there() -> None:
    """The client is told to come back soon; a job that has ended says so."""
    handler = LambdaHandler(build_app(Stage(settings=with_keys()).container))

    def requested(method: str, path: str, body: bytes = b"") -> Any:
        request = HttpRequest(method, path, {"authorization": f"Bearer {ACME}"}, body)
        return lambda_function.invoke(handler, function_url_event(request))

    with Invoker() as lambda_function:
        submitted = requested("POST", "/api/agent-jobs", b'{"jobType": "answers"}')
        path = f"/api/agent-jobs/{json.loads(submitted['body'])['id']}"
        running = requested("GET", f"{path}/stream")
        requested("PATCH", path, b'{"action": "cancel"}')
        ended = requested("GET", f"{path}/stream")
    assert running["headers"]["content-type"].startswith("text/event-stream")
    assert running["body"].startswith("retry: 500\n\nid: ")
    assert "[DONE]" not in running["body"]
    assert ended["body"].endswith("data: [DONE]\n\n")
