"""Fifty jobs on the real stack while its parts are killed and held still: none is lost, none is wrong (DESIGN 4)."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.fault_chaos import blows, carry_out, submissions
from tests.e2e.fault_client import FaultClient
from tests.e2e.fault_load import Load
from tests.e2e.fault_stack import FaultStack, fault_stack_in
from tests.e2e.fault_verdict import check

pytestmark = pytest.mark.e2e

JOBS = 50
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
    load = Load(stack, submissions(seed, JOBS, LOAD_SECONDS))
    tell(f"seed {seed}, CONTINUATION={continuation}")
    for what_happened in carry_out(stack, blows(seed, CHAOS_SECONDS)):
        tell(what_happened)
    stack.wait_until_calm()
    sent = load.finish()
    tell(f"{len(sent)} submissions, answers other than one 202: {[s.statuses for s in sent if s.statuses != (202,)]}")
    with closing(FaultClient(stack)) as client:
        jobs = client.ended(one.submission for one in sent if one.accepted)
        unanswered = [one.submission for one in sent if not one.accepted]
        jobs |= client.ended(one for one in unanswered if client.job(one) is not None)
        check(client, jobs)


def tell(line: str) -> None:
    """What was done to the stack, for whoever reads about a failure."""
    print(line)  # noqa: T201 - shown by pytest with the failure
