"""What a job costs on the real stack, by the meters of the queue and the bridge (decisions/0016-cost-of-a-step)."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.conftest import StackMaker
from tests.e2e.cost_agents import LENGTHS
from tests.e2e.dev_stack import DevStack

pytestmark = pytest.mark.e2e

MESSAGES_BESIDES_STEPS = 2  # the backup message, and the first event
# Accepting: the job, with its place in the slot table. The first CLAIM. The last word to the admission, and that it was
# heard.
REQUESTS_BESIDES_STEPS = 4
COMMANDS_PER_EVENT = 12
REQUESTS_PER_EVENT = 2
RECONCILE_COMMANDS = 3
LENGTHS_OF_TIME = 28  # classes of the histogram of tools, of calls below 128 ms (engine/all_jobs/tool_use.py)
# What goes on once a minute besides: a backup message looks at its job, a sweep at all of them.
REQUESTS_PER_MINUTE, COMMANDS_PER_MINUTE, MINUTE_SECONDS = 25, 150, 55.0


@dataclass(frozen=True)
class Cost:
    """What one job used: messages by label, so without the sweep's; Redis without what the test itself asked.

    `minutes`: how often something that goes on once a minute, or an hour, may have fallen into it. `checks`: how often
    the test asked for the job: what it asked may have shared a request with the job's own.
    """

    length: int
    messages: int
    requests: int
    commands: int
    job: dict[str, Any]
    minutes: int
    checks: int


def started(new_stack: StackMaker, continuation: str) -> DevStack:
    """A stack with agents of known lengths."""
    made = new_stack(None, ("--port", "0", "--app", "tests.e2e.cost_agents:registry"))
    made.working_folder = Path(__file__).parents[2]
    made.environment = {**made.environment, "CONTINUATION": continuation}
    return made.start()


@pytest.fixture
def meter(new_stack: StackMaker) -> Iterator["Meter"]:
    """Runs jobs whose events are messages each, and reads the meters."""
    with httpx.Client(timeout=120) as client:
        yield Meter(started(new_stack, "queue").described, client)


@pytest.fixture
def in_place(new_stack: StackMaker) -> Iterator["Meter"]:
    """Runs jobs that go on in place, and reads the meters."""
    with httpx.Client(timeout=120) as client:
        yield Meter(started(new_stack, "inline").described, client)


class Meter:
    """Reads what the servers counted."""

    def __init__(self, described: dict[str, Any], client: httpx.Client) -> None:
        self._described = described
        self._client = client
        self._key = {"authorization": f"Bearer {described['client_key']}"}

    def run(self, length: int) -> Cost:
        """Run a job of so many tool calls to its end."""
        # The first use of the app in a process opens connections; that is no cost of the job.
        self._client.get(f"{self._described['app_url']}/readyz").raise_for_status()
        before, checks, began_at = self._redis(), 0, time.monotonic()
        url = f"{self._described['app_url']}/api/agent-jobs"
        submitted = self._client.post(url, headers=self._key, json={"jobType": f"steps-{length}"})
        job: dict[str, Any] = submitted.raise_for_status().json()
        give_up_at = time.monotonic() + 300
        while job["status"] not in ("completed", "failed"):
            assert time.monotonic() < give_up_at, job["waitingFor"]
            time.sleep(0.3)
            checks += 1
            job = self._client.get(f"{url}/{job['id']}", headers=self._key).raise_for_status().json()
        time.sleep(0.3)  # the last delivery's own word to the admission
        after = self._redis()
        return Cost(
            length,
            self._messages(job["id"]),
            after["http_requests"] - before["http_requests"] - checks,
            after["commands_executed"] - before["commands_executed"] - 5 * checks,
            job,
            int((time.monotonic() - began_at) / MINUTE_SECONDS) + (time.gmtime().tm_min == 0),  # the hourly sweep
            checks,
        )

    def _redis(self) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self._described['redis_token']}"}
        url = f"{self._described['redis_url']}/admin/counters"
        counters: dict[str, Any] = self._client.get(url, headers=headers).raise_for_status().json()
        return counters

    def _messages(self, job_id: str) -> int:
        """How many messages carry the job's label."""
        headers = {"authorization": f"Bearer {self._described['qstash_token']}"}
        ids: set[str] = set()
        cursor = ""
        while True:
            query = {"label": job_id, "count": "1000", **({"cursor": cursor} if cursor else {})}
            url = f"{self._described['qstash_url']}/v2/events"
            page = self._client.get(url, headers=headers, params=query).raise_for_status().json()
            ids |= {event["messageId"] for event in page["events"]}
            cursor = page.get("cursor", "")
            if not cursor:
                return len(ids)


@pytest.mark.long
def test_a_step_costs_the_same_at_the_beginning_and_at_the_end_of_a_long_job(meter: Meter) -> None:
    """K sequential tools are 2 + 3k messages; every event inside is 2 requests, at step 5 as at step 195."""
    short, middle, long = (meter.run(length) for length in LENGTHS)
    for cost in (short, middle, long):
        assert cost.job["status"] == "completed", cost.job["error"]
        assert cost.messages == MESSAGES_BESIDES_STEPS + 3 * cost.length
    first_half, second_half = middle.length - short.length, long.length - middle.length
    assert middle.requests - short.requests - REQUESTS_PER_EVENT * 3 * first_half in besides(middle, short)
    assert long.requests - middle.requests - REQUESTS_PER_EVENT * 3 * second_half in besides(long, middle)
    assert (middle.commands - short.commands) / (3 * first_half) <= COMMANDS_PER_EVENT + middle.minutes
    # Arming a sweep, once a minute, is the only other thing that goes on.
    most = RECONCILE_COMMANDS + COMMANDS_PER_MINUTE * (middle.minutes + long.minutes)
    assert abs((long.commands - middle.commands) - (middle.commands - short.commands)) <= most


@pytest.mark.long
def test_in_place_a_step_is_one_request_and_a_job_two_messages(in_place: Meter) -> None:
    """A job of k sequential tools has 2k + 1 steps; the claim of a step rides in the COMMIT of the one before."""
    short, middle, long = (in_place.run(length) for length in LENGTHS)
    for cost in (short, middle, long):
        assert cost.job["status"] == "completed", cost.job["error"]
        assert cost.messages == MESSAGES_BESIDES_STEPS
        steps = 2 * cost.length + 1
        assert cost.requests - steps - REQUESTS_BESIDES_STEPS in besides(cost), cost
    assert middle.requests - short.requests - 2 * (middle.length - short.length) in besides(middle, short)
    assert long.requests - middle.requests - 2 * (long.length - middle.length) in besides(long, middle)
    # An invocation counts its calls at its end, in a command for each length of time that any of them took.
    most = RECONCILE_COMMANDS + LENGTHS_OF_TIME + COMMANDS_PER_MINUTE * (middle.minutes + long.minutes)
    assert abs((long.commands - middle.commands) - (middle.commands - short.commands)) <= most


def besides(*costs: Cost) -> range:
    """Requests that are no step's: none, unless a run took a minute; fewer, where some were shared with the test's."""
    checks, minutes = sum(cost.checks for cost in costs), sum(cost.minutes for cost in costs)
    return range(-checks, REQUESTS_PER_MINUTE * minutes + 1)


def test_the_first_and_the_last_event_cost_a_little_more_and_no_more(meter: Meter) -> None:
    """Accepting a job and its last event add a fixed number of requests."""
    cost = meter.run(LENGTHS[0])
    inside = REQUESTS_PER_EVENT * (1 + 3 * cost.length)
    # Accepting: the job, with its place in the slot table. The last event: its last word to the admission.
    assert cost.requests <= inside + 1 + 4, cost


@pytest.mark.long
def test_the_ledger_of_a_job_agrees_with_the_meters(meter: Meter) -> None:
    """`usage` is what the queue and the bridge counted, but for what is said to the admission at last.

    It counts asks: the creation and the slot request are two, and share a request.
    """
    cost = meter.run(LENGTHS[0])
    assert cost.job["usage"]["messages"] == cost.messages
    assert 0 <= cost.requests + 1 - cost.job["usage"]["redisRequests"] <= 4
