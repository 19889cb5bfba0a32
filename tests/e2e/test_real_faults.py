"""Fifty jobs on the real stack while its parts are killed and held still: none is lost, none is wrong.

Source: decisions/0001-the-promise.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.dev_stack import wait_for
from tests.e2e.fault_chaos import blows, execute, submissions
from tests.e2e.fault_client import FaultClient, Load, Submission
from tests.e2e.fault_stack import FaultStack, fault_stack_in
from tests.e2e.fault_verdict import check

pytestmark = [pytest.mark.e2e, pytest.mark.long]

JOBS = 50
# The work limit that is set here, and the margin of a claim.
CLAIM_SECONDS = 1.0 + 10.0
LOAD_SECONDS, CHAOS_SECONDS = 14.0, 20.0


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[FaultStack]:
    """A stack that can be hurt, not started yet."""
    with fault_stack_in(tmp_path) as made:
        yield made


@pytest.mark.parametrize(("continuation", "seed"), [("queue", 1), ("inline", 2)])
def test_every_job_ends_right_whatever_is_killed_or_held_still(stack: FaultStack, continuation: str, seed: int) -> None:
    """Right answers, each result once, one key a call; a job whose submission was not answered ends, too."""
    stack.prepare(CONTINUATION=continuation).start()
    tell(f"seed {seed}, CONTINUATION={continuation}")
    with closing(FaultClient(stack)) as client:
        load = Load(client, submissions(seed, JOBS, LOAD_SECONDS))
        for what_happened in execute(stack, blows(seed, CHAOS_SECONDS)):
            tell(what_happened)
        stack.wait_until_calm()
        sent = load.finish()
        tell(f"{len(sent)} jobs, answers other than one 202: {[s.statuses for s in sent if s.statuses != (202,)]}")
        jobs = client.ended(one.submission for one in sent if one.accepted)
        unanswered = [one.submission for one in sent if not one.accepted]
        jobs |= client.ended(one for one in unanswered if client.job(one) is not None)
        check(client, jobs)


def test_an_app_that_comes_back_after_its_claims_are_over_records_nothing_twice(stack: FaultStack) -> None:
    """What it was doing goes on, beside all the deliveries that were made again meanwhile; the first COMMIT counts."""
    stack.prepare(WORK_TIMEOUT_SECONDS="1", MESSAGE_TIMEOUT_SECONDS="2").start()
    jobs = [Submission(f"frozen-{number}", "dev", ("fan-10", "fan-8")[number % 2]) for number in range(6)]
    with closing(FaultClient(stack)) as client:
        assert client.submit(*jobs) == [202] * len(jobs)
        wait_for(lambda: client.recorded_calls(jobs) >= 6, "the first results")
        with stack.stopped("app"):
            time.sleep(CLAIM_SECONDS + 1)
        check(client, client.ended(jobs), claims_held=False)


def tell(line: str) -> None:
    print(line)  # noqa: T201 - shown by pytest with the failure
