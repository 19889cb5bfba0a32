"""What else counts for a tenant's quota of bytes: files of sessions, events, and messages for jobs that run."""

import base64
from typing import Any

import httpx
import pytest

from baton import Agent, Registry, ScriptedModel, wait_for_event
from baton.store.redis import keys
from tests.unit.baton.server.api.client import Api, api_with, assert_problem
from tests.unit.baton.server.api.sessions.chatting import chat_body, delivering
from tests.unit.baton.server.api.test_stored_quota import REGISTRY, TEXT, WAITS, job_of, kept

PNG = b"\x89PNG\r\n\x1a\n"


class SeesPictures(ScriptedModel):
    takes_files = ("image/*",)


PICTURES = Registry(
    [
        Agent(name="answers", model=SeesPictures(["done"]), expose="a2a"),
        Agent(name="waits", model=ScriptedModel([WAITS, WAITS, "done"]), tools=[wait_for_event]),
    ]
)


def picture(size_bytes: int, sign: bytes = b"x") -> str:
    return base64.b64encode(PNG + sign * size_bytes).decode()


def with_picture(how: str, name: str, size_bytes: int, sign: bytes = b"x") -> tuple[str, dict[str, str], Any]:
    """The request of a message with a file, by the path of its protocol."""
    content = picture(size_bytes, sign)
    if how == "A2A":
        parts = [{"text": "x"}, {"raw": content, "mediaType": "image/png"}]
        message = {"messageId": name, "role": "ROLE_USER", "contextId": "c", "parts": parts}
        params = {"message": message, "configuration": {"returnImmediately": True}}
        return (
            "/a2a/answers",
            {"a2a-version": "1.0"},
            {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params},
        )
    if how == "AG-UI":
        source = {"type": "data", "value": content, "mimeType": "image/png"}
        asked = {
            "id": name,
            "role": "user",
            "content": [{"type": "text", "text": "x"}, {"type": "image", "source": source}],
        }
        return "/api/ag-ui/answers", {}, {"threadId": "c", "runId": name, "messages": [asked]}
    body = chat_body("c", name, "x")
    url = f"data:image/png;base64,{content}"
    body["messages"][0]["parts"].append({"type": "file", "mediaType": "image/png", "url": url})
    return "/api/chat", {}, body


async def sends_picture(
    api: Api, name: str, size_bytes: int, sign: bytes = b"x", how: str = "chat", **more: Any
) -> httpx.Response:
    path, headers, body = with_picture(how, name, size_bytes, sign)
    return await delivering(api, api.request("POST", path, json=body | more, headers=headers))


async def everything(api: Api) -> tuple[int, ...]:
    """What is counted, and how many messages, jobs and files there are."""
    files = api.stage.redis.run("SMEMBERS", keys.files_key("acme", "c"))
    return await kept(api), len(api.stage.queue.published), len(api.stage.store.trees), len(files)


@pytest.mark.parametrize("how", ["chat", "AG-UI", "A2A"])
async def test_files_count_and_one_too_many_is_not_stored(how: str) -> None:
    """Each once, however often it is sent; before it is stored, with the message that brings it."""
    async with api_with(PICTURES, bytes_kept_per_tenant=100_000) as api:
        assert (await sends_picture(api, "m1", 30_000, how=how)).status_code == 200
        await api.stage.run()
        one = await kept(api)
        assert 40_000 < one < 50_000
        assert (await sends_picture(api, "m1", 30_000, how=how)).status_code == 200
        assert await kept(api) == one
        assert (await sends_picture(api, "m2", 30_000, how=how)).status_code == 200
        await api.stage.run()
        assert await kept(api) < one + 5_000
        before = await everything(api)
        refused = await sends_picture(api, "m3", 50_000, b"y", how=how)
        assert (refused.status_code, "BYTES_KEPT_PER_TENANT" in refused.text) == (429, True)
        assert await everything(api) == before


async def test_what_no_quota_has_room_for_is_too_large() -> None:
    async with api_with(PICTURES, bytes_kept_per_tenant=100_000) as api:
        assert "100000" in assert_problem(await sends_picture(api, "m1", 100_000), 413)
        assert (await kept(api), api.stage.store.trees) == (0, {})


async def test_a_message_that_is_refused_leaves_no_file_behind() -> None:
    """By its id, which had another file, or since its session is busy."""
    async with api_with(PICTURES, bytes_kept_per_tenant=1_000_000) as api:
        assert (await sends_picture(api, "m1", 1_000)).status_code == 200
        assert_problem(await sends_picture(api, "m1", 1_000, b"y"), 422, "messages.0.id")
        assert (await api.submit(jobType="waits", sessionId="c")).status_code == 202
        refused = await api.request(
            "POST", "/api/chat", json=with_picture("chat", "m2", 1_000, b"z")[2] | {"whenBusy": "reject"}
        )
        assert_problem(refused, 409)
        assert (await everything(api))[-1] == 1


async def test_a_deleted_session_gives_its_files_back() -> None:
    async with api_with(PICTURES, bytes_kept_per_tenant=100_000) as api:
        assert (await sends_picture(api, "m1", 30_000)).status_code == 200
        assert (await api.request("DELETE", "/api/sessions/c")).status_code == 204
        assert await kept(api) == 0
        assert (await sends_picture(api, "m2", 50_000)).status_code == 200


async def sends_event(api: Api, name: str, size: int = 10_000, **headers: str) -> httpx.Response:
    body = {"name": "order.created", "key": name, "data": "x" * size}
    return await api.request(
        "POST", "/api/events", json=body, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )


async def test_events_count_and_one_too_many_is_not_kept() -> None:
    """Twice, as their data is kept for waits as well; once for each, however often it comes or is delivered."""
    async with api_with(REGISTRY, bytes_kept_per_tenant=50_000) as api:
        assert [(await sends_event(api, "a", idempotency_key="k")).status_code for _ in range(3)] == [202] * 3
        await api.stage.run()
        assert 20_000 < await kept(api) < 21_000
        assert (await sends_event(api, "b")).status_code == 202
        published = len(api.stage.queue.published)
        assert_problem(await sends_event(api, "c"), 429)
        assert (await sends_event(api, "a", idempotency_key="k")).status_code == 202
        assert 40_000 < await kept(api) < 42_000
        assert len(api.stage.queue.published) == published + 1


async def test_events_for_a_job_count_until_it_ends_and_then_with_it() -> None:
    """Those that wait for their wait; an awaited one is never refused, and counts at the end."""
    async with api_with(REGISTRY, bytes_kept_per_tenant=50_000) as api:
        job_id = await job_of(api)
        before, path = await kept(api), f"/api/agent-jobs/{job_id}/events"
        large = {"name": "paid", "data": "x" * 10_000}
        assert [(await api.request("POST", path, json=large)).status_code for _ in range(3)] == [202, 202, 429]
        assert 40_000 < await kept(api) - before < 41_000
        await api.stage.run()
        assert (await api.read(job_id))["status"] == "completed"
        assert await kept(api) == api.stage.store.tree(job_id).usage[job_id].written
        await api.request("DELETE", f"/api/agent-jobs/{job_id}")
        assert await kept(api) == 0


async def test_messages_that_steer_a_job_count() -> None:
    async with api_with(REGISTRY, bytes_kept_per_tenant=50_000) as api:
        job_id, stage = await job_of(api), api.stage
        session = (await api.read(job_id))["sessionId"]
        steering = {"whenBusy": "steer"}
        answers = [
            await api.request("POST", "/api/chat", json=chat_body(session, f"m{number}", TEXT, **steering))
            for number in range(3)
        ]
        assert [answer.status_code for answer in answers] == [202, 202, 429]
        assert 40_000 < await kept(api) < 45_000
        await stage.run()
