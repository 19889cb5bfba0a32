"""What a running tool knows and may say."""

import dataclasses
from typing import Any

import pytest

from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.recorded import ToolRecorder


async def test_what_a_tool_says_goes_to_its_channel() -> None:
    """A test may cancel while it runs."""
    context = ToolContext.for_test(attempt=2)
    await context.info("half done", {"rows": 3})
    await context.info("done")
    await context.progress(0.5, "rows")
    await context.progress(sum([0.1] * 10) + 1e-9)  # a hair above 1
    assert context.recorder.infos == [("half done", {"rows": 3}), ("done", None)]
    assert context.recorder.progress_reports == [(0.5, "rows"), (1.0, "")]
    assert await context.cancelled() is False
    context.recorder.is_cancelled = True
    assert await context.cancelled() is True
    assert await ToolContext.for_test(cancelled=True).cancelled() is True


async def test_what_a_tool_sends_out_has_a_name_in_a_test() -> None:
    context = ToolContext.for_test()
    assert [await context.emit("paid", {}, key=key) for key in "ab"] == ["evt_1", "evt_2"]
    assert await context.recorder.outlet.is_newest("on_paid", {})


@pytest.mark.parametrize("fraction", [-0.1, 1.1, 50, float("nan")])
async def test_progress_outside_0_to_1_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="fraction from 0 to 1"):
        await ToolContext.for_test().progress(fraction)


@pytest.mark.parametrize("title", ["", "  ", None])
async def test_an_info_without_a_title_is_refused(title: Any) -> None:
    """It would be shown as an empty line."""
    with pytest.raises(ValueError, match="needs a title"):
        await ToolContext.for_test().info(title)


def test_the_attributes_are_plain_and_fixed() -> None:
    """A tool cannot change which call it runs for."""
    ids: dict[str, Any] = {
        "job_id": "j",
        "session_id": "s",
        "call_id": "c",
        "operation_id": "o",
        "idempotency_key": "k",
    }
    context = ToolContext(**ids, attempt=2, started_at_ms=5, channel=ToolRecorder())
    assert {name: getattr(context, name) for name in ids} == ids
    assert (context.attempt, context.started_at_ms) == (2, 5)
    assert ToolContext.for_test(call_id="c").operation_id != ToolContext.for_test(call_id="d").operation_id
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.attempt = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
