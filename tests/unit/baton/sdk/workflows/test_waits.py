"""Waits whose time is over, or is computed: what they come to, and how long they take."""

import pytest

from baton import Registry
from baton.testing import Simulation
from tests.unit.baton.sdk.workflows.conftest import Load

EXPIRED = {"approved": False, "data": {"a": 1}, "reason": "", "timed_out": True}
# (a wait of so many seconds, its result where it was waited for in vain)
WAITS = (
    ("sleep({})", {"sleptSeconds": 0.0}),
    ("asyncio.sleep({})", None),
    ("sleep_until(workflow.now() + timedelta(seconds={}))", None),
    ("wait_for_event('paid', {})", {"timedOut": True}),
    ("approval('Pay?', {{'a': 1}}, timeout_seconds={})", EXPIRED),
)
HEAD = "from datetime import datetime, timedelta, timezone\nfrom baton import approval, sleep_until, wait_for_event\n\n"


@pytest.mark.parametrize(
    "seconds",
    ["-1", "0", "-0.001", "-1e9", "(datetime(2020, 1, 1, tzinfo=timezone.utc) - workflow.now()).total_seconds()"],
)
@pytest.mark.parametrize(("wait", "result"), WAITS, ids=[wait.partition("(")[0] for wait, _ in WAITS])
async def test_a_wait_whose_time_is_over_takes_no_time(load: Load, wait: str, result: object, seconds: str) -> None:
    made = load(f"{HEAD}@workflow\nasync def main():\n    return [await {wait.format(seconds)}]\n")
    run = await Simulation(Registry(workflows=[made.main])).run("main", "")
    assert (run.status, run.virtual_seconds < 1) == ("completed", True), run.error
    assert result is None or (run.result is not None and run.result["output"] == [result])
