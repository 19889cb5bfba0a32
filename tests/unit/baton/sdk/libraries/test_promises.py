"""What every agent is promised, whatever library it is written with; a row that differs is named in its table."""

import asyncio
from collections.abc import Awaitable
from cProfile import Profile
from pstats import Stats
from typing import Any

import pytest

from baton import Registry
from baton.engine.transitions import JobStatus
from baton.sdk.agents.runner import JobInfo, Recorded, RunFailedError
from baton.sdk.langgraph import run_state as of_langgraph
from baton.sdk.models.model import NEWER_STATE, ModelError
from baton.sdk.openai_agents import run_state as of_openai
from baton.sdk.pydantic_ai import run_state as of_pydantic_ai
from baton.server.console.approvals.about import read_about
from baton.testing import Approve, Checkpoint, Reject, Simulation
from tests.unit.baton.kit.approval_kit import checkpoints, decide, run_for_an_hour
from tests.unit.baton.sdk.libraries.kinds import KINDS, LIBRARIES, Calls, Script
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, played
from tests.unit.baton.server.api.client import api_of, with_keys

each_kind = pytest.mark.parametrize("kind", KINDS)


async def look(n: int) -> str:
    """Look."""
    return f"seen {n}"


def looking(calls: int) -> list[Calls | str | Exception]:
    return [*([("look", {"n": n})] for n in range(calls)), "done"]


async def calls_in(work: Awaitable[Any]) -> int:
    """How often functions are called, those of C included."""
    with Profile() as profile:
        await work
    return sum(calls for _, calls, *_ in Stats(profile).stats.values())  # type: ignore[attr-defined]


async def job_of(kind: str, calls: int) -> None:
    agent = KINDS[kind](Script(looking(calls), [look], most=10 * calls + 20))
    assert (await played(agent, inline=True)).job.status is JobStatus.COMPLETED


@pytest.mark.parametrize(
    ("kind", "late", "most"),
    [
        ("langgraph", 30, 1.12),
        # What pydantic-ai does itself grows with the history; `test_open_runs` counts ours beside it.
        *(pytest.param(one, 90, 1.3, marks=pytest.mark.long) for one in KINDS if one != "pydantic-ai"),
    ],
)
async def test_a_late_turn_costs_what_an_early_one_does(kind: str, late: int, most: float) -> None:
    """A run stays open: of the record, and of the state, nothing is read or written again."""
    await job_of(kind, 1)  # the first is warm
    costs = [await calls_in(job_of(kind, calls)) for calls in (5, 15, late, late + 10)]
    assert costs[3] - costs[2] <= most * (costs[1] - costs[0])


@each_kind
@pytest.mark.parametrize(
    ("decision", "paid", "told"),
    [
        (Approve(), [3], "paid 3"),
        (Approve(arguments={"euros": 2}), [2], "paid 2"),
        (Reject("too dear"), [], "too dear"),
    ],
    ids=["approved", "edited", "rejected"],
)
async def test_a_call_runs_as_a_person_decides(
    kind: str, decision: Approve | Reject, paid: list[int], told: str
) -> None:
    ran, asked = list[int](), list[Any]()

    def decide(checkpoint: Checkpoint) -> Any:
        asked.append((checkpoint.tool, checkpoint.arguments))
        return decision

    async def pay(euros: int) -> str:
        """Pay."""
        ran.append(euros)
        return f"paid {euros}"

    script = Script([[("pay", {"euros": 3})], "done"], [pay], asks=["pay"])
    run = await Simulation(Registry([KINDS[kind](script)])).run("job", "pay", decide=decide)
    assert run.result["answer"] == "done"
    assert ran == paid
    assert asked == [("pay", {"euros": 3})]
    assert told in str(script.read[-1])


@pytest.mark.parametrize("library", [of_pydantic_ai, of_openai, of_langgraph], ids=LIBRARIES)
def test_a_record_of_a_newer_version_waits_for_newer_code(library: Any) -> None:
    job = JobInfo(job_id="job_1", session_id="s", tenant="t", task="do it")
    turn: dict[str, Any] = {
        "turn": 1,
        "calls": [],
        "provider": {"kind": library.KIND, "version": getattr(library, "VERSION", 0) + 1},
    }
    with pytest.raises(ModelError) as caught:
        library.RunState.of(Recorded(job, turns=(turn,)))
    assert (caught.value.type, caught.value.retryable) == (NEWER_STATE, True)
    turn["provider"]["kind"] = "another"
    with pytest.raises(RunFailedError, match="submit the job again"):
        library.RunState.of(Recorded(job, turns=(turn,)))


@each_kind
async def test_a_later_job_of_a_chat_reads_the_earlier_one(kind: str) -> None:
    script = Script([[("look", {"n": 1})], "seen it", "and more"], [look])
    simulation = Simulation(Registry([KINDS[kind](script)]))
    first = await simulation.run("job", "how is it", session="s")
    again = await simulation.run("job", "and now", session="s")
    assert (first.result["answer"], first.error, again.error) == ("seen it", None, None)
    read = str(script.read[-1])
    assert [text in read for text in ("how is it", "seen it", "and now")] == [True] * 3


@each_kind
async def test_an_approval_is_a_form_of_the_arguments_and_refuses_what_does_not_fit(kind: str) -> None:
    """In another process than the one that asked."""
    paid = list[int]()

    async def pay(euros: int) -> str:
        """Pay."""
        paid.append(euros)
        return "paid"

    agent = KINDS[kind](Script([[("pay", {"euros": 3})], "done"], [pay], asks=["pay"]))
    async with api_of(PlayedStage(registry=Registry([agent]), settings=with_keys())) as api:
        job_id = (await api.submitted(jobType="job"))["id"]
        await run_for_an_hour(api)
        [asked] = await checkpoints(api, job_id)
        assert (asked["tool"], asked["arguments"], paid) == ("pay", {"euros": 3}, [])
        schema = (await read_about(api.stage.container, asked["id"])).schema or {}
        assert (schema["properties"]["euros"]["type"], schema["required"]) == ("integer", ["euros"])
        api.stage.restart()
        unfit = await decide(api, asked, arguments={"euros": "much"})
        assert (unfit.status_code, unfit.json()["errors"][0]["field"]) == (422, "arguments.euros")
        assert (await decide(api, asked, arguments={"euros": 2})).status_code == 200
        await api.stage.run()
        assert (await api.read(job_id))["result"]["answer"] == "done"
    assert paid == [2]


@each_kind
@pytest.mark.parametrize(("retryable", "requests"), [(True, 4), (False, 1)])
async def test_a_provider_that_is_away_is_asked_again(kind: str, retryable: bool, requests: int) -> None:
    script = Script([ModelError("no answer", retryable=retryable)])
    run = await Simulation(Registry([KINDS[kind](script)])).run("job", "go")
    assert ((run.error or {})["type"], len(script.read)) == ("model_error", requests)


@each_kind
async def test_parallel_calls_run_at_the_same_time(kind: str) -> None:
    both = asyncio.Barrier(2)

    async def meet(n: int) -> int:
        """Meet."""
        async with asyncio.timeout(20), both:
            return n

    script = Script([[("meet", {"n": 1}), ("meet", {"n": 2})], "met"], [meet])
    assert (await played(KINDS[kind](script), inline=True)).job.status is JobStatus.COMPLETED
