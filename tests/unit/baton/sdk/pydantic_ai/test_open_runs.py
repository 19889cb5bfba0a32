"""A run stays open within an invocation: what a step costs is counted here, and never timed."""

import json
from collections import Counter
from collections.abc import Sequence
from cProfile import Profile
from pathlib import Path
from pstats import Stats
from typing import Any

import pydantic_ai
import pytest
from pydantic_ai import Agent
from pydantic_ai.usage import UsageLimits

import baton
from baton import Limits
from baton.pydantic_ai import durable
from tests.unit.baton.sdk.pydantic_ai.capable_agents import TURNS, Counts, noted, with_tools
from tests.unit.baton.sdk.pydantic_ai.played import call, played, scripted

pytestmark = pytest.mark.usefixtures("unhurried")

UNLIMITED = UsageLimits(request_limit=None)
THEIRS = str(Path(pydantic_ai.__file__).parent)
OURS = tuple(str(Path(baton.__file__).parent / layer) for layer in ("sdk", "worker"))


def one_by_one(calls: int) -> Agent[Any, Any]:
    return with_tools(Agent(scripted(*([call("look", f"c{n}", n=n)] for n in range(calls)), "done"), name="a"))


async def calls_of(calls: int) -> tuple[Counter[str], Counter[str]]:
    """How often functions are called in a job and in `agent.run`: all, theirs, ours, and the parser of messages."""
    limits = Limits(turns=2 * calls + 2, tool_calls=2 * calls + 2)
    job = durable(one_by_one(calls), limits=limits, usage_limits=UNLIMITED)
    counted = list[Counter[str]]()
    for work in (played(job, inline=True), one_by_one(calls).run("do it", usage_limits=UNLIMITED)):
        profile = Profile()
        profile.enable()
        await work
        profile.disable()
        sums = Counter[str]()
        for (file, _, name), (_, times, *_) in Stats(profile).stats.items():  # type: ignore[attr-defined]
            sums["all"] += times
            sums["theirs"] += times * file.startswith(THEIRS)
            sums["ours"] += times * file.startswith(OURS)
            sums["opened"] += times * (file.startswith(THEIRS) and name == "_prepare_run")
            sums["loaded"] += times * (name == "loads" and file == json.__file__)
            sums["parsed"] += times * (name == "validate_json" and "type_adapter" in file)
        counted.append(sums)
    return counted[0], counted[1]


async def test_a_job_opens_one_run_and_a_step_calls_hardly_more_functions_than_in_a_run() -> None:
    """No messages of its own are parsed. Late in a job a step calls as many functions of ours as early."""
    _, (empty, _), (short, _), (long, run) = [await calls_of(calls) for calls in (1, 0, 10, 20)]  # the first is warm
    assert long["opened"] == run["opened"] > 0
    assert long["parsed"] == empty["parsed"]
    assert long["theirs"] <= 1.15 * run["theirs"]  # 1.10 under the newest version
    assert long["ours"] - short["ours"] <= 1.05 * (short["ours"] - empty["ours"])
    assert long["ours"] - short["ours"] <= 475 * 10
    # No answer is searched for secrets because it counts tokens, and no text of a result is dumped to be read again.
    assert long["loaded"] - short["loaded"] <= 2 * 10


@pytest.mark.long
async def test_a_hundred_steps_cost_little_beside_the_run_and_the_last_what_the_first_does() -> None:
    """Counted with each function of C. Of a request alone, pydantic-ai's own calls grow with the history."""
    _, *counted = [await calls_of(calls) for calls in (1, 10, 20, 90, 100)]  # the first is warm
    (first, last), all_of = (counted[:2], counted[2:]), counted[-1]

    def own(window: Sequence[tuple[Counter[str], Counter[str]]]) -> int:
        before, after = (job["all"] - run["all"] for job, run in window)
        return after - before

    assert all_of[0]["all"] <= 1.2 * all_of[1]["all"]  # 1.13
    assert own(last) <= 1.1 * own(first)  # 1.04; 1.11 while all ids and messages were looked at in each step


async def test_calls_beside_each_other_have_runs_of_their_own() -> None:
    """So that what each of them changes is kept by itself."""
    opened: Counter[str] = Counter()

    class Opened(Counts):
        async def for_run(self, ctx: Any) -> Counts:
            opened.update(["run"])
            return await super().for_run(ctx)

    await played(
        durable(with_tools(Agent(scripted(*TURNS), name="a", capabilities=[Opened(noted(opened))]))), inline=True
    )
    assert opened["run"] == 1 + 2 + 1
