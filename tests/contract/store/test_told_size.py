"""No answer of the store grows beyond its limit with what a turn, or a step of a plan, would be told."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from baton.adapters.clock import SystemClock
from baton.adapters.redis import RedisConnection
from baton.adapters.tree_store import TreeStore
from baton.adapters.weighing import answer_bytes
from baton.core.effects import Changes
from baton.core.going_on import GoOn
from baton.core.legs import LegKind, loop_leg
from baton.ports import Begun, Meter, Verdict, metered
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    SPENT,
    a_job,
    call_leg,
    claim_of,
    creation,
    first_leg,
    leases_of,
    next_turn,
    record_of,
)
from tests.contract.store.side import RETENTION_MS

ANSWER_LIMIT_BYTES = 10_000_000
LIMIT_BYTES = 20_000
SECOND = loop_leg(JOB_ID, 2, 1, NOW_MS)


class Weighed(OneSlot):
    """A connection that knows the largest answer that came on it."""

    largest_bytes = 0

    async def _send(
        self, commands: Sequence[Sequence[str | int]], *, beside_scripts: bool = False
    ) -> tuple[list[Any], bool]:
        answers, leads = await super()._send(commands, beside_scripts=beside_scripts)
        self.largest_bytes = max(self.largest_bytes, answer_bytes(answers))
        return answers, leads


@pytest.fixture
async def connection(redis_process: RedisProcess) -> AsyncIterator[Weighed]:
    """To an empty server."""
    redis_process.ask("FLUSHALL")
    made = Weighed(redis_process.settings())
    yield made
    await made.close()


def store_on(connection: RedisConnection) -> TreeStore:
    """One that knows nothing yet, and tells little."""
    return TreeStore(connection, RETENTION_MS, told_limit_bytes=LIMIT_BYTES)


async def fan(store: TreeStore, *results: str) -> None:
    """A job whose first turn asks for a call for each of these texts, which return them: its next turn is due."""
    await store.create(creation(a_job()), "m1", NOW_MS)
    await store.begin(claim_of(first_leg()))
    legs = [call_leg(at) for at in range(len(results))]
    await store.commit(claim_of(first_leg()), Changes(legs=tuple(legs), calls=tuple(map(record_of, legs))), SPENT)
    for leg, text in zip(legs, results, strict=True):
        ends = Changes(results={leg.call_id: json.dumps({"ok": text})}, join=next_turn())
        await store.commit(claim_of(leg), ends, SPENT)


async def begun_with_bytes(store: TreeStore) -> tuple[Begun, int]:
    """The second turn, and how many bytes went to and from the store."""
    meter = Meter(SystemClock(), 0)
    with metered(meter):
        begun = await store.begin(claim_of(SECOND))
    return begun, meter.rest().size_bytes


async def test_twelve_results_of_nearly_a_megabyte_are_no_answer_beyond_the_limit(connection: RedisConnection) -> None:
    """Another process is told how much it would be, and nothing of it; so often it may ask."""
    await fan(TreeStore(connection, RETENTION_MS), *("x" * 900_000 for _ in range(12)))
    for _ in range(2):
        begun, size_bytes = await begun_with_bytes(TreeStore(connection, RETENTION_MS))
        assert size_bytes < ANSWER_LIMIT_BYTES
        assert begun.history.size_bytes > ANSWER_LIMIT_BYTES
        assert (begun.history.transcript, begun.history.results) == ((), {})


async def test_who_has_seen_all_results_counts_them_too(connection: RedisConnection) -> None:
    """What is known here is not told by the store, and is as much."""
    store = store_on(connection)
    await fan(store, "x" * LIMIT_BYTES)
    warm = await store.begin(claim_of(SECOND))
    cold = await store_on(connection).begin(claim_of(SECOND))
    assert cold.history.size_bytes > LIMIT_BYTES
    assert warm.history.size_bytes == pytest.approx(cold.history.size_bytes, rel=0.1)


async def test_what_is_little_enough_is_told(connection: RedisConnection) -> None:
    """With its size."""
    await fan(store_on(connection), "x" * (LIMIT_BYTES // 2))
    begun = await store_on(connection).begin(claim_of(SECOND))
    assert begun.history.results == {call_leg(0).call_id: {"ok": "x" * (LIMIT_BYTES // 2)}}
    assert LIMIT_BYTES // 2 < begun.history.size_bytes < LIMIT_BYTES


async def test_what_takes_two_bytes_in_an_answer_counts_twice(connection: RedisConnection) -> None:
    """As JSON in JSON, a quotation mark of a text is four characters."""
    await fan(store_on(connection), '"' * (LIMIT_BYTES // 3))
    begun = await store_on(connection).begin(claim_of(SECOND))
    assert begun.history.size_bytes > LIMIT_BYTES
    assert begun.history.results == {}


async def test_steps_that_are_told_much_are_not_all_told_at_once(connection: Weighed) -> None:
    """Each refers to one large result: what one answer has no room for comes in others."""
    store = store_on(connection)
    first, *steps = (replace(call_leg(at), step=f"s{at}", after=call_leg(0).call_id if at else "") for at in range(5))
    await store.create(creation(a_job()), "m1", NOW_MS)
    await store.begin(claim_of(first_leg()))
    turn = Changes(legs=(first, *steps), calls=tuple(map(record_of, (first, *steps))))
    await store.commit(claim_of(first_leg()), turn, SPENT)
    await store.begin(claim_of(first))
    large = Changes(results={first.call_id: json.dumps({"ok": "x" * (LIMIT_BYTES * 2 // 5)})})
    room = GoOn("o1.1", leases_of(frozenset(LegKind)), 9)
    done = await store.commit(claim_of(first), large, SPENT, room)
    assert [begun.state.leg.step for begun in done.claimed if begun.state] == ["s1", "s2", "s3", "s4"]
    assert all(begun.history.results.keys() == {first.call_id} for begun in done.claimed)
    assert connection.largest_bytes < 1.1 * LIMIT_BYTES
    again = await store_on(connection).begin(claim_of(steps[2], "m2", "o2", after_ms=2 * LEASE_MS))
    assert again.history.results.keys() == {first.call_id}


async def test_turns_that_begin_together_are_each_told_what_was_said(connection: Weighed) -> None:
    """What one answer has no room for comes in others; a model that is told nothing would begin anew."""
    store, jobs = store_on(connection), [a_job(name) for name in (JOB_ID, f"{JOB_ID}.1", f"{JOB_ID}.2")]
    for job in jobs:
        await store.create(creation(job, "x" * (LIMIT_BYTES * 3 // 5)), f"m-{job.id}", NOW_MS)
    cold = store_on(connection)
    begun = await asyncio.gather(*(cold.begin(claim_of(first_leg(job.id), f"m-{job.id}")) for job in jobs))
    assert [each.verdict for each in begun] == [Verdict.GRANTED] * 3
    assert [len(each.history.transcript) for each in begun] == [1] * 3
    assert connection.largest_bytes < 1.1 * LIMIT_BYTES
