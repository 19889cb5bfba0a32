"""`GET /api/agent-jobs/{id}?steps=true`: what each step has used; with what is beside them, the job's usage ledger."""

import json
from dataclasses import replace

import pytest
from msgspec import structs

from baton.engine.state import Job, Usage
from baton.runtime.usage_view import step_usage
from baton.sdk.limits import Used
from baton.settings.service_prices import LIST_PRICES
from baton.storage.ports.jobs import Snapshot

JOB = Job("job_1", "session_1", "acme", "adds", 0, used=Used(2, 1, 12, 7, 0.3, model_calls=2))
LEDGER = Usage(9, 20, 90, deliveries=8, redis_bytes=9_000, function_ms=70, mb_ms=71_680)
SNAPSHOT = Snapshot(JOB, {"text": "do it"}, usage=LEDGER)


def event(turn: int, call_id: str = "", **used: int) -> str:
    """The part of an event that said what it used; of an older version: that did not."""
    data = {"turn": turn, "outcome": "done"} | ({"callId": call_id, "tool": "add"} if call_id else {})
    return json.dumps({"type": "data-event", "data": data | ({"used": used} if used else {})})


def shown(turn: int, *, cached: bool = False) -> str:
    """What a model call took."""
    data = {"turn": turn, "inputTokens": 6, "outputTokens": 3, "costUsd": 0.1, "cached": cached}
    return json.dumps({"type": "data-usage", "data": data})


def test_an_attempt_and_its_outcome_are_one_step() -> None:
    """A turn has its tokens; a name that a newer version has added is left out."""
    parts = [
        shown(1),
        event(1, messages=1, redisCommands=10),
        event(1, "c1", redisCommands=12, newer=3),
        event(1, "c1", redisCommands=9),
    ]
    turn, call = step_usage(SNAPSHOT, parts, LIST_PRICES)["steps"]
    assert (turn["turn"], turn["callId"], turn["usage"]["redisCommands"]) == (1, None, 10)
    assert (turn["usage"]["inputTokens"], turn["usage"]["modelCalls"], turn["cost"]["modelUsd"]) == (6, 1, 0.1)
    assert (call["callId"], call["tool"], call["usage"]["redisCommands"]) == ("c1", "add", 21)


@pytest.mark.parametrize("parts", [[], [event(1), event(1, "c1")], [event(1, redisCommands=10, mbMs=1_024), shown(1)]])
def test_the_rest_is_beside_steps(parts: list[str]) -> None:
    """All of it, of a job of a version whose events say nothing."""
    found = step_usage(SNAPSHOT, parts, LIST_PRICES)
    rows = [*found["steps"], found["besideSteps"]]
    assert sum(row["usage"]["redisCommands"] for row in rows) == LEDGER.redis_commands
    assert sum(row["usage"]["inputTokens"] for row in rows) == JOB.used.input_tokens
    assert sum(row["usage"]["costUsd"] for row in rows) == pytest.approx(JOB.used.cost_usd)
    assert sum(row["usage"]["gbSeconds"] for row in rows) == pytest.approx(0.07)


def test_what_each_part_rounded_up_is_no_gain() -> None:
    """Money beside steps is never less than nothing."""
    snapshot = replace(SNAPSHOT, job=structs.replace(JOB, used=Used(cost_usd=0.05)))
    assert step_usage(snapshot, [shown(1)], LIST_PRICES)["besideSteps"]["usage"]["costUsd"] == 0
