"""Jobs with scripts of a model: fork, diff, cancel, retry."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, sleep, tool, wait_for_event, workflow
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, Api, api_of, with_keys

CODE = """
first = await asyncio.gather(price("a"), price("b"))
await note("paid")
third = await price("c")
[*first, third]"""


@dataclass
class Clerk:
    api: Api
    runs: list[str]
    fails: list[str]

    async def submitted(self, agent: str = "clerk") -> dict[str, Any]:
        return await self.api.submitted(jobType=agent, taskDescription="x")

    async def ended(self, agent: str = "clerk") -> dict[str, Any]:
        job_id = (await self.submitted(agent))["id"]
        await self.api.stage.run(within_seconds=60)
        return await self.api.read(job_id)

    async def fork(self, job: dict[str, Any], turn: int, **body: Any) -> Any:
        path = f"/api/agent-jobs/{job['id']}/fork"
        return await self.api.request("POST", path, ADMIN, json={"turn": turn, **body})

    async def forked(self, job: dict[str, Any], turn: int, **body: Any) -> dict[str, Any]:
        self.runs.clear()
        response = await self.fork(job, turn, **body)
        assert response.status_code == 202, response.text
        await self.api.stage.run(within_seconds=60)
        return await self.api.read(response.json()["id"])


@pytest.fixture
async def clerk() -> AsyncIterator[Clerk]:
    """An agent that sends one script, and then answers; what is in `fails` fails."""
    runs, fails = list[str](), list[str]()

    @tool(retries=0)
    async def price(of: str) -> str:
        runs.append(of)
        await asyncio.sleep(0)
        return f"{of} costs 1"

    @tool(retries=0)
    async def note(text: str) -> None:
        runs.append(text)

    @dataclass
    class Answers:
        name: str = "answers"
        reads_history: bool = True

        async def answer(self, request: Any) -> Any:
            if request.turn == 2 and fails:
                raise RuntimeError(fails.pop())
            return await ScriptedModel([[Call("run_code", {"code": CODE})], "done"]).answer(request)

    agent = Agent("clerk", model=Answers(), tools=[price, note], code_mode=True, model_retries=0)
    stage = Stage(settings=with_keys(), registry=Registry([agent]))
    async with api_of(stage) as api:
        yield Clerk(api, runs, fails)


def results(job: dict[str, Any]) -> list[Any]:
    return [call.get("result") for call in job["toolCalls"]]


VALUE = {"value": ["a costs 1", "b costs 1", "c costs 1"]}


async def test_a_fork_takes_the_script_over_whole_or_runs_it_anew_with_recorded_results_or_again(clerk: Clerk) -> None:
    """A diff shows its calls under its turn; its own turns, and edits inside it, are refused."""
    job = await clerk.ended()
    assert (job["turns"], len(job["toolCalls"])) == (2, 5)
    forked = await clerk.forked(job, 7)
    assert (forked["status"], clerk.runs) == ("completed", [])
    assert results(forked) == [VALUE]
    assert (forked["usage"]["modelCalls"], forked["usage"]["cachedCalls"]) == (1, 1)
    forked = await clerk.forked(job, 1)
    assert (results(forked), clerk.runs) == (results(job), [])
    forked = await clerk.forked(job, 1, toolsRun="again")
    assert (results(forked), sorted(clerk.runs)) == (results(job), ["a", "b", "c", "paid"])
    forked = await clerk.forked(job, 1)
    response = await clerk.api.request("GET", f"/api/agent-jobs/{job['id']}/diff/{forked['id']}")
    turns = response.json()["turns"]
    assert [turn["change"] for turn in turns] == ["same", "same"]
    assert [call["tool"] for call in turns[0]["left"]["calls"]] == ["run_code", "price", "price", "note", "price"]
    for turn in (2, 5):
        refused = await clerk.fork(job, turn)
        assert refused.status_code == 422
        assert f"turn {turn} goes on with a script, and asks no model: name one of 1, 7" in refused.text
    inside = job["toolCalls"][1]["id"]
    refused = await clerk.fork(job, 7, edits={"toolResults": {inside: "free"}})
    assert (refused.status_code, "has no tool call" in refused.text) == (422, True)
    edited = await clerk.forked(job, 7, edits={"toolResults": {job["toolCalls"][0]["id"]: {"value": 5}}})
    assert results(edited) == [{"value": 5}]


async def test_a_retry_after_a_failed_turn_repeats_no_script(clerk: Clerk) -> None:
    clerk.fails.append("away")
    job = await clerk.ended()
    assert job["status"] == "failed"
    assert sorted(clerk.runs) == ["a", "b", "c", "paid"]
    await clerk.api.request("PATCH", f"/api/agent-jobs/{job['id']}", json={"action": "retry"})
    await clerk.api.stage.run(within_seconds=60)
    job = await clerk.api.read(job["id"])
    assert (job["status"], results(job)[0], len(clerk.runs)) == ("completed", VALUE, 4)


@pytest.mark.parametrize("begin", ["failure", "start"])
@pytest.mark.parametrize("steps", range(1, 9))
async def test_a_job_cancelled_anywhere_goes_on_where_it_was_or_from_its_start(
    clerk: Clerk, steps: int, begin: str
) -> None:
    job = await clerk.submitted()
    delivered = 0

    async def count() -> None:
        nonlocal delivered
        delivered += 1
        if delivered == steps:
            raise InterruptedError

    with suppress(InterruptedError):
        await clerk.api.stage.run(count, within_seconds=60)
    before = list(clerk.runs)
    response = await clerk.api.request("PATCH", f"/api/agent-jobs/{job['id']}", json={"action": "cancel"})
    if response.status_code == 409:
        return  # it has ended
    cancelled = await clerk.api.read(job["id"])
    assert {call["status"] for call in cancelled["toolCalls"]} <= {"completed", "cancelled"}
    await clerk.api.request("PATCH", f"/api/agent-jobs/{job['id']}", json={"action": "retry", "from": begin})
    await clerk.api.stage.run(within_seconds=60)
    job = await clerk.api.read(job["id"])
    assert (job["status"], job["result"]) == ("completed", {"answer": "done"})
    assert [
        call["result"] for call in job["toolCalls"] if call["status"] == "completed" and call["tool"] == "run_code"
    ][-1] == VALUE
    assert len(clerk.runs) == 4 + (len(before) if begin == "start" else 0)


@workflow
async def draws() -> list[int]:
    """Draw four numbers."""
    first = await draw()
    both = await asyncio.gather(draw(), draw())
    return [first, *both, await draw()]


@tool(retries=0)
async def draw() -> int:
    """Draw the next number."""
    return next(NUMBERS)


NUMBERS = itertools.count()
DRAWS = "first = await draw()\nboth = await asyncio.gather(draw(), draw())\n[first, *both, await draw()]"
TURN = [Call("run_code", {"code": DRAWS})]


@pytest.mark.parametrize(
    ("registry", "turn"),
    [
        (Registry([Agent("draws", model=ScriptedModel([TURN, TURN, "done"]), tools=[draw], code_mode=True)]), 1),
        (Registry([Agent("draws", model=ScriptedModel([TURN, TURN, "done"]), tools=[draw], code_mode=True)]), 7),
        (Registry(workflows=[draws]), 1),
    ],
    ids=["script", "second script", "workflow"],
)
async def test_equal_calls_get_their_recorded_results_in_order(registry: Registry, turn: int) -> None:
    stage = Stage(settings=with_keys(), registry=registry)
    async with api_of(stage) as api:
        job = await Clerk(api, [], []).ended("draws")
        assert job["status"] == "completed"
        forked = await Clerk(api, [], []).forked(job, turn)
        assert forked["status"] == "completed"
        assert results(forked)[-5:] == results(job)[-5:]


@tool(requires_approval=True)
async def pay(euros: int) -> int:
    return euros


@workflow
async def waiting() -> int:
    """Wait for a person, a time, an event, and a workflow."""
    await asyncio.gather(pay(1), sleep(500), wait_for_event("never", 500), asleep())
    return 1


@workflow
async def asleep() -> None:
    await sleep(500)


CODE_THAT_WAITS = "await asyncio.gather(pay(1), sleep(500), wait_for_event('never', 500), helper('x'))"
helper = Agent("helper", model=ScriptedModel([[Call("sleep", {"seconds": 500})], "done"]), tools=[sleep])
clerks = Agent(
    "waiting",
    model=ScriptedModel([[Call("run_code", {"code": CODE_THAT_WAITS})], "done"]),
    tools=[pay, sleep, wait_for_event, helper],
    code_mode=True,
)


@pytest.mark.parametrize(
    "registry", [Registry([clerks, helper]), Registry(workflows=[waiting, asleep])], ids=["script", "workflow"]
)
@pytest.mark.parametrize("force", [True, False], ids=["at once", "cleans up"])
async def test_waiting_calls_of_a_cancelled_job_are_cancelled_in_its_view_and_its_stream(
    registry: Registry, *, force: bool
) -> None:
    stage = Stage(settings=with_keys(), registry=registry)
    async with api_of(stage) as api:
        job = await Clerk(api, [], []).ended("waiting")
        assert {call["status"] for call in job["toolCalls"]} == {"waiting"}
        await api.request("PATCH", f"/api/agent-jobs/{job['id']}", json={"action": "cancel", "force": force})
        if not force:
            await stage.run(within_seconds=60)
        job = await api.read(job["id"])
        below = await api.read(job["toolCalls"][-1]["childJobId"])
        for view in (job, below):
            assert {call["status"] for call in view["toolCalls"]} == {view["status"]} == {"cancelled"}
            parts = [json.loads(text) for text in (await stage.reader.parts(view["id"], 0)).parts]
            ends = {part["data"]["callId"]: part["data"] for part in parts if part["type"] == "data-operation"}
            calls = {(call["id"], call["tool"]) for call in view["toolCalls"] if call["tool"] != "run_code"}
            assert {(each["callId"], each["tool"]) for each in ends.values() if each["status"] == "cancelled"} == calls
            assert parts[-1]["type"] == "finish"
