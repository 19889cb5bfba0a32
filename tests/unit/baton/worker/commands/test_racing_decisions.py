"""A thousand people decide about one call at the same time: one decision counts, and the tool runs once, or never."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import httpx
import pytest

from baton_events.ids import digest
from tests.unit.baton.kit.approval_kit import Kit, checkpoints, requested, run_for_an_hour
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, Api, api_of, assert_problem, with_keys

LONG = pytest.mark.long


def crowded(kit: Kit, seed: int) -> Stage:
    """A store that answers each in its own time, after others who asked later, as the seed says."""
    stage, replayed = Stage(settings=with_keys(), registry=kit.registry()), itertools.count(1)

    async def wait() -> None:
        for _ in range(int(digest(seed, next(replayed))[:2], 16) % 40):
            await asyncio.sleep(0)

    async def signal(method: Method, *arguments: Any) -> Any:
        await wait()
        found = await method(*arguments)
        await wait()
        return found

    around(stage.store, "signal", signal)
    return stage


async def decide(api: Api, path: str, number: int) -> httpx.Response:
    if number % 3 == 0:
        return await api.request("DELETE", path, ADMIN, json={"reason": f"no {number}"})
    edited = {"arguments": {"to": "Ann", "amount": number}} if number % 3 == 1 else {}
    return await api.request("POST", path, ADMIN, json={"comment": f"yes {number}", **edited})


def expected_runs(decided: dict[str, Any]) -> list[int]:
    if decided["status"] != "approved":
        return []
    return [(decided["editedArguments"] or decided["arguments"])["amount"]]


@pytest.mark.parametrize(
    ("count", "seed"), [(200, 1), pytest.param(1_000, 2, marks=LONG), pytest.param(1_000, 3, marks=LONG)]
)
async def test_of_many_decisions_one_counts(count: int, seed: int) -> None:
    kit = Kit()
    async with api_of(crowded(kit, seed)) as api:
        job_id, checkpoint = await requested(api, "pays")
        path = f"/api/admin/agent-checkpoints/{checkpoint['id']}"
        answers = await asyncio.gather(*(decide(api, path, number) for number in range(count)))
        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: count - 1}
        (decided,) = [answer.json() for answer in answers if answer.status_code == 200]
        await run_for_an_hour(api)
        assert await checkpoints(api, job_id) == [decided]
        assert [ran.arguments["amount"] for ran in kit.ran] == expected_runs(decided)
        assert (await api.read(job_id))["status"] == "completed"


async def test_a_decision_about_a_job_that_is_deleted_meanwhile_is_404() -> None:
    kit = Kit()
    stage = Stage(settings=with_keys(), registry=kit.registry())
    async with api_of(stage) as api:
        job_id, checkpoint = await requested(api, "pays")

        async def forget_first(signal: Method, *arguments: Any) -> Any:
            stage.store.trees.pop(job_id, None)
            return await signal(*arguments)

        around(stage.store, "signal", forget_first)
        answer = await decide(api, f"/api/admin/agent-checkpoints/{checkpoint['id']}", 2)
        assert checkpoint["id"] in assert_problem(answer, 404)
    assert kit.ran == []


@pytest.mark.parametrize("seed", range(20))
async def test_decisions_race_with_a_cancellation(seed: int) -> None:
    """Whichever comes first: a decision that counted before the end stays recorded, and nothing runs after the end."""
    kit = Kit()
    async with api_of(crowded(kit, seed)) as api:
        job_id, checkpoint = await requested(api, "pays")
        path = f"/api/admin/agent-checkpoints/{checkpoint['id']}"

        async def cancel() -> httpx.Response:
            for _ in range(seed * 3):
                await asyncio.sleep(0)
            return await api.request("PATCH", f"/api/agent-jobs/{job_id}", json={"action": "cancel"})

        cancelled, *answers = await asyncio.gather(cancel(), *(decide(api, path, number) for number in range(20)))
        assert cancelled.status_code == 200
        counted = [answer.json() for answer in answers if answer.status_code == 200]
        assert len(counted) <= 1
        await run_for_an_hour(api)
        (shown,) = await checkpoints(api, job_id)
        assert shown["status"] == (counted[0]["status"] if counted else "cancelled")
        assert kit.ran == []
        assert (await api.read(job_id))["status"] == "cancelled"
