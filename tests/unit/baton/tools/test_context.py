"""What a running tool knows and may say."""

import dataclasses
from typing import Any

import pytest

from baton.tools.context import ToolContext
from baton.tools.recorded import ToolRecorder


def test_the_attributes_are_plain_and_fixed() -> None:
    """A tool cannot change which call it runs for."""
    context = ToolContext(
        job_id="j",
        session_id="s",
        call_id="c",
        operation_id="o",
        attempt=2,
        idempotency_key="k",
        started_at_ms=5,
        channel=ToolRecorder(),
    )
    assert (context.job_id, context.session_id, context.call_id) == ("j", "s", "c")
    assert (context.operation_id, context.attempt, context.idempotency_key) == ("o", 2, "k")
    assert context.started_at_ms == 5
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.attempt = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


async def test_what_a_tool_says_goes_to_its_channel() -> None:
    """In order, with defaults filled in."""
    context = ToolContext.for_test(attempt=2)
    await context.info("half done", {"rows": 3})
    await context.info("done")
    await context.progress(0.5, "rows")
    await context.progress(1)
    assert context.attempt == 2
    assert context.recorder.infos == [("half done", {"rows": 3}), ("done", None)]
    assert context.recorder.progress_reports == [(0.5, "rows"), (1.0, "")]


async def test_cancellation_is_asked_of_the_channel_each_time() -> None:
    """A test may cancel while the tool runs."""
    context = ToolContext.for_test()
    assert await context.cancelled() is False
    context.recorder.is_cancelled = True
    assert await context.cancelled() is True
    assert await ToolContext.for_test(cancelled=True).cancelled() is True


@pytest.mark.parametrize("fraction", [-0.1, 1.1, 50, float("nan")])
async def test_progress_outside_0_to_1_is_refused(fraction: float) -> None:
    """50 for 50 % is the usual mistake."""
    with pytest.raises(ValueError, match="fraction from 0 to 1"):
        await ToolContext.for_test().progress(fraction)


async def test_a_sum_of_floats_a_hair_above_1_is_1() -> None:
    """Rounding is no mistake of the author."""
    context = ToolContext.for_test()
    await context.progress(sum([0.1] * 10) + 1e-9)
    assert context.recorder.progress_reports == [(1.0, "")]


@pytest.mark.parametrize("title", ["", "  ", None])
async def test_an_info_without_a_title_is_refused(title: Any) -> None:
    """It would be shown as an empty line."""
    with pytest.raises(ValueError, match="needs a title"):
        await ToolContext.for_test().info(title)
