"""What a job's ledger says is what queue and bridge counted, to the unit, in both modes.

Source: decisions/0016-cost-of-a-step.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.e2e.dev_stack import DevStack, stacks
from tests.e2e.meters import BridgeMeters, Units, units_of

pytestmark = pytest.mark.e2e

IDLE_COMMANDS = 2  # CLAIM, which finds no work item: the script, and what it reads of the tree
# What goes on by the minute is armed for in an hour.
STILL = {"SWEEP_INTERVAL_SECONDS": "3600"}


@pytest.fixture(scope="module", params=["queue", pytest.param("inline", marks=pytest.mark.long)])
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    with stacks(tmp_path_factory.mktemp("ledger")) as make:
        yield make("ledger_agents", CONTINUATION=request.param, **STILL).start()


@pytest.fixture(scope="module")
def meters(stack: DevStack) -> BridgeMeters:
    """Those of a stack on which jobs have run: scripts are loaded."""
    made = BridgeMeters(stack)
    for agent in ("in-a-row", "tries-again", "has-a-child"):
        made.run(agent)
    return made


def overhead(stack: DevStack) -> dict[str, int]:
    """What belongs to no job, as far as it is told: all that was spent before this was asked."""
    return dict(stack.request("GET", "/api/admin/usage", "admin_key")["overhead"]["usage"])


def used_by_tenant(stack: DevStack) -> dict[str, Any]:
    """What the jobs of the only tenant have used that have ended."""
    (row,) = stack.request("GET", "/api/admin/usage", "admin_key")["tenants"]
    return dict(row["usage"])


@pytest.mark.parametrize("agent", ["in-a-row", "at-once", "tries-again"])
def test_a_jobs_ledger_agrees_with_the_meters(meters: BridgeMeters, agent: str) -> None:
    """From the request that submitted it to its last word to the admission; its backup message comes a minute later."""
    job, counted = meters.run(agent)
    agree(units_of(job["usage"]), counted)


def test_steps_and_what_is_beside_them_are_the_jobs_ledger(stack: DevStack, meters: BridgeMeters) -> None:
    """To the unit; what each step costs is in tests/contract/store/test_step_used.py."""
    job, counted = meters.run("in-a-row")
    found = stack.job(f"{job['id']}?steps=true")
    assert any(step["tool"] for step in found["steps"])
    rows = [units_of(row["usage"]) for row in (*found["steps"], found["besideSteps"])]
    agree(sum(rows[1:], rows[0]), counted)


def test_a_child_has_a_ledger_of_its_own(stack: DevStack, meters: BridgeMeters) -> None:
    """Together they are what was counted, with a message that finds nothing left to do, which is no job's.

    That is what was published for the wait before the child's end woke it; its timer is still to be delivered.
    """
    before = overhead(stack)
    job, counted = meters.run("has-a-child")
    after = overhead(stack)
    besides = {name: after[name] - before[name] for name in ("messages", "deliveries")}
    (call,) = job["toolCalls"]
    child = stack.job(call["childJobId"])
    ledger = units_of(job["usage"]) + units_of(child["usage"])
    assert child["usage"]["redisCommands"] > 0
    assert ledger.deliveries + besides["deliveries"] == counted.deliveries
    assert ledger.commands + IDLE_COMMANDS * besides["deliveries"] == counted.commands
    assert 0 <= counted.messages - ledger.messages - besides["messages"] <= 1


def test_jobs_and_overhead_together_are_what_was_counted(stack: DevStack, meters: BridgeMeters) -> None:
    """Requests, too: how many were shared is overhead's to tell."""
    first, second = overhead(stack), overhead(stack)
    job, counted = meters.run("at-once")
    third = overhead(stack)
    requested = {name: second[name] - first[name] for name in first}  # what one look at the overhead costs
    shared = (third["sharedRequests"] - second["sharedRequests"]) - requested["sharedRequests"]
    # The look at the job, and those at the overhead but for what they cost themselves.
    besides = third["redisRequests"] - second["redisRequests"] - requested["redisRequests"]
    assert besides == 1
    assert job["usage"]["redisRequests"] - shared == counted.requests


def test_a_tenants_sums_are_those_of_its_jobs(stack: DevStack, meters: BridgeMeters) -> None:
    """In all but bytes and time, which go on until the last COMMIT."""
    before = used_by_tenant(stack)
    job, _ = meters.run("at-once")
    after, used = used_by_tenant(stack), job["usage"]
    for name in ("messages", "deliveries", "redisRequests", "redisCommands"):
        assert after[name] - before[name] == used[name], name
    assert 0.8 * used["redisBytes"] < after["redisBytes"] - before["redisBytes"] <= used["redisBytes"]


def agree(ledger: Units, counted: Units) -> None:
    """To the unit; requests that were ready at the same time shared one, and each counts as if it had not."""
    assert replace(ledger, requests=0) == replace(counted, requests=0)
    assert ledger.requests >= counted.requests
