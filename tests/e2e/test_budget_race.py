"""Three hundred calls of two processes for a budget of a hundred, while processes are killed: never one too many."""

import pytest

from tests.e2e.budget_agents import CALL_USD, LIMIT_USD
from tests.e2e.dev_stack import StackMaker, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.long]

JOBS, ROOM = 300, round(LIMIT_USD / CALL_USD)
EACH = 12  # so many jobs are submitted before each kill
KILLS = ("app", "app-2", "app", "app-2", "app")


@pytest.mark.parametrize("kills", [(), KILLS], ids=["undisturbed", "five kills"])
def test_racing_calls_never_spend_more_than_their_budget(new_stack: StackMaker, kills: tuple[str, ...]) -> None:
    """Without kills exactly as many as it allows; a killed call counts in full, so with kills maybe fewer."""
    stack = new_stack("budget_agents", WEB_CONCURRENCY="2").start()
    wait_for(lambda: "app-2" in stack.reload()["processes"], "the second process")
    blows, jobs = iter(kills), list[str]()
    for number in range(JOBS):
        jobs.append(stack.submit("cent", f"Job {number}."))
        if number % EACH == EACH - 1 and (name := next(blows, None)):
            stack.wait_until_back(name, stack.kill(name))
    ended = [stack.ended(job) for job in jobs]
    done = sum(job["status"] == "completed" for job in ended)
    refused = [job["error"]["type"] for job in ended if job["status"] == "failed"]
    assert (done + len(refused), set(refused)) == (JOBS, {"budget_exceeded"})
    calls = len(stack.noted())
    assert done <= calls <= ROOM
    assert calls == ROOM or kills
    (row,) = stack.request("GET", "/api/admin/budgets?key=all", "admin_key")["budgets"]
    assert CALL_USD * calls <= row["spent"] + row["reserved"] <= LIMIT_USD
    assert len(set(stack.noted())) >= 2 + len(kills) // 2, "they were killed in the middle of calls"
