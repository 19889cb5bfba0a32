"""The queue's disk is full, or it does not answer while jobs are submitted, on the real stack.

Source: decisions/0001-the-promise.
"""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.e2e.dev_stack import wait_for
from tests.e2e.fault_client import FaultClient, Submission
from tests.e2e.fault_stack import FaultStack, fault_stack_in
from tests.e2e.fault_verdict import check

pytestmark = [pytest.mark.e2e, pytest.mark.long]

SHAPES = ("fan-8", "fan-shaky", "line-3", "fan-10")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultStack]:
    """One stack for all of these: each test has jobs of its own and leaves the stack serving."""
    with fault_stack_in(tmp_path_factory.mktemp("stack")) as made:
        yield made.prepare().start()


def jobs_named(word: str) -> list[Submission]:
    return [Submission(f"{word}-{name}", "dev", name) for name in SHAPES]


def test_a_queue_without_room_on_its_disk_refuses_and_loses_nothing_that_it_took(
    stack: FaultStack, client: FaultClient
) -> None:
    """503 for a new job, which does not exist then; the others go on once there is room again."""
    taken, refused = jobs_named("taken"), jobs_named("refused")[:1]
    assert client.submit(*taken) == [202] * len(taken)
    stack.take_room(stack.living_pid("qstash"))
    assert client.submit(*refused) == [503] * len(refused)
    stack.wait_until_calm()  # started again, and there is room again
    assert [client.job(one) for one in refused] == [None] * len(refused)
    check(client, client.ended(taken))
    assert client.submit(*refused) == [202] * len(refused)
    check(client, client.ended(refused))


def test_a_disk_that_stays_full_ends_the_stack_with_the_reason_and_a_later_start_goes_on(
    stack: FaultStack, client: FaultClient
) -> None:
    """Trying on would only hide it; what was accepted is still there."""
    jobs = jobs_named("kept")
    assert client.submit(*jobs) == [202] * len(jobs)
    wait_for(lambda: stack.has_ended_without_room("qstash"), "the end of the stack")
    assert "qstash died 5 times in a row" in stack.output
    stack.start()
    check(client, client.ended(jobs))


def test_a_submission_that_the_queue_never_took_leaves_no_job(stack: FaultStack, client: FaultClient) -> None:
    """503; nothing is stored, and no message about it waits anywhere."""
    job = Submission("nowhere", "dev", "line-3")
    with stack.stopped("qstash") as pid:
        assert client.submit(job) == [503]
        os.kill(pid, signal.SIGKILL)
    stack.wait_until_back("qstash", pid)
    stack.wait_until_calm()
    assert client.job(job) is None
    assert stack.messages_of(job.job_id) == set()


def test_a_submission_that_the_queue_took_too_late_starts_by_itself(stack: FaultStack, client: FaultClient) -> None:
    """503, since the queue did not answer; but it has the backup message, which creates the job when its time comes."""
    job = Submission("late", "dev", "fan-5")
    with stack.stopped("qstash"):
        assert client.submit(job) == [503]
    wait_for(lambda: client.job(job), "its creation by its backup message")
    check(client, client.ended([job]))
