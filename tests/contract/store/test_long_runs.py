"""A piece of a durable agent of pydantic-ai costs the store the same at the end of a long run as at its beginning."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from pydantic_ai import Agent
from pydantic_ai.usage import UsageLimits

from baton import Limits, Registry
from baton.pydantic_ai import durable
from baton.queue.dispatch import Outcome
from baton.store.redis.connection import RedisConnection
from baton.store.redis.keys import calls_key
from baton_events.schema import Event, EventType, event_type
from tests.contract.store.real_stage import Continuation, RealStage
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.side import several, side_over
from tests.contract.store.test_step_used import sum_of, used
from tests.unit.baton.sdk.pydantic_ai.documented_agents import add
from tests.unit.baton.sdk.pydantic_ai.played import PlayedStage, call, scripted

pytestmark = [pytest.mark.bridge, pytest.mark.usefixtures("unhurried")]

CALLS, WINDOW = 100, 10
# Numbers get more digits. The messages of one call would be a tenth more.
GROWTH = 1.02


class LongRun(PlayedStage, RealStage):
    """A real store, and jobs as a submission makes them. `maker`: the process that makes calls, if that is another."""

    maker: "LongRun | None" = None

    async def deliver(self, event: Event, message_id: str = "m1", retried: int = 0) -> Outcome:
        if self.maker is not None and event_type(event) is EventType.TOOL_CALL:
            return await self.maker.deliver(event, message_id, retried)
        return await super().deliver(event, message_id, retried)

    def let_make_calls(self, other: "LongRun") -> None:
        other.ports = replace(other.ports, queue=self.queue, clock=self.clock)
        other.restart()
        self.maker = other


def long_registry() -> Registry:
    turns = [[call("add", str(n), a=n, b=n)] for n in range(CALLS)]
    agent = Agent(scripted(*turns, "done"), name="long", tools=[add])
    unlimited: Any = {"limits": Limits(turns=1_000, tool_calls=1_000), "usage_limits": UsageLimits(request_limit=None)}
    return Registry([durable(agent, **unlimited)])


class Pieces(NamedTuple):
    """What each turn and each event of a call has cost, in order, but for the first turn and the answer.

    `told_bytes`: what was said in the end, as an answer of the store has it.
    """

    turns: list[Counted]
    calls: list[Counted]
    told_bytes: int


async def pieces_of(process: RedisProcess, continuation: Continuation, *, apart: bool = False) -> Pieces:
    """Run it. `apart`: another process makes the calls, and each finds that the other one has written."""
    async with several(process, 2, RedisConnection) as connections:
        stage, other = (
            LongRun(side_over(one), CALLS, continuation=continuation, registry=long_registry()) for one in connections
        )
        if apart:
            stage.let_make_calls(other)
        await stage.play("long")
        parts = [json.loads(text) for text in (await stage.ports.reader.parts("job_a", 0)).parts]
        kept = process.request("HGETALL", calls_key("job_a"))
    events = [part["data"] for part in parts if part["type"] == "data-event" and "used" in part["data"]]
    calls = [used(one["used"]) for one in events if "callId" in one]
    asked = [used(one["used"]) for one in events if "callId" not in one]
    assert len(asked) == CALLS + 1
    return Pieces(asked[1:-1], calls, sum(len(json.dumps(text)) for text in kept))


def windows(pieces: Sequence[Counted], size: int) -> tuple[Counted, Counted]:
    return sum_of(pieces[:size]), sum_of(pieces[-size:])


@pytest.mark.long
@pytest.mark.parametrize("continuation", ["queue", "inline"])
async def test_the_last_pieces_of_a_run_cost_what_the_first_did(
    redis_process: RedisProcess, continuation: Continuation
) -> None:
    """A hundred calls, in requests, commands and bytes: a process that knows the messages is not sent them again."""
    turns, calls, _ = await pieces_of(redis_process, continuation)
    for first, last in (windows(turns, WINDOW), windows(calls, WINDOW * len(calls) // CALLS)):
        assert (last.requests, last.commands) == (first.requests, first.commands)
        assert last.size_bytes <= GROWTH * first.size_bytes


async def test_a_process_that_knows_only_the_start_is_told_the_rest_once(redis_process: RedisProcess) -> None:
    """Where turns and calls are functions apart, the last pieces cost what the first did, too."""
    turns, calls, _ = await pieces_of(redis_process, "queue", apart=True)
    for first, last in (windows(turns[1:], WINDOW), windows(calls[1:], WINDOW)):
        assert (last.requests, last.commands) == (first.requests, first.commands)
        assert last.size_bytes <= GROWTH * first.size_bytes
