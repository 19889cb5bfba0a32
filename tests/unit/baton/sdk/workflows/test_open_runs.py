"""Runs that stay open between their turns, and runs that are dropped: nobody sees the difference."""

import gc
import logging
import warnings

import pytest

from tests.unit.baton.sdk.workflows.conftest import Load
from tests.unit.baton.sdk.workflows.playing import Job, opened, runner_of, steps

COUNTS = """
BEGUN = []

@workflow
async def main(n: int = 3) -> int:
    BEGUN.append(n)
    total = 0
    for number in range(n):
        total = await add(total, 1)
    return total
"""


def _number_of(job: Job, arguments: dict[str, object]) -> int:
    return next(number for number, asked in job.open.items() if asked[1] == arguments)


async def test_an_open_run_goes_on_and_the_oldest_of_too_many_is_made_again(load: Load) -> None:
    module = load(COUNTS)
    runner, _ = runner_of(module.main), opened(most=2)
    jobs = [Job({"n": 2}, f"job_{number}") for number in range(3)]
    for job in jobs:
        await job.turn(runner)
    assert len(module.BEGUN) == 3
    for job in jobs[::-1]:
        assert (await job.turn(runner, [(1, {"ok": 1})])).stretch
    assert (len(module.BEGUN), [job.reads for job in jobs]) == (4, [1, 0, 0])
    assert [(await job.turn(runner, [(2, {"ok": 2})])).output for job in jobs] == [2, 2, 2]


@pytest.mark.parametrize("most", [0, 500])
async def test_what_code_keeps_for_its_thread_stays_through_its_waits(load: Load, most: int) -> None:
    module = load("""
import tenacity, threading

@workflow
async def main() -> list:
    here, tries = threading.local(), []
    here.n = 1
    async for attempt in tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_exponential()):
        with attempt:
            tries.append(await add(1, 2))
            if len(tries) < 3:
                raise ValueError
    return [here.n, tries]
""")
    _, job = opened(most), Job()
    assert await job.plays(runner_of(module.main), lambda *_: {"ok": 1}) == [1, [1, 1, 1]]
    assert steps(job) == ["add(1, 2)", "sleep(1.0,)", "add(1, 2)", "sleep(2.0,)", "add(1, 2)"]


async def test_a_run_goes_on_only_from_the_record_that_it_has_written(load: Load) -> None:
    """Another process has run the next stretch, or the commit of this one was lost."""
    module = load(COUNTS)
    runner, runs = runner_of(module.main), opened()
    job = Job()
    await job.turn(runner)
    here, lost = runs.take("job_1"), (len(job.turns), job.stretch)
    assert here is not None
    await job.turn(runner, [(1, {"ok": 1})])
    elsewhere = runs.take("job_1")
    runs.keeps("job_1", here)
    await job.turn(runner, [(2, {"ok": 2})])
    assert (len(module.BEGUN), job.reads) == (3, 2)
    assert steps(job) == ["add(0, 1)", "add(1, 1)", "add(2, 1)"]
    assert elsewhere is not None
    elsewhere.let_go()
    del job.turns[lost[0] :], job.open[3]
    job.stretch = lost[1]
    answer = await job.turn(runner, [(1, {"ok": 7})])
    assert answer.answer.calls[0].arguments == {"a": 7, "b": 1}


LEAVES = """
import sys
from tests.unit.baton.sdk.workflows.test_open_runs import SEEN

async def helper(n):
    return await add(n, 1)

async def numbers():
    try:
        while True:
            yield await add(1, 1)
    finally:
        SEEN.append("generator")
        await add(9, 9)
        SEEN.append("never")

async def branch():
    try:
        await add(2, 2)
    finally:
        SEEN.append("branch")
        print("not shown")
        try:
            await add(9, 9)
        except Exception:
            SEEN.append("never")

async def stubborn():
    while True:
        try:
            await asyncio.Event().wait()
        except Exception:
            SEEN.append("never")

@workflow
async def main():
    waiting = [helper(1), {"a": helper(2)}]
    call = add(8, 8)
    tasks = [asyncio.create_task(branch()), asyncio.create_task(stubborn()), asyncio.create_task(helper(3))]
    later = asyncio.gather(*tasks)
    try:
        async with asyncio.timeout(60):
            async for number in numbers():
                if number == 1:
                    await later
    finally:
        SEEN.append("main")
        await asyncio.sleep(5)
        SEEN.append("never")
"""
SEEN = list[str]()


@pytest.mark.parametrize("how", ["at once", "a turn later"])
async def test_a_dropped_run_ends_as_cpython_ends_it_and_nobody_sees_that(
    load: Load, how: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    module = load(LEAVES)
    SEEN.clear()
    caplog.set_level(logging.DEBUG)
    runner, runs, job = runner_of(module.main), opened(), Job()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        await job.turn(runner)
        if how == "a turn later":
            number = _number_of(job, {"a": 1, "b": 1})
            await job.turn(runner, [(number, {"ok": 1})])
        runs.let_go_of_all()
        gc.collect()
    # CPython closes a generator where it has yielded, not where it waits itself.
    assert sorted(SEEN) == ["branch", *(["generator"] if how == "a turn later" else []), "main"]
    assert [str(each.message) for each in warned] == []
    assert capfd.readouterr() == ("", "")
    assert [record.getMessage() for record in caplog.records if record.name != "asyncio"] == []
    assert [record for record in caplog.records if record.name == "asyncio" and record.levelno > logging.DEBUG] == []
    assert len(job.open) == (3 if how == "a turn later" else 4)


async def test_what_is_left_when_the_code_ends_is_dropped(load: Load) -> None:
    text = LEAVES.replace('    waiting = [helper(1), {"a": helper(2)}]\n', "")
    module = load(text.replace("    later = asyncio.gather(*tasks)\n", "    await add(0, 0)\n    return 'done'\n"))
    SEEN.clear()
    job, runner, _ = Job(), runner_of(module.main), opened()
    await job.turn(runner)
    first = _number_of(job, {"a": 0, "b": 0})
    assert (await job.turn(runner, [(first, {"ok": 0})])).output == "done"
    assert SEEN == ["branch"]


@pytest.mark.parametrize("keeps", [False, True])
async def test_steps_that_the_code_cancels_are_given_up(load: Load, keeps: bool) -> None:
    if keeps:
        opened()
    module = load("""
@workflow
async def main() -> list:
    quick, late = asyncio.create_task(add(1, 1)), asyncio.create_task(add(2, 2))
    done, pending = await asyncio.wait({quick, late}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    never = asyncio.create_task(add(3, 3))
    await asyncio.sleep(0)
    never.cancel()
    try:
        async with asyncio.timeout(60):
            async with asyncio.timeout(1):
                await add(4, 4)
    except TimeoutError:
        return [await quick, late.cancelled(), never.cancelled()]
    return []
""")
    job, runner = Job(), runner_of(module.main)
    await job.turn(runner)
    assert list(job.open.values()) == [("add", {"a": 1, "b": 1}), ("add", {"a": 2, "b": 2})]
    await job.turn(runner, [(1, {"ok": 2})])
    assert job.given_up == [2]
    waits = [("sleep", {"seconds": seconds}) for seconds in (60.0, 1.0)]
    assert list(job.open.values()) == [*waits, ("add", {"a": 4, "b": 4})]
    answer = await job.turn(runner, [(_number_of(job, {"seconds": 1.0}), {"ok": None})], seconds=1)
    assert answer.output == [2, True, True]


async def test_an_outcome_that_comes_with_the_end_of_its_wait_is_dropped(load: Load) -> None:
    """Both have ended since the last stretch; the code reacts to the first before it gets the second."""
    module = load("""
@workflow
async def main() -> list:
    tasks = [asyncio.create_task(add(n, n)) for n in range(2)]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await add(7, 7)
    return [[task.result() for task in done], len(pending)]
""")
    job, runner = Job(), runner_of(module.main)
    await job.turn(runner)
    await job.turn(runner, [(2, {"ok": 8}), (1, {"ok": 9})])
    assert job.turns[-1]["provider"]["workflowStretch"]["taken"] == [2, 1]
    assert job.given_up == []
    assert (await job.turn(runner, [(3, {"ok": 0})])).output == [[8], 1]


@pytest.mark.parametrize("keeps", [False, True])
async def test_a_cancel_is_raised_once_where_the_code_waits_and_it_may_do_steps_then(load: Load, keeps: bool) -> None:
    if keeps:
        opened()
    module = load("""
@workflow
async def main() -> str:
    done = []
    try:
        for n in range(3):
            done.append(await add(n, n))
    except asyncio.CancelledError:
        for each in reversed(done):
            await add(each, -1)
        await asyncio.sleep(60)
        return "cleaned up"
    return "done"
""")
    job, runner = Job(), runner_of(module.main)
    await job.turn(runner)
    job.cancelled = True
    # What has ended counts: the code knows of it before it is told.
    await job.turn(runner, [(1, {"ok": 5})])
    assert (list(job.open.values()), job.given_up) == ([("add", {"a": 5, "b": -1})], [])
    assert job.turns[-1]["provider"]["workflowStretch"]["cancelled"] is True
    await job.turn(runner, [(next(iter(job.open)), {"ok": 0})])
    assert list(job.open.values()) == [("sleep", {"seconds": 60.0})]
    assert "cancelled" not in job.turns[-1]["provider"]["workflowStretch"]
    assert (await job.turn(runner, [(next(iter(job.open)), {"ok": 0})], seconds=60)).output == "cleaned up"


async def test_a_cancel_gives_up_what_the_code_waits_for(load: Load) -> None:
    module = load("""
@workflow
async def main():
    try:
        await asyncio.gather(add(1, 1), sleep(60))
    finally:
        await add(9, 9)
""")
    job, runner = Job(), runner_of(module.main)
    await job.turn(runner)
    job.cancelled = True
    await job.turn(runner)
    assert (sorted(job.given_up), list(job.open.values())) == ([1, 2], [("add", {"a": 9, "b": 9})])
