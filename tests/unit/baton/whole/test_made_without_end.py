"""Whatever a client can make is counted for its tenant, by number or by bytes, and costs no other tenant a thing."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from baton import Agent, Call, Registry, Schedule, ScriptedModel, wait_for_event
from baton.store.redis import keys
from baton.store.redis.agent_memory import MOST_SESSIONS
from baton_events.schema import parse_event
from tests.fakes.stored import FakeConnection
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ACME, ADMIN, OTHER, Api, api_of, api_with, assert_problem, with_keys
from tests.unit.baton.server.api.sessions.chatting import chat_body, delivering
from tests.unit.baton.server.protocols.ag_ui.test_runs import run_input, user
from tests.unit.baton.server.protocols.mcp.calling import Client

PATH, LIMIT_BYTES, MOST = "/api/agent-schedules", 60_000, 60
TEXT = "x" * 2_000


class Takes(ScriptedModel):
    takes_files = ("*/*",)


def registry(**options: Any) -> Registry:
    waits = ScriptedModel([[Call("wait_for_event", {"name": "paid", "timeout_seconds": 80_000})], "done"])
    exposed: dict[str, Any] = {"expose": {"a2a", "mcp"}, "description": "Answers."}
    return Registry(
        [Agent("answers", Takes(["done"]), **exposed), Agent("waits", waits, tools=[wait_for_event])], **options
    )


async def post(api: Api, key: str, path: str, body: Any, **headers: str) -> httpx.Response:
    return await delivering(api, api.request("POST", path, key, json=body, headers=headers), within_seconds=60)


async def a_job(api: Api, key: str, agent: str = "answers") -> str:
    job = await api.submitted(key, idempotency_key=f"first {key}", jobType=agent, sessionId="first")
    await api.stage.run(within_seconds=60)
    return str(job["id"])


# Makes one more thing, the so many-th.
Make = Callable[[Api, str, int], Awaitable[httpx.Response]]


async def jobs(api: Api, key: str, number: int) -> httpx.Response:
    return await post(api, key, "/api/agent-jobs", {"jobType": "answers", "taskDescription": f"{number} {TEXT}"})


async def schedules(api: Api, key: str, number: int) -> httpx.Response:
    return await api.request("POST", PATH, key, json=schedule(number))


def schedule(number: int, text: str = TEXT) -> dict[str, Any]:
    return {"jobType": "answers", "cron": "0 9 * * *", "taskDescription": f"{number} {text}"}


async def schedules_that_grow(api: Api, key: str, number: int) -> httpx.Response:
    body, headers = schedule(number, TEXT * (number + 1)), {"idempotency-key": "same"}
    return await api.request("POST", PATH, key, json=body, headers=headers)


async def app_events(api: Api, key: str, number: int) -> httpx.Response:
    return await post(api, key, "/api/events", {"name": "order.made", "data": f"{number} {TEXT}"})


async def events_for_a_job(api: Api, key: str, number: int) -> httpx.Response:
    path = f"/api/agent-jobs/{await a_job(api, key, 'waits')}/events"
    return await post(api, key, path, {"name": "other", "data": f"{number} {TEXT}"})


async def messages_to_a_job(api: Api, key: str, number: int) -> httpx.Response:
    await a_job(api, key, "waits")
    body = {"jobType": "waits", "taskDescription": f"{number} {TEXT}", "sessionId": "first", "whenBusy": "steer"}
    return await post(api, key, "/api/agent-jobs", body)


async def scores(api: Api, key: str, number: int) -> httpx.Response:
    path = f"/api/agent-jobs/{await a_job(api, key)}/scores"
    return await post(api, key, path, {"name": f"s{number % 50}", "value": 1, "comment": TEXT})


async def forks(api: Api, key: str, number: int) -> httpx.Response:
    path = f"/api/agent-jobs/{await a_job(api, key)}/fork"
    return await post(api, key, path, {"turn": 1, "edits": {"taskDescription": f"{number} {TEXT}"}})


async def files(api: Api, key: str, number: int) -> httpx.Response:
    url = f"data:text/plain;base64,{base64.b64encode(f'{number} {TEXT}'.encode()).decode()}"
    body = chat_body("c", f"m{number}", "look", agent="answers")
    body["messages"][0]["parts"] += [{"type": "file", "mediaType": "text/plain", "filename": "a.txt", "url": url}]
    return await post(api, key, "/api/chat", body)


async def runs_of_ag_ui(api: Api, key: str, number: int) -> httpx.Response:
    return await post(api, key, "/api/ag-ui/answers", run_input(f"r{number}", user(f"m{number}", TEXT), thread="t"))


async def tasks_of_a2a(api: Api, key: str, number: int) -> httpx.Response:
    message = {"role": "ROLE_USER", "messageId": f"m{number}", "parts": [{"text": TEXT}]}
    body = {"jsonrpc": "2.0", "id": "1", "method": "SendMessage", "params": {"message": message}}
    return await post(api, key, "/a2a/answers", body, **{"a2a-version": "1.0"})


async def calls_of_mcp(api: Api, key: str, number: int) -> httpx.Response:
    return await Client(api, key=key).posted("tools/call", name="answers", arguments={"task": f"{number} {TEXT}"})


MAKERS: tuple[Make, ...] = (
    *(jobs, schedules, schedules_that_grow, app_events, events_for_a_job, messages_to_a_job),
    *(scores, forks, files, runs_of_ag_ui, tasks_of_a2a, calls_of_mcp),
)


def is_refused(response: httpx.Response) -> bool:
    return response.status_code == 429 or "BYTES_KEPT_PER_TENANT" in response.text


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
async def test_what_a_client_makes_ends_where_its_bytes_do(make: Make) -> None:
    """Long before it has made so many; and another tenant makes what it likes."""
    async with api_with(registry(), bytes_kept_per_tenant=LIMIT_BYTES) as api:
        answers = [await make(api, ACME, 0)]
        while not is_refused(answers[-1]) and len(answers) < MOST:
            answers.append(await make(api, ACME, len(answers)))
        assert answers[0].is_success, answers[0].text
        assert is_refused(answers[-1])
        assert (await make(api, OTHER, 0)).is_success


async def made(api: Api, key: str, *numbers: int) -> list[int]:
    answers = [api.request("POST", PATH, key, json=schedule(number, "")) for number in numbers]
    return [answer.status_code for answer in await asyncio.gather(*answers)]


async def listed(api: Api, key: str) -> list[str]:
    return [each["id"] for each in (await api.request("GET", PATH, key)).json()["schedules"]]


async def test_a_tenant_has_so_many_schedules_however_many_it_makes_at_once() -> None:
    async with api_with(registry(), schedules_per_tenant=3) as api:
        assert sorted(await made(api, ACME, *range(3))) == [201] * 3
        assert await made(api, ACME, *range(3)) == [201] * 3  # the same ones
        refused = await api.request("POST", PATH, ACME, json=schedule(3))
        assert "SCHEDULES_PER_TENANT allows 3" in assert_problem(refused, 409)
        assert await made(api, OTHER, 0) == [201]
        (first, *_) = ids = await listed(api, ACME)
        assert (len(ids), len(api.stage.schedules.known)) == (3, 4)
        assert (await api.request("DELETE", f"{PATH}/{first}", ACME)).status_code == 204
        assert await made(api, ACME, 4) == [201]
    async with api_with(registry(), schedules_per_tenant=3) as api:
        assert (await made(api, ACME, *range(20))).count(201) <= 3
        assert len(api.stage.schedules.known) <= 3


async def test_what_was_refused_counts_nothing() -> None:
    async with api_with(registry(), schedules_per_tenant=1, bytes_kept_per_tenant=LIMIT_BYTES) as api:
        for body in (schedule(1) | {"cron": "61 61"}, schedule(1, "x" * LIMIT_BYTES)):
            assert not (await api.request("POST", PATH, ACME, json=body)).is_success
        assert await api.stage.ports.kept_schedules.of("acme") == []
        assert await made(api, ACME, 1) == [201]
        body = schedule(1, "") | {"cron": "61 61"}
        same = await api.request("POST", PATH, ACME, json=body, headers={"idempotency-key": "k"})
        assert same.status_code == 409
        assert await listed(api, ACME) == await api.stage.ports.kept_schedules.of("acme")


async def test_the_list_of_a_tenant_costs_what_it_has() -> None:
    """No schedule of others is read; those in code are the deployment's own tenant's; operators see all."""
    coded = Schedule("nightly", "0 3 * * *", agent="answers")
    stage = Stage(settings=with_keys(tenant="acme"), registry=registry(schedules=[coded]))
    async with api_of(stage) as api:
        await made(api, OTHER, *range(20))
        known = stage.schedules.known
        reads, find = list[str](), stage.schedules.find

        async def noting(schedule_id: str) -> Any:
            reads.append(schedule_id)
            return await find(schedule_id)

        stage.schedules.find = noting  # type: ignore[method-assign]
        assert await listed(api, ACME) == []
        assert reads == [f"sch_{stage.container.settings.topic_prefix}.nightly"]
        assert await listed(api, OTHER) == sorted(known) == await listed(api, ADMIN)


async def test_a_schedule_that_a_failover_forgot_is_listed_again_by_its_tick() -> None:
    async with api_with(registry()) as api:
        await made(api, ACME, 0)
        (schedule_id,) = api.stage.schedules.known
        await api.stage.ports.kept_schedules.take_out("acme", schedule_id)
        assert await listed(api, ACME) == []
        await api.stage.deliver(parse_event(api.stage.schedules.known[schedule_id].body.encode()), "tick")
        assert await listed(api, ACME) == [schedule_id]


async def test_a_tenant_has_so_many_created_sessions_listed() -> None:
    """Those that were used last."""
    async with api_with(registry()) as api:
        key, redis = keys.sessions_key("acme"), FakeConnection(api.stage.redis)
        now_ms = api.stage.clock.ms
        await redis.pipeline(["ZADD", key, *(text for n in range(MOST_SESSIONS) for text in (now_ms - 1, f"old-{n}"))])
        for _ in range(3):
            assert (await api.request("POST", "/api/chat/sessions", ACME)).status_code == 200
        (count,) = await redis.pipeline(["ZCARD", key])
        assert count == MOST_SESSIONS
        newest = await api.stage.ports.chats.newest_sessions("acme", now_ms, 0, 3)
        assert [used_ms for _, used_ms in newest] == [now_ms] * 3
