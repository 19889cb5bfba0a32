"""Schedules in code, from the queue's message to their jobs: what overlaps, what was missed, who may change them."""

from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from baton import Agent, Call, Pending, Registry, Schedule, ScriptedModel, tool
from baton.sdk.agents.schedule import Overlap
from baton.settings.settings import Settings
from baton_events.schema import parse_event
from baton_local.setup.account import Account
from baton_local.setup.wanted import (
    CodedSchedule,
    DeleteSchedule,
    Difference,
    MakeUp,
    PutSchedule,
    coded_schedule,
    difference,
    wanted_of,
)
from tests.fakes.queue import FakeQueue
from tests.fakes.queue_setup import FakeQueueSetup
from tests.fakes.schedules import FakeSchedules
from tests.unit.baton.server.api.client import ADMIN, OPERATIONS_KEY, Api, api_with, assert_problem
from tests.unit.baton_local.setup.accounts import SETTINGS

HOUR_MS, KEY = 3_600_000, b64encode(bytes(32)).decode()


@tool
def order() -> Pending:
    """Order."""
    return Pending(timeout_seconds=86_400)


def coded_in(registry: Registry, settings: Settings = SETTINGS) -> tuple[CodedSchedule, ...]:
    return tuple(coded_schedule(registry, each, settings) for each in registry.schedules)


def registry_of(**fields: Any) -> Registry:
    clerk = Agent("clerk", ScriptedModel([[Call("order")], "done"]), tools=[order])
    schedule: dict[str, Any] = {"agent": clerk, "task": "check", "input_data": {"a": 1}, "time_zone": "Europe/Berlin"}
    return Registry([clerk], schedules=[Schedule("nightly", "0 * * * *", **schedule | fields)])


@asynccontextmanager
async def ticking(overlap: Overlap) -> AsyncIterator[tuple[Api, CodedSchedule]]:
    registry = registry_of(overlap=overlap)
    async with api_with(registry, operations_api_key=OPERATIONS_KEY) as api:
        (coded,) = coded_in(registry, api.stage.container.settings)
        await api.stage.schedules.put(coded.id, coded.cron, coded.message)
        yield api, coded


async def tick(api: Api, coded: CodedSchedule, message_id: str) -> None:
    await api.stage.deliver(parse_event(coded.message.body.encode()), message_id)
    await api.stage.run(within_seconds=60)
    api.stage.clock.ms += 1_000


async def statuses(api: Api) -> list[str]:
    jobs = (await api.request("GET", "/api/agent-jobs", ADMIN)).json()["jobs"]
    return [job["status"] for job in sorted(jobs, key=lambda job: job["createdAt"])]


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        ("queue", ["waiting", "pending", "pending"]),
        ("skip", ["waiting"]),
        ("replace", ["cancelled", "cancelled", "waiting"]),
    ],
)
async def test_what_comes_while_another_lives_does_as_the_schedule_says(overlap: Overlap, expected: list[str]) -> None:
    """A message that comes twice starts one job."""
    async with ticking(overlap) as (api, coded):
        for message_id in ("1", "1", "2", "3", "3"):
            await tick(api, coded, message_id)
        assert await statuses(api) == expected
        (job,) = (await api.request("GET", "/api/agent-jobs", ADMIN)).json()["jobs"][-1:]
        assert (job["taskDescription"], job["jobType"]) == ("check", "clerk")
        await api.request("PATCH", f"/api/agent-jobs/{job['id']}", ADMIN, json={"action": "cancel"})
        await api.stage.run(within_seconds=60)
        await tick(api, coded, "4")
        assert len(await statuses(api)) == len(expected) + 1


async def test_a_message_that_comes_once_more_cancels_no_later_job() -> None:
    """Its own job is over by then: cancelled by the later one, or at its end."""
    async with ticking("replace") as (api, coded):
        for message_id in ("1", "2", "1"):
            await tick(api, coded, message_id)
        assert await statuses(api) == ["cancelled", "waiting"]


async def test_the_api_shows_and_pauses_a_schedule_of_the_code_and_does_not_delete_it() -> None:
    async with ticking("skip") as (api, coded):
        path = f"/api/agent-schedules/{coded.id}"
        shown = (await api.request("GET", path, ADMIN)).json()
        assert {name: shown[name] for name in ("name", "overlap", "backfill", "cron", "timeZone", "jobType")} == {
            "name": "nightly",
            "overlap": "skip",
            "backfill": 0,
            "cron": "0 * * * *",
            "timeZone": "Europe/Berlin",
            "jobType": "clerk",
        }
        assert "is in the code" in assert_problem(await api.request("DELETE", path, ADMIN), 409)
        assert (await api.request("PATCH", path, ADMIN, json={"paused": True})).json()["paused"]


class Settled:
    """An account that has what the code says."""

    def __init__(self, registry: Registry) -> None:
        self.settings = SETTINGS
        self.schedules, self.queue = FakeSchedules(), FakeQueue()
        self.account = Account(FakeQueueSetup(), self.schedules, self.queue, SETTINGS)
        self.registry = registry

    async def difference(self, now_ms: int = 0) -> Difference:
        coded = coded_in(self.registry, self.settings)
        return difference(wanted_of(self.settings, (), coded), await self.account.read(), now_ms)

    async def apply(self, now_ms: int = 0) -> list[Any]:
        found = await self.difference(now_ms)
        for change in found.changes:
            await self.account.apply(change)
        return [change for change in found.changes if isinstance(change, PutSchedule | MakeUp)]


async def test_schedules_are_made_changed_and_stay_paused() -> None:
    settled = Settled(registry_of())
    await settled.apply()
    name = "sch_agent.nightly"
    assert settled.schedules.known[name].cron == "CRON_TZ=Europe/Berlin 0 * * * *"
    assert await settled.apply() == []
    await settled.schedules.pause(name, paused=True)
    assert await settled.apply() == []
    settled.registry = registry_of(task="check all")
    (changed,) = await settled.apply()
    assert changed.why == "its job is another"
    assert settled.schedules.known[name].paused
    settled.registry = Registry(list(settled.registry.agents))
    assert (await settled.difference()).left == (DeleteSchedule(name),)


async def test_schedules_are_made_anew_once_texts_are_sealed_or_by_another_key() -> None:
    settled = Settled(registry_of())
    await settled.apply()
    for keys in (f"k1:{KEY}", f"k2:{KEY},k1:{KEY}", f",k1:{KEY},k2:{KEY}"):
        settled.settings = replace(SETTINGS, payload_keys=keys)
        (changed,) = await settled.apply()
        assert changed.why == "its job is another"
        assert ("check" in settled.schedules.known["sch_agent.nightly"].body) is keys.startswith(",")
        assert await settled.apply() == []


async def test_what_the_queue_has_missed_is_made_up_for_once() -> None:
    """The latest times; none while people have paused it, and none of the last minute."""
    settled = Settled(registry_of(backfill=2, overlap="queue"))
    await settled.apply()
    name, begin_ms = "sch_agent.nightly", 1_800_000_000_000 // HOUR_MS * HOUR_MS
    known = settled.schedules.known[name]
    settled.schedules.known[name] = type(known)(
        known.id, known.destination, known.cron, known.body, known.failure_callback, created_ms=begin_ms - 1
    )
    assert await settled.apply(begin_ms + 30_000) == []
    missed = await settled.apply(begin_ms + 5 * HOUR_MS + 90_000)
    assert [change.at_ms - begin_ms for change in missed] == [4 * HOUR_MS, 5 * HOUR_MS]
    async with api_with(settled.registry) as api:
        for turn, outgoing in enumerate([message for _, message in settled.queue.published * 2]):
            await api.stage.deliver(parse_event(outgoing.body.encode()), f"msg-{turn}")
            await api.stage.run(within_seconds=60)
        assert len(await statuses(api)) == 2
    await settled.schedules.pause(name, paused=True)
    assert await settled.apply(begin_ms + 9 * HOUR_MS) == []
