"""What others may do to a job while one of its steps is at work."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from events.adapters import keys
from events.adapters.redis import RedisConnection
from events.core.effects import Changes
from events.ports import OutsideFact
from tests.contract.store.sample import JOB_ID, NOW_MS, book_of, call_leg, claim_of
from tests.contract.store.side import Side

Meanwhile = Callable[[Side, RedisConnection], Awaitable[Any]]
_STATE = keys.state_key(JOB_ID)


async def _another_step(side: Side, _: RedisConnection) -> None:
    """A fact from outside has the job do something besides."""
    await _fact(side, Changes(legs=(call_leg(5),)))


async def _another_job_text(side: Side, _: RedisConnection) -> None:
    """A fact from outside changes the job and nothing else."""
    if loaded := await side.store.load(JOB_ID):
        await _fact(side, Changes(job=replace(loaded.job, best_answer="so far")))


async def _an_end(side: Side, _: RedisConnection) -> None:
    """The job is cancelled, say."""
    await _fact(side, Changes(ends=True))


async def _fact(side: Side, changes: Changes) -> None:
    if loaded := await side.store.load(JOB_ID):
        await side.store.record(loaded, "m9", changes, NOW_MS)


async def _an_event(side: Side, _: RedisConnection) -> None:
    """It comes before anything waits for it."""
    await side.store.tell(JOB_ID, "m9", OutsideFact("f1", '{"ok":1}', "", "paid"), NOW_MS)


async def _a_text(side: Side, connection: RedisConnection) -> None:
    """Whoever has the step says something."""
    for leg in await _legs(connection):
        claim = replace(claim_of(call_leg(0), owner=leg["owner"]), leg_key=leg["key"])
        await side.store.append(claim, 1, ["a text"])


async def _a_sweep(side: Side, _: RedisConnection) -> None:
    """The admission has forgotten the job, which wishes again."""
    await side.store.look(JOB_ID, "m9", NOW_MS, 60_000, {})
    await side.store.look(JOB_ID, "m9", NOW_MS, 60_000, book_of(JOB_ID))


async def _no_slot(_: Side, connection: RedisConnection) -> None:
    """The job does not stand as who works for it believes."""
    await _change(connection, f"standing:{JOB_ID}", slot=False)


async def _another_wish(_: Side, connection: RedisConnection) -> None:
    """It wants nothing, as far as is recorded."""
    await _change(connection, f"standing:{JOB_ID}", want="none")


async def _taken_anew(_: Side, connection: RedisConnection) -> None:
    """A failover forgot the step and it was added and claimed again."""
    for leg in await _legs(connection):
        await _change(connection, f"leg:{leg['key']}", owner="p9.1", since_ms=NOW_MS + 1)


async def _an_older_version(_: Side, connection: RedisConnection) -> None:
    """Its scripts know of no tag, but they count in the books."""
    books = json.loads(await connection.execute("HGET", _STATE, f"usage:{JOB_ID}") or "{}")
    await _change(connection, f"usage:{JOB_ID}", redis_requests=books.get("redis_requests", 0) + 1)
    await connection.execute("HSET", keys.results_key(JOB_ID), call_leg(0).call_id, '{"ok":"old"}')


async def _change(connection: RedisConnection, field: str, **more: Any) -> None:
    if text := await connection.execute("HGET", _STATE, field):
        await connection.execute("HSET", _STATE, field, json.dumps({**json.loads(text), **more}, separators=(",", ":")))


async def _legs(connection: RedisConnection) -> list[dict[str, Any]]:
    state: dict[str, str] = await connection.execute("HGETALL", _STATE)
    return [json.loads(text) for field, text in sorted(state.items()) if field.startswith("leg:")]


MEANWHILE: dict[str, Meanwhile] = {
    "another step": _another_step,
    "another job text": _another_job_text,
    "an end": _an_end,
    "an event": _an_event,
    "a text": _a_text,
    "a sweep": _a_sweep,
    "no slot": _no_slot,
    "another wish": _another_wish,
    "taken anew": _taken_anew,
    "an older version": _an_older_version,
}
