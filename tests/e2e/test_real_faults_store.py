"""The store dies, or does what it is asked and the answer is lost, while jobs run on the real stack.

Source: decisions/0001-the-promise.
"""

import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.e2e.dev_stack import wait_for
from tests.e2e.fault_client import FaultClient, Submission
from tests.e2e.fault_stack import FaultStack, fault_stack_in
from tests.e2e.fault_verdict import check, last_update

pytestmark = pytest.mark.e2e

RESTARTS, NEW_RESULTS = 3, 4
SCRIPTS = ["EVAL", "EVALSHA"]
LOST_IN_A_ROW, ROUNDS, ROUND_SECONDS = 3, 10, 0.2
TRIES = 20


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultStack]:
    """One stack for all of these: each test has jobs of its own and leaves the stack serving."""
    with fault_stack_in(tmp_path_factory.mktemp("stack")) as made:
        yield made.prepare(WORK_TIMEOUT_SECONDS="1").start()  # nothing is held still here


@pytest.mark.long
def test_a_store_killed_again_and_again_forgets_nothing(stack: FaultStack, client: FaultClient) -> None:
    """Restarted from its append-only file, it has every result that was recorded before."""
    jobs = list[Submission]()
    for restart in range(RESTARTS):
        enough = client.recorded_calls(jobs) + NEW_RESULTS
        new = [Submission(f"restart-{restart}-{name}", "dev", name) for name in ("fan-10", "fan-shaky", "line-3")]
        assert client.submit(*new) == [202] * len(new)
        jobs += new
        wait_for(partial(has_recorded, client, jobs, enough), f"{enough} results")
        recorded = client.recorded_calls(jobs)
        stack.wait_until_back("redis", stack.kill("redis"))
        wait_for(partial(all_answer, client, jobs), "an answer from the restarted store")
        assert client.recorded_calls(jobs) >= recorded
    check(client, client.ended(jobs))


def all_answer(client: FaultClient, jobs: list[Submission]) -> bool:
    return all(map(client.job, jobs))


def has_recorded(client: FaultClient, jobs: list[Submission], calls: int) -> bool:
    return client.recorded_calls(jobs) >= calls


def test_answers_that_are_lost_after_the_store_has_acted_change_nothing(stack: FaultStack, client: FaultClient) -> None:
    """Claims, COMMITs and slot requests whose answers never come, several in a row, again and again."""
    jobs = [Submission(f"lost-{number}", "dev", ("fan-8", "fan-shaky")[number % 2]) for number in range(10)]
    assert client.submit(*jobs) == [202] * len(jobs)
    lost = 0
    for _ in range(ROUNDS):
        stack.plan_faults(drop=LOST_IN_A_ROW, only=SCRIPTS)
        time.sleep(ROUND_SECONDS)
        lost += LOST_IN_A_ROW - stack.faults_left()["drop"]
    stack.plan_faults()
    assert lost >= len(jobs)
    check(client, client.ended(jobs))


@pytest.mark.long
def test_a_submission_whose_answer_is_lost_starts_by_itself(stack: FaultStack, client: FaultClient) -> None:
    """The admission has given it a slot, but nobody knows: the client is told 503, and the backup does the rest."""
    job = next(filter(partial(loses_its_answer, stack, client), unanswered()), None)
    assert job is not None, "no submission lost its answer"
    wait_for(lambda: client.job(job), "its creation by its backup message")
    check(client, client.ended([job]))


def loses_its_answer(stack: FaultStack, client: FaultClient, job: Submission) -> bool:
    """Submit it; a sweep or another job's message may come in between, and lose its answer instead.

    Where that takes the spared one, the job has no backup message: it was refused before there was anything of it.
    """
    stack.plan_faults(drop=1, only=SCRIPTS, spare=1)  # by which it is seen that it is new
    return client.submit(job) == [503] and bool(stack.messages_of(job.job_id))


def unanswered(key: str = "unanswered", delay_seconds: int = 0) -> Iterator[Submission]:
    return (Submission(f"{key}-{number}", "dev", "line-3", delay_seconds=delay_seconds) for number in range(TRIES))


def test_a_cancellation_whose_answer_is_lost_is_sent_until_it_is_known(stack: FaultStack, client: FaultClient) -> None:
    """The client is told 503; the job is cancelled all the same, and leaves the admission."""
    for job in unanswered("cancelled", delay_seconds=600):  # nothing else of it runs meanwhile
        assert client.submit(job) == [202]
        stack.plan_faults(drop=1, only=SCRIPTS, spare=1)  # by which it is seen as it is
        if client.cancel(job) == 503:
            break
    else:
        pytest.fail("no cancellation lost its answer")
    assert client.ended([job])[job]["status"] == "cancelled"
    wait_for(lambda: last_update(stack, job.job_id) == "gone", "its last word to the admission")
