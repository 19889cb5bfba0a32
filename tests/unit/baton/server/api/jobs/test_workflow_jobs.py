"""Jobs of workflows: what starts them besides a submission, and forks that their code can take, or cannot."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from baton import JobInfo, Registry, Schedule, tool, workflow
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, Api, api_of, with_keys
from tests.unit.baton.server.api.sessions.chatting import send, text_of


@tool
async def add(a: int, b: int) -> int:
    return a + b


@workflow
async def count(n: int) -> int:
    total = 0
    for _ in range(n):
        total = await add(total, 1)
    return total


@workflow
async def echo(job: JobInfo) -> str:
    """Say the task."""
    return f"{await add(1, 2)} {job.task}"


@workflow(on="order.created", task="an order")
async def ordered(number: str, cents: int, job: JobInfo) -> str:
    return f"{number} {await add(cents, 1)} {job.task}"


REGISTRY = Registry(
    workflows=[count, echo, ordered], schedules=[Schedule("nightly", "0 2 * * *", agent=count, input_data={"n": 2})]
)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with api_of(Stage(settings=with_keys(), registry=REGISTRY)) as api:
        yield api


def test_a_schedule_of_code_names_a_workflow_itself() -> None:
    assert [each.agent_name for each in REGISTRY.schedules] == ["count"]


async def test_a_submission_has_tags_and_a_priority_and_a_schedule_is_checked(api: Api) -> None:
    job = await api.submitted(jobType="count", inputData={"n": 3}, tags=["a"], priority=9)
    await api.stage.run(within_seconds=60)
    job = await api.read(job["id"])
    assert (job["result"]["output"], job["tags"], job["priority"]) == (3, ["a"], 9)
    body = {"cron": "* * * * *", "jobType": "count", "inputData": {}}
    refused = await api.request("POST", "/api/agent-schedules", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "inputData.n")


async def test_a_message_of_a_chat_is_its_task(api: Api) -> None:
    assert text_of(await send(api, "chat-1", "m1", "hello", agent="echo")) == "3 hello"
    assert text_of(await send(api, "chat-1", "m2", "again", agent="echo")) == "3 again"


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        ({"number": "A-7", "cents": 5}, ("completed", "A-7 6 an order")),
        ({"number": "A-7"}, ("failed", "cents: is required")),
        (["A-7"], ("failed", "number: is required\ncents: is required")),
    ],
)
async def test_an_events_data_is_its_input(api: Api, data: Any, ends: tuple[str, str]) -> None:
    sent = await api.request("POST", "/api/events", json={"name": "order.created", "data": data})
    await api.stage.run(within_seconds=60)
    (handled,) = (await api.request("GET", f"/api/events/{sent.json()['id']}")).json()["handlers"]
    job = await api.read(handled["jobId"])
    assert job["status"] == handled["status"] == ends[0]
    assert (job["result"]["output"] if job["result"] else job["error"]["message"]).startswith(ends[1])


async def _forked(api: Api, job: dict[str, Any], **body: Any) -> Any:
    forked = await api.request("POST", f"/api/agent-jobs/{job['id']}/fork", ADMIN, json=body)
    if forked.status_code != 202:
        return forked.json()["errors"][0]["field"]
    await api.stage.run(within_seconds=60)
    made = await api.read(forked.json()["id"])
    return (made["result"] or {}).get("output", made["status"])


async def test_a_fork_takes_what_the_code_can_still_use(api: Api) -> None:
    job = await api.submitted(jobType="count", inputData={"n": 3})
    await api.stage.run(within_seconds=60)
    job = await api.read(job["id"])
    first = job["toolCalls"][0]["id"]
    results, arguments = {"toolResults": {first: 10}}, {"arguments": {first: {"a": 4, "b": 5}}}
    assert [await _forked(api, job, turn=turn) for turn in (1, 3, 4)] == [3, 3, 3]
    assert await _forked(api, job, turn=2, edits=results, toolsRun="again") == 12
    assert await _forked(api, job, turn=2, edits=arguments, toolsRun="again") == 11
    for turn, edits, field in (
        (3, results, f"toolResults.{first}"),
        (3, arguments, f"arguments.{first}"),
        (1, {"instructions": "be brief"}, "instructions"),
        (1, {"model": "demo"}, "model"),
    ):
        assert await _forked(api, job, turn=turn, edits=edits) == f"edits.{field}"
