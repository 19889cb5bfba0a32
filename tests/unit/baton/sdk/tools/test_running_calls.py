"""The tool calls of one process: once at a time, within their limits, and no longer than that."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from threading import Event

import pytest

from baton.sdk.tools.contained import CutShortError, contained
from baton.sdk.tools.running_calls import HungCall, NoTimeLeftError, OverLimitError, RunningCalls, StillRunsError
from baton.sdk.tools.tool import Tool, tool
from tests.unit.baton.sdk.tools.test_tool import CONTEXT


@pytest.fixture
def released() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


@pytest.fixture
def started() -> list[int]:
    return []


@pytest.fixture
def hang(released: Event, started: list[int]) -> Tool:
    """A blocking tool that hangs until the test releases it."""

    @tool(timeout_seconds=0.01)
    def hang(number: int) -> int:
        started.append(number)
        released.wait()
        return number

    return hang


async def until_none_hang(calls: RunningCalls) -> None:
    """Wait until what was released has ended."""
    async with asyncio.timeout(60):
        while calls.hung:  # noqa: ASYNC110 - a thread ends, and sets nothing of ours
            await asyncio.sleep(0)


async def test_a_later_attempt_takes_the_result_of_the_one_that_still_runs(
    hang: Tool, started: list[int], released: Event
) -> None:
    calls = RunningCalls(60)
    with pytest.raises(OverLimitError) as caught:
        await calls.result(hang, {"number": 7}, CONTEXT)
    assert (caught.value.hung, calls.hung) == (True, 1)
    later = asyncio.create_task(calls.result(replace(hang, timeout_seconds=60), {"number": 7}, CONTEXT))
    await asyncio.sleep(0)
    released.set()
    assert await later == 7
    assert (started, calls.hung) == ([7], 0)


async def test_a_later_attempt_with_other_arguments_fails(hang: Tool, started: list[int], released: Event) -> None:
    calls = RunningCalls(60)
    with pytest.raises(OverLimitError):
        await calls.result(hang, {"number": 7}, CONTEXT)
    with pytest.raises(StillRunsError, match="an earlier attempt of call call-test still runs in this process"):
        await calls.result(hang, {"number": 8}, CONTEXT)
    released.set()
    await until_none_hang(calls)
    assert await calls.result(replace(hang, timeout_seconds=60), {"number": 8}, CONTEXT) == 8
    assert started == [7, 8]


async def test_two_attempts_at_once_run_one_copy(hang: Tool, started: list[int], released: Event) -> None:
    """Both are told its result; who leaves earlier ends it for nobody."""
    calls, item = RunningCalls(60), replace(hang, timeout_seconds=60)
    gone, one, other = (asyncio.create_task(calls.result(item, {"number": 7}, CONTEXT)) for _ in range(3))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait({gone})
    released.set()
    assert (await one, await other, started) == (7, 7, [7])


@pytest.mark.parametrize("timeout_seconds", [30, 60])
async def test_a_later_attempt_runs_itself_where_the_one_that_still_ran_has_failed(
    started: list[int], released: Event, timeout_seconds: int
) -> None:
    """The failure is the earlier attempt's alone, and the two never run at once.

    It does not begin with less than its limit: a tool that may run once only would end as too slow, though it had no
    time. Its event comes again.
    """

    @tool(timeout_seconds=timeout_seconds)
    def fails_at_first() -> str:
        started.append(1)
        released.wait()
        if len(started) == 1:
            raise ValueError("for now")
        return "done"

    calls = RunningCalls(60)
    first, later = (asyncio.create_task(calls.result(fails_at_first, {}, CONTEXT)) for _ in range(2))
    await asyncio.sleep(0)
    released.set()
    with pytest.raises(ValueError, match="for now"):
        await first
    if timeout_seconds == 30:
        assert (await later, len(started)) == ("done", 2)
    else:
        with pytest.raises(NoTimeLeftError):
            await later
        assert len(started) == 1


async def test_an_async_tool_is_cancelled_at_its_limit_and_written_off_where_it_ignores_that() -> None:
    """It may clean up."""
    seen, released = list[str](), asyncio.Event()

    @tool(timeout_seconds=0.01)
    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cleaned up")

    @tool(timeout_seconds=0.01)
    async def stubborn() -> None:
        while not released.is_set():
            with suppress(asyncio.CancelledError):
                await released.wait()

    calls = RunningCalls(60, grace_seconds=0.01)
    with pytest.raises(OverLimitError) as caught:
        await calls.result(slow, {}, CONTEXT)
    assert (caught.value.hung, calls.hung, seen) == (False, 0, ["cleaned up"])
    with pytest.raises(OverLimitError) as caught:
        await calls.result(stubborn, {}, CONTEXT)
    assert (caught.value.hung, calls.hung) == (True, 1)
    with pytest.raises(StillRunsError):
        await calls.result(stubborn, {}, CONTEXT)
    released.set()
    await until_none_hang(calls)


async def test_what_hangs_is_reported_once_and_makes_the_process_unhealthy(hang: Tool, released: Event) -> None:
    """Until it ends."""
    found: list[HungCall] = []

    async def report(call: HungCall) -> None:
        found.append(call)

    calls = RunningCalls(60, 0, report)
    assert calls.fault() == ""
    for _ in range(3):
        with pytest.raises(OverLimitError):
            await calls.result(hang, {"number": 7}, CONTEXT)
    assert found == [HungCall("hang", "job-test", "call-test", 0.01, 1, 0)]
    assert calls.fault() == "1 tool calls hang past their time limit, more than 0: restart the process"
    released.set()
    await until_none_hang(calls)
    assert calls.fault() == ""


async def test_who_is_cancelled_ends_an_async_tool_and_leaves_a_thread(hang: Tool) -> None:
    """The cancellation stays one; the thread counts as hung while it lives."""

    @tool
    async def slow() -> None:
        await asyncio.Event().wait()

    calls = RunningCalls(60)
    for item, arguments, hung in ((slow, {}, 0), (replace(hang, timeout_seconds=60), {"number": 1}, 1)):
        requested = asyncio.create_task(calls.result(item, arguments, CONTEXT))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        requested.cancel()
        with pytest.raises(asyncio.CancelledError):
            await requested
        assert calls.hung == hung


@pytest.mark.parametrize("cause", [asyncio.CancelledError, SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("blocking", [True, False])
async def test_what_would_end_the_loop_is_an_error_of_the_tool(cause: type[BaseException], blocking: bool) -> None:
    """An exit, an interruption, or a cancellation that nobody asked for."""

    @tool
    async def leaves() -> None:
        raise cause("off")

    @tool
    def leaves_its_thread() -> None:
        raise cause("off")

    with pytest.raises(CutShortError, match="off") as caught:
        await RunningCalls(60).result(leaves_its_thread if blocking else leaves, {}, CONTEXT)
    assert caught.value.type == cause.__name__


async def test_what_cancels_its_own_task_has_failed() -> None:
    async def cancels() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(CutShortError):
        await RunningCalls(60).result(tool(cancels), {}, CONTEXT)
    with pytest.raises(CutShortError):
        await contained(cancels, 60)


async def test_contained_code_that_is_late_is_cancelled_and_awaited() -> None:
    said: list[str] = []

    async def late() -> None:
        said.append("begins")
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            said.append("ends")

    with pytest.raises(TimeoutError):
        await contained(late, 0.01)
    with pytest.raises(TimeoutError):
        await contained(late, 0)
    assert said == ["begins", "ends"], "without time it does not begin"
    caller = asyncio.create_task(contained(late, 60))
    await asyncio.sleep(0.01)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert said[2:] == ["begins", "ends"]


_HANGS = """
import asyncio, threading
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.running_calls import OverLimitError, RunningCalls
from baton.sdk.tools.tool import tool

@tool(timeout_seconds=0.01)
def hang() -> None:
    threading.Event().wait()

async def main():
    context = ToolContext(job_id="j", session_id="s", call_id="c", operation_id="o", attempt=1, idempotency_key="k",
        started_at_ms=0, channel=None)
    try:
        await RunningCalls(5).result(hang, {}, context)
    except OverLimitError:
        print("over")

asyncio.run(main())
"""


def test_the_end_of_a_process_does_not_wait_for_a_call_that_hangs() -> None:
    done = subprocess.run([sys.executable, "-c", _HANGS], check=True, capture_output=True, timeout=60, text=True)
    assert done.stdout == "over\n"


async def test_an_async_tool_that_blocks_beyond_its_limit_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """Its result is taken: it has run; nothing else of the process has, meanwhile."""

    @tool(timeout_seconds=0.01)
    async def slow_report(number: int) -> int:
        time.sleep(0.05)  # noqa: ASYNC251 - what users do
        return number

    assert await RunningCalls(60, grace_seconds=0.01).result(slow_report, {"number": 7}, CONTEXT) == 7
    assert "tool 'slow_report' ended" in caplog.text
