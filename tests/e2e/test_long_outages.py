"""Store or queue are away for longer than any retry of a message lasts, on the real stack; then all jobs go on.

Scaled by 30 are the delays of the queue, which are the product's own: of retries, of the retries of failure callbacks,
of armed sweeps and of looks at the store. A second stands for half a minute. Not scaled are what processes do, the
limits of their requests, and claims (12 s): what these may take comes on top of the bound, and is stated.
"""

import base64
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from baton_events.schema import DELIVERY_FAILED_ENDPOINT
from tests.e2e.dev_stack import END_STATES, wait_for
from tests.e2e.fault_client import FaultClient, Submission
from tests.e2e.fault_stack import FaultStack, fault_stack_in
from tests.e2e.fault_verdict import check_results, read_starts

pytestmark = [pytest.mark.e2e, pytest.mark.long]

SCALE = 30
SHAPES = ("waits", "line-shaky", "fan-8", "line-3", "delegates", "fan-10")
OUTAGE_SECONDS = 600 / SCALE
GOES_ON_SECONDS = 120 / SCALE
# Of a machine with two cores: a sweep, a claim that has not ended, a delivery.
UNSCALED_SECONDS = 12
# The queue's defaults, which it then scales.
DEFAULTS = {"MESSAGE_RETRY_DELAY_MS": "10000", "SWEEP_INTERVAL_SECONDS": "60", "MESSAGE_TIMEOUT_SECONDS": "20"}
ALL = 10**9


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[FaultStack]:
    """A running stack that can be hurt."""
    with fault_stack_in(tmp_path) as made:
        made.agents, made.time_scale = "outage_agents", SCALE
        yield made.prepare(OUTAGE_SCALE=str(SCALE), **DEFAULTS).start()


def at_work(client: FaultClient) -> list[Submission]:
    jobs = [Submission(f"cut-off-{name}", "dev", name) for name in SHAPES]
    assert client.submit(*jobs) == [202] * len(jobs)
    wait_for(lambda: client.recorded_calls(jobs) >= len(jobs) // 2, "the first results")
    return jobs


def newest_events(stack: FaultStack) -> dict[str, dict[str, Any]]:
    newest, cursor = dict[str, dict[str, Any]](), ""
    while True:
        params = {"count": "1000", **({"cursor": cursor} if cursor else {})}
        answer = stack.ask("qstash", "/v2/events", params=params)
        for event in answer["events"]:
            newest.setdefault(event["messageId"], event)
        if not (cursor := answer.get("cursor", "")):
            return newest


def has_used_up_all_retries(stack: FaultStack) -> bool:
    """Whether no message is on its way any more, neither to work nor as a failure callback: but for looks."""
    newest = newest_events(stack).values()
    living = [event for event in newest if event["state"] not in ("DELIVERED", "FAILED", "CANCELED")]
    checks = [event for event in living if b"awayMs" in base64.b64decode(event.get("body", ""))]
    dead = [event for event in newest if event["state"] == "FAILED" and event["url"].endswith(DELIVERY_FAILED_ENDPOINT)]
    return bool(dead) and len(living) == len(checks)


def goes_on(client: FaultClient, job: Submission, since_ms: int) -> bool:
    read = client.job(job)
    if read is None:
        return False
    calls = {call["id"] for call in read["toolCalls"]}
    starts = read_starts(client.stack.notes_path)
    return read["status"] in END_STATES or any(
        start.at_ms >= since_ms for call_id in calls for start in starts.get(call_id, ())
    )


def all_go_on(client: FaultClient, jobs: list[Submission]) -> None:
    """Within two minutes of the outage's end, each of them; all come to what they should."""
    ended, now_ms = time.monotonic(), time.time_ns() // 1_000_000
    for job in jobs:
        left = ended + GOES_ON_SECONDS + UNSCALED_SECONDS - time.monotonic()
        wait_for(partial(goes_on, client, job, now_ms), f"progress of {job.agent}", left)
    check_results(client.stack.notes_path, client.ended(jobs), claims_held=False)


def test_jobs_go_on_after_the_store_was_away_for_longer_than_all_retries(
    stack: FaultStack, client: FaultClient
) -> None:
    """Ten minutes at least, and until the failure callback of each message has used up its own retries, too."""
    jobs = at_work(client)
    began = time.monotonic()
    stack.plan_faults(refuse=ALL)
    wait_for(lambda: has_used_up_all_retries(stack), "the last retry of all callbacks", 6 * OUTAGE_SECONDS)
    time.sleep(max(0.0, began + OUTAGE_SECONDS - time.monotonic()))
    stack.plan_faults()
    all_go_on(client, jobs)


def test_jobs_go_on_after_the_queue_was_away_for_ten_minutes(stack: FaultStack, client: FaultClient) -> None:
    """It keeps what it has; what could not be published meanwhile is dispatched by what it delivers again."""
    jobs = at_work(client)
    with stack.stopped("qstash"):
        time.sleep(OUTAGE_SECONDS)
    all_go_on(client, jobs)
