"""`baton check`: seed 002's "test worker connection" and "check worker status", each failure with a way out."""

from collections.abc import Iterator

import httpx
import pytest
import respx

from tests.unit.baton_local.cli.api import JOB, URL, baton, problem

STATE = {"running": True, "activeJobs": 1, "pendingJobs": 2, "maxConcurrentJobs": 3, "lastSweepAt": None}


@pytest.fixture(autouse=True)
def api() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        router.get(f"{URL}/healthz").respond(json={})
        router.get(f"{URL}/readyz").respond(json={})
        router.get(f"{URL}/api/agent-jobs").respond(json={"jobs": []})
        router.get(f"{URL}/api/admin/agent-worker").respond(json=STATE)
        router.get(f"{URL}/api/admin/budgets").respond(json={"budgets": []})
        yield router


def test_a_connection_that_is_well_is_reported() -> None:
    done = baton("check")
    assert (done.exit_code, done.output.count("ok")) == (0, 5)


def test_each_part_of_a_connection_that_fails_has_a_hint(api: respx.MockRouter) -> None:
    api.get(f"{URL}/readyz").respond(503)
    assert "UPSTASH_REDIS_REST_URL" in baton("check").output
    api.get(f"{URL}/readyz").respond(200)
    api.get(f"{URL}/api/agent-jobs").mock(return_value=problem(401, "no valid key"))
    assert "answered 401: no valid key" in baton("check").output
    api.get(f"{URL}/healthz").mock(side_effect=httpx.ConnectError("refused"))
    done = baton("check")
    assert (done.exit_code, "is the address right" in done.output) == (1, True)


def test_a_worker_that_is_stopped_fails(api: respx.MockRouter) -> None:
    assert "jobs start: 1 of 3 jobs at work, 2 in line" in baton("check").output
    api.get(f"{URL}/api/admin/agent-worker").respond(json={**STATE, "running": False})
    done = baton("check")
    assert (done.exit_code, "no job starts" in done.output) == (1, True)
    api.get(f"{URL}/api/admin/agent-worker").mock(return_value=problem(403, "an admin key is needed"))
    assert (baton("check").exit_code, "only an admin key may see it" in baton("check").output) == (0, True)


def test_a_budget_in_dollars_that_counts_nothing_is_named(api: respx.MockRouter) -> None:
    used = {"unit": "usd", "declared": 5.0, "spent": 0.0, "reserved": 0.0, "largest": 0.0}
    rows = [{**used, "key": "free"}, {**used, "key": "paid", "spent": 0.1}, {**used, "key": "told", "unit": "tokens"}]
    api.get(f"{URL}/api/admin/budgets").respond(json={"budgets": rows})
    done = baton("check")
    assert (done.exit_code, done.output.count("in dollars")) == (0, 1)
    assert "budget 'free' in dollars has counted nothing: has its model a list price?" in done.output


def test_a_job_that_is_not_taken_up_fails(api: respx.MockRouter) -> None:
    pending = {**JOB, "status": "pending", "waitingFor": "its first event"}
    api.post(f"{URL}/api/agent-jobs").respond(202, json=pending)
    api.get(f"{URL}/api/agent-jobs/job_1").respond(json=pending)
    done = baton("check", "--agent", "simple", "--timeout", "1")
    assert done.exit_code == 1
    assert "waits for its first event: does the queue reach WORKER_BASE_URL" in done.output
    api.get(f"{URL}/api/agent-jobs/job_1").respond(json=JOB)
    assert "it completed after 2 turn(s)" in baton("check", "--agent", "simple").output
