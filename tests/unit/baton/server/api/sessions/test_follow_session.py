"""`GET /api/sessions/{id}/stream`: later answers come by themselves, and a reader that comes back misses nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.server.api.sessions import follow_session
from baton.server.app import build_app
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_with, assert_problem
from tests.unit.baton.server.api.following import on_lambda
from tests.unit.baton.server.api.sessions.chatting import send

PATH = "/api/sessions/c/stream"


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@tool(requires_approval=True, approval={"by": "user"})
def pay(euros: int) -> str:
    return f"paid {euros}"


def registry() -> Registry:
    calls = [Call("add", {"a": 1, "b": 2})]
    adds = Agent(name="adds", model=ScriptedModel([calls, "three"]), tools=[tool(add)])
    pays = Agent(name="pays", model=ScriptedModel([[Call("pay", {"euros": 7})], "paid"]), tools=[pay])
    return Registry([adds, pays])


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_with(registry()) as made:
        yield made


class Follower:
    """A page that reads; `events`: each with its id."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.rest, self.came = "", asyncio.Event()

    def take(self, text: str) -> None:
        *whole, self.rest = (self.rest + text).split("\n\n")
        for block in whole:
            lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "data" in lines:
                self.events.append((lines.get("id", ""), json.loads(lines["data"])))
                self.came.set()

    @property
    def parts(self) -> list[tuple[str, str]]:
        return [(event["jobId"], event["part"]["type"]) for _, event in self.events if "part" in event]

    async def has(self, kind: str, count: int = 1) -> None:
        async with asyncio.timeout(5):
            while sum(found == kind for _, found in self.parts) < count:
                await self.came.wait()
                self.came.clear()


@asynccontextmanager
async def following(api: Api, place: str = "", query: str = "") -> AsyncIterator[Follower]:
    """Follow as a server does, event by event: the transport of tests gives none before the end."""
    made, sent = Follower(), asyncio.Event()
    app = build_app(api.stage.container)
    headers = [(b"authorization", f"Bearer {ACME}".encode())]
    headers += [(b"last-event-id", place.encode())] if place else []
    scope = {"type": "http", "method": "GET", "path": PATH, "raw_path": PATH.encode(), "headers": headers}
    scope |= {"query_string": query.encode(), "http_version": "1.1", "scheme": "http", "server": ("app", 80)}

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def take(message: MutableMapping[str, Any]) -> None:
        sent.set()
        assert message.get("status", 200) == 200, message
        made.take(message.get("body", b"").decode())

    task = asyncio.create_task(app(scope, receive, take))
    await sent.wait()
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_answer_to_a_message_from_elsewhere_comes_with_its_question(api: Api) -> None:
    """And one after the other, each part once, in the order of its job; what was over before is not told."""
    assert_problem(await api.request("GET", PATH), 404)
    await send(api, "c", "m0", "before", agent="adds")
    async with following(api) as page:
        first = await send(api, "c", "m1", "add", agent="adds")
        await page.has("finish")
        await send(api, "c", "m2", "add again", agent="adds")
        await page.has("finish", 2)
    told = [event["message"]["id"] for _, event in page.events if "message" in event]
    assert told == ["m1", "m2"]
    assert page.parts[0][1] == "start"
    job_id = page.parts[0][0]
    of_first = [line.removeprefix("data: ") for line in first.text.splitlines() if line.startswith("data: {")]
    assert [event["part"] for _, event in page.events if event["jobId"] == job_id and "part" in event] == [
        json.loads(line) for line in of_first
    ]


async def test_a_reader_that_comes_back_gets_the_rest_wherever_it_was(api: Api) -> None:
    """Also of jobs that ended meanwhile, and of those that it never saw."""
    await send(api, "c", "m0", "before", agent="adds")
    async with following(api) as page:
        await send(api, "c", "m1", "add", agent="adds")
        await page.has("finish")
        await send(api, "c", "m2", "add", agent="adds")
        await page.has("finish", 2)
    numbered = [(place, event) for place, event in page.events if place]
    for at, (place, _) in enumerate(numbered):
        async with following(api, place) as back:
            await back.has(
                "finish", sum(event.get("part", {}).get("type") == "finish" for _, event in numbered[at + 1 :])
            )
            await asyncio.sleep(0.03)
        rest = [event for found, event in back.events if found and "part" in event]
        assert rest == [event for _, event in numbered[at + 1 :] if "part" in event], place
    async with following(api, query=f"last_message_id={numbered[3][0]}") as back:
        await back.has("finish", 2)


async def test_the_session_says_from_where_its_stream_goes_on(api: Api) -> None:
    """So what ends between the two is told; an approval is asked as in the chat."""
    nothing = (await api.request("GET", "/api/sessions/c")).status_code
    assert nothing == 404
    await send(api, "c", "m1", "add", agent="adds")
    place = (await api.request("GET", "/api/sessions/c")).json()["lastEventId"]
    await send(api, "c", "m2", "add", agent="adds")
    async with following(api, place) as page:
        await page.has("finish")
        submitted = await api.submitted(jobType="pays", sessionId="c")
        await api.stage.run(within_seconds=60)
        await page.has("tool-approval-request")
    assert next(event["message"]["id"] for _, event in page.events if "message" in event) == "m2"
    assert {job for job, kind in page.parts if kind == "tool-approval-request"} == {submitted["id"]}
    older = (await api.request("GET", "/api/sessions/c?limit=1")).json()
    assert (await api.request("GET", f"/api/sessions/c?limit=1&cursor={older['cursor']}")).json()["lastEventId"] is None


async def test_a_look_costs_the_same_however_many_jobs_are_open(api: Api) -> None:
    """Their first look, and each later one, in which nothing is new."""
    costs, redis = list[int](), api.stage.redis
    for count in (1, 6):
        for _ in range(count):
            await api.submitted(jobType="pays", sessionId="c")
        before = redis.requests
        whole = await on_lambda(api, PATH, headers={"last-event-id": ""})
        costs.append(redis.requests - before)
        assert whole.text.count('"message"') == (1 if count == 1 else 7)
    assert costs[0] == costs[1] <= 10


async def test_it_is_its_tenants_alone_and_garbage_is_refused(api: Api) -> None:
    assert_problem(await api.request("GET", f"{PATH}?tenant=acme", OTHER), 403)
    for place in ("x", "1-2", "0000000000000::;a=x", "0000000000000::" + ";a=1" * 51):
        assert_problem(await api.request("GET", PATH, headers={"last-event-id": place}), 400)
    await send(api, "c", "m1", "add", agent="adds")
    (job,) = (await api.request("GET", "/api/agent-jobs", ADMIN)).json()["jobs"]
    async with api_with(registry()) as other:
        await other.submitted(OTHER, jobType="adds", sessionId="d")
        (foreign,) = (await other.request("GET", "/api/agent-jobs", ADMIN)).json()["jobs"]
        await send(other, "c", "m1", "add", agent="adds")
        async with following(other, f"9999999999999:;{foreign['id']}=0") as page:
            await asyncio.sleep(0.1)
    assert (page.events, job["status"]) == ([], "completed")


async def test_where_nothing_streams_the_answer_is_what_is_there(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the time to come back; what is too much for one answer comes with the next one."""
    place = "0000000000000:"
    await send(api, "c", "m1", "add", agent="adds")
    whole = await on_lambda(api, PATH, headers={"last-event-id": place})
    assert whole.text.endswith("retry: 30000\n\n")
    monkeypatch.setattr(follow_session, "ANSWER_BYTES", 300)
    page = Follower()
    for _ in range(30):
        page.take((await on_lambda(api, PATH, headers={"last-event-id": place})).text)
        place = next((found for found, _ in reversed(page.events) if found), place)
    once = Follower()
    once.take(whole.text)
    assert page.parts == once.parts
    assert page.parts[-1][1] == "finish"
