"""Followers of jobs in virtual time, and what their looks cost."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, ParamSpec

import httpx

from baton import Agent, Call, Pending, Registry, ScriptedModel, ToolError, tool
from baton.engine.state import Job
from baton.server.app import build_app
from baton.store.records.jobs import Snapshot, StoredParts
from baton.testing.virtual_loop import VirtualLoop
from tests.fakes.stored import FakeReader
from tests.simulation import asgi
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, Api, with_keys

HOUR_SECONDS = 3_600
P = ParamSpec("P")


class Counting(FakeReader):
    """Counts what a look costs in the store, as Upstash does."""

    commands = 0

    async def parts(self, job_id: str, after: int, known: Job | None = None) -> StoredParts:
        self.commands += 2
        return await super().parts(job_id, after, known)

    async def parts_after(self, job: Job, after: int) -> tuple[str, ...]:
        self.commands -= 1  # of the two that `parts` counts
        return await super().parts_after(job, after)

    async def jobs(self, job_ids: Sequence[str]) -> dict[str, Snapshot]:
        self.commands += 2 * len(job_ids) + 1
        return await super().jobs(job_ids)

    async def job(self, job_id: str, **how: bool) -> Snapshot | None:
        self.commands += 5
        return await super().job(job_id, **how)


def cut(stage: Stage, first: int) -> None:
    """Let all streams begin with this part, as if the store had dropped those before."""

    class Cut(FakeReader):
        async def parts(self, job_id: str, after: int, known: Job | None = None) -> StoredParts:
            stored = await super().parts(job_id, after, known)
            at = max(stored.first, first)
            return replace(stored, parts=stored.parts[at - stored.first :], first=at)

    stage.container.ports = replace(stage.ports, reader=Cut(stage.redis))


@tool(retries=0)
async def order() -> Pending:
    """Order something that comes later."""
    return Pending(timeout_seconds=30 * 86_400)


@tool
async def work() -> None:
    """Work for an hour, without a word."""
    await asyncio.sleep(HOUR_SECONDS)


@tool(retries=1, retry_delay_seconds=5)
async def stumble() -> None:
    """Fail, once."""
    raise ToolError("not yet", retryable=True)


def waiting_stage(**settings: Any) -> Stage:
    """A stage whose job waits for an outcome from outside; one of another agent works, or waits for an attempt."""
    waits = Agent(name="waits", model=ScriptedModel([[Call("order")], "done"]), tools=[order])
    works = Agent(name="works", model=ScriptedModel([[Call("work")], "done"]), tools=[work])
    stumbles = Agent(name="stumbles", model=ScriptedModel([[Call("stumble")], "done"]), tools=[stumble])
    keyed = with_keys(redis_token="of the store", **settings)
    stage = Stage(settings=keyed, registry=Registry([waits, works, stumbles]))
    counting = Counting(stage.redis)
    stage.reader = counting
    stage.ports = replace(stage.ports, reader=counting)
    stage.container.ports = stage.ports
    return stage


async def waiting_job(api: Api) -> str:
    job_id: str = (await api.submitted(jobType="waits"))["id"]
    await api.stage.run(within_seconds=30)
    assert (await api.read(job_id))["status"] == "waiting"
    return job_id


@dataclass
class Follower:
    """Reads one stream in a task of its own, until the answer's end. `received`: (when, what) of each piece."""

    stage: Stage
    job_id: str
    headers: Mapping[str, str] = field(default_factory=lambda: {"authorization": f"Bearer {ACME}"})
    query: str = ""
    scope: Mapping[str, Any] = field(default_factory=dict[str, Any])
    received: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])

    def __post_init__(self) -> None:
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        app, loop = build_app(self.stage.container), asyncio.get_running_loop()

        async def with_query(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "query_string": self.query.encode(), **self.scope}, receive, send)

        def receive(text: str) -> bool:
            self.received.append((loop.time(), text))
            return True

        await asgi.follow(with_query, f"/api/agent-jobs/{self.job_id}/stream", self.headers, receive)

    @property
    def parts(self) -> list[str]:
        return [text for _, text in self.received if text.startswith("id: ")]


def seconds() -> float:
    return asyncio.get_running_loop().time()


async def stream_on_lambda(api: Api, job_id: str, last_id: str) -> httpx.Response:
    return await on_lambda(api, f"/api/agent-jobs/{job_id}/stream", headers={"last-event-id": last_id})


async def on_lambda(api: Api, path: str, json: Any = None, headers: Mapping[str, str] | None = None) -> httpx.Response:
    """One answer of the app behind a host that hands it over whole: Mangum puts Lambda's event into the scope."""
    app = build_app(api.stage.container)

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "aws.event": {}}, receive, send)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(behind), base_url="http://test") as client:
        headers = {"authorization": f"Bearer {ACME}", **(headers or {})}
        return await client.request("POST" if json else "GET", path, json=json, headers=headers)


def virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        in_virtual_time(lambda: test(*args, **kwargs))

    return run


def in_virtual_time(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario in a loop that sleeps in no time."""
    with closing(VirtualLoop()) as loop:
        task = loop.create_task(scenario())
        task.add_done_callback(lambda _: loop.stop())  # a follower that is left over would go on for ever
        loop.run_until_idle()
        loop.clear()
        task.result()
