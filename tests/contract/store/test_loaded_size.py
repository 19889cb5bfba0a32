"""No answer of the store grows beyond its limit with what a turn, or a step of a plan, would be told."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from baton.engine.commit.answers import ClaimResult, Verdict
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.work_items import ItemKind, loop_item
from baton.sdk.clock import SystemClock
from baton.store.redis.connection import RedisConnection
from baton.store.redis.reader import pieces
from baton.store.redis.store import Store
from baton.store.transport.meter import Meter, metered
from baton.store.transport.redis_rest import answer_bytes
from baton_events.errors import StoreAnswerError
from tests.contract.store.one_slot import OneSlot
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    LEASE_MS,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    fan_out,
    first_item,
    job_of,
    leases_of,
    next_turn,
    record_of,
)
from tests.contract.store.side import RETENTION_MS, connected, side_over

ANSWER_LIMIT_BYTES = 10_000_000
LIMIT_BYTES = 20_000
SECOND = loop_item(JOB_ID, 2, 1, NOW_MS)


class Weighed(OneSlot):
    largest_bytes = 0

    async def _send(self, commands: Sequence[Sequence[str | int]], *, beside_scripts: bool = False) -> list[Any]:
        answers = await super()._send(commands, beside_scripts=beside_scripts)
        self.largest_bytes = max(self.largest_bytes, answer_bytes(answers))
        return answers


@pytest.fixture
async def connection(redis_process: RedisProcess) -> AsyncIterator[Weighed]:
    async with connected(redis_process, Weighed) as made:
        yield made


def store_on(connection: RedisConnection) -> Store:
    return Store(connection, RETENTION_MS, prompt_limit_bytes=LIMIT_BYTES)


async def fan(store: Store, *results: str) -> None:
    """A job whose first turn asks for a call for each of these texts, which return them: its next turn is due."""
    await store.create(creation(a_job()), "m1", NOW_MS)
    await store.claim(claim_of(first_item()))
    items = [call_item(at) for at in range(len(results))]
    await store.commit(claim_of(first_item()), Changes(items=tuple(items), calls=tuple(map(record_of, items))))
    for item, text in zip(items, results, strict=True):
        ends = Changes(results={item.call_id: json.dumps({"ok": text})}, join=next_turn())
        await store.commit(claim_of(item), ends)


async def begun_with_bytes(store: Store) -> tuple[ClaimResult, int]:
    """The second turn, and how many bytes went to and from the store."""
    meter = Meter(SystemClock(), 0)
    with metered(meter):
        claim_result = await store.claim(claim_of(SECOND))
    return claim_result, meter.rest().size_bytes


async def test_twelve_results_of_nearly_a_megabyte_are_no_answer_beyond_the_limit(connection: RedisConnection) -> None:
    """Another process is told how much it would be, and nothing of it; so often it may ask."""
    await fan(Store(connection, RETENTION_MS), *("x" * 900_000 for _ in range(12)))
    for _ in range(2):
        claim_result, size_bytes = await begun_with_bytes(Store(connection, RETENTION_MS))
        assert size_bytes < ANSWER_LIMIT_BYTES
        assert claim_result.history.size_bytes > ANSWER_LIMIT_BYTES
        assert (claim_result.history.transcript, claim_result.history.results) == ((), {})


async def test_who_has_seen_all_results_counts_them_too(connection: RedisConnection) -> None:
    store = store_on(connection)
    await fan(store, "x" * LIMIT_BYTES)
    warm = await store.claim(claim_of(SECOND))
    cold = await store_on(connection).claim(claim_of(SECOND))
    assert cold.history.size_bytes > LIMIT_BYTES
    assert warm.history.size_bytes == pytest.approx(cold.history.size_bytes, rel=0.1)


async def test_calls_whose_names_alone_are_too_much_are_no_empty_history(connection: RedisConnection) -> None:
    store = Store(connection, RETENTION_MS, prompt_limit_bytes=200)
    await fan(Store(connection, RETENTION_MS), *("x" for _ in range(20)))
    history = (await store.claim(claim_of(SECOND))).history
    assert (history.size_bytes > 200, history.transcript, history.results) == (True, (), {})


async def test_what_is_small_enough_is_loaded_with_its_size(connection: RedisConnection) -> None:
    text = "x" * (LIMIT_BYTES // 2)
    await fan(store_on(connection), text)
    history = (await store_on(connection).claim(claim_of(SECOND))).history
    assert history.results == {call_item(0).call_id: {"ok": text}}
    assert len(text) < history.size_bytes < LIMIT_BYTES


async def test_what_takes_two_bytes_in_an_answer_counts_twice(connection: RedisConnection) -> None:
    """As JSON in JSON, a quotation mark of a text is four characters."""
    await fan(store_on(connection), '"' * (LIMIT_BYTES // 3))
    history = (await store_on(connection).claim(claim_of(SECOND))).history
    assert (history.size_bytes > LIMIT_BYTES, history.results) == (True, {})


async def test_a_process_that_knows_nothing_loads_no_compacted_past(connection: RedisConnection) -> None:
    """Neither its entries nor the results of its calls."""
    store = store_on(connection)
    await store.create(creation(a_job()), "m1", NOW_MS)
    await store.claim(claim_of(first_item()))
    said = tuple(f'{{"calls":[{{"id":"c{n}","tool":"t"}}],"role":"model","turn":{n}}}' for n in range(1, 6))
    results = {f"c{n}": f'{{"ok":{n}}}' for n in range(1, 6)}
    turn = Changes(job=replace(a_job(), compacted=(1, 4)), items=(SECOND,), transcript=said, results=results)
    await store.commit(claim_of(first_item()), turn)
    history = (await store_on(connection).claim(claim_of(SECOND))).history
    assert [entry.get("turn") for entry in history.transcript] == [None, 4, 5]
    assert (history.results, history.compacted) == ({"c4": {"ok": 4}, "c5": {"ok": 5}}, (1, 4))


async def test_steps_with_much_to_load_are_not_all_loaded_at_once(connection: Weighed) -> None:
    """Each refers to one large result: what one answer has no room for comes in others."""
    store = store_on(connection)
    first, *steps = (replace(call_item(at), step=f"s{at}", after=call_item(0).call_id if at else "") for at in range(5))
    await store.create(creation(a_job()), "m1", NOW_MS)
    await store.claim(claim_of(first_item()))
    turn = Changes(items=(first, *steps), calls=tuple(map(record_of, (first, *steps))))
    await store.commit(claim_of(first_item()), turn)
    await store.claim(claim_of(first))
    large = Changes(results={first.call_id: json.dumps({"ok": "x" * (LIMIT_BYTES * 2 // 5)})})
    room = Continuation("o1.1", leases_of(frozenset(ItemKind)), 9)
    done = await store.commit(claim_of(first), large, room)
    assert [each.state.item.step for each in done.claimed if each.state] == ["s1", "s2", "s3", "s4"]
    assert all(claim_result.history.results.keys() == {first.call_id} for claim_result in done.claimed)
    assert connection.largest_bytes < 1.1 * LIMIT_BYTES
    again = await store_on(connection).claim(claim_of(steps[2], "m2", "o2", after_ms=2 * LEASE_MS))
    assert again.history.results.keys() == {first.call_id}


async def test_turns_that_begin_together_each_get_the_history(connection: Weighed) -> None:
    """What one answer has no room for comes in others; a model that is told nothing would begin anew."""
    store, jobs = store_on(connection), [a_job(name) for name in (JOB_ID, f"{JOB_ID}.1", f"{JOB_ID}.2")]
    for job in jobs:
        await store.create(creation(job, "x" * (LIMIT_BYTES * 3 // 5)), f"m-{job.id}", NOW_MS)
    cold = store_on(connection)
    claim_result = await asyncio.gather(*(cold.claim(claim_of(first_item(job.id), f"m-{job.id}")) for job in jobs))
    assert [each.verdict for each in claim_result] == [Verdict.GRANTED] * 3
    assert [len(each.history.transcript) for each in claim_result] == [1] * 3
    assert connection.largest_bytes < 1.1 * LIMIT_BYTES


class Narrow(RedisConnection):
    """A store as the hosted one: it answers no more than so much at once."""

    async def pipeline(self, *commands: Sequence[str | int]) -> list[Any]:
        answers = await super().pipeline(*commands)
        _within(answers)
        return answers

    async def execute(self, *command: str | int) -> Any:
        return _within(await super().execute(*command))


def _within(answer: Any) -> Any:
    size_bytes = len(json.dumps(answer))
    if size_bytes > ANSWER_LIMIT_BYTES:
        raise StoreAnswerError(f"an answer of {size_bytes} bytes")
    return answer


async def test_a_job_with_twelve_results_of_nearly_a_megabyte_is_read(redis_process: RedisProcess) -> None:
    async with connected(redis_process, Narrow) as connection:
        side = side_over(connection)
        items = await fan_out(side, 12)
        for item in items:
            text = json.dumps({"ok": f"{item.position}" * 900_000})
            assert (await side.store.commit(claim_of(item, "m"), Changes(results={item.call_id: text}))).applied
        found = await job_of(side)
    sizes = {call_id: len(result["ok"]) for call_id, result in found.results.items()}
    assert sizes == {item.call_id: 900_000 * len(str(item.position)) for item in items}
    assert [call.id for call in found.calls] == [item.call_id for item in items]


def test_pieces_are_together_no_more_than_so_much() -> None:
    sized = [("a", 4), ("b", 6), ("c", 1), ("d", 20), ("e", 2), ("f", 8)]
    assert list(pieces(sized, 10)) == [["a", "b"], ["c"], ["d"], ["e", "f"]]
