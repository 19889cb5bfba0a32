"""A history that is known by its tag is not told again, and is always the one that is stored."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from msgspec.structs import replace

from events.adapters import keys
from events.adapters.redis import RedisConnection
from events.core.effects import Changes, Report, Skip
from events.core.going_on import GoOn
from events.core.legs import Leg, LegKind, following, loop_leg
from events.ports import Begun, OutsideFact, Verdict
from tests.contract.store.known_stage import Stage, stage_on
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
from tests.contract.store.side import connection_to

CHILD = f"{JOB_ID}.1"
WAIT = replace(following(call_leg(0), LegKind.WAIT, NOW_MS, not_before_ms=NOW_MS + LEASE_MS), otherwise='{"ok":0}')
ONE, OTHER = record_of(call_leg(0)), record_of(call_leg(1))


@pytest.fixture
async def stage(redis_process: RedisProcess) -> AsyncIterator[Stage]:
    """A job whose first turn was told what was said, and has asked for two calls."""
    redis_process.ask("FLUSHALL")
    connection = connection_to(redis_process)
    made = stage_on(connection)
    await made.side.store.create(creation(a_job()), "m1", NOW_MS)
    begun = await made.side.store.begin(claim_of(first_leg()))
    assert len(begun.history.transcript) == 1
    turn = Changes(legs=(call_leg(0), call_leg(1)), calls=(ONE, OTHER), transcript=('{"role":"model","turn":1}',))
    assert await made.commit(first_leg(), turn)
    assert await made.is_known()
    yield made
    await connection.close()


async def told_anew(connection: RedisConnection, leg: Leg, owner: str) -> Begun:
    """The same leg told to the same owner by a store that knows nothing."""
    return await stage_on(connection).side.store.begin(claim_of(leg, owner=owner))


async def test_a_turn_in_the_same_process_is_told_nothing_that_it_knows(stage: Stage) -> None:
    """It gets the whole history all the same, also what others are told by the store."""
    await stage.commit(call_leg(0), Changes(results={ONE.id: '{"ok":[1,"é"]}'}))
    ends = Changes(join=next_turn(), results={OTHER.id: '{"ok":2}'})
    assert (await stage.side.store.begin(claim_of(call_leg(1)))).state is not None
    done = await stage.side.store.commit(claim_of(call_leg(1)), ends, SPENT, GoOn("o1.1", leases_of(), 9))
    (begun,) = done.claimed
    assert begun.history == (await told_anew(stage.connection, loop_leg(JOB_ID, 2, 1, NOW_MS), "o1.1")).history
    assert begun.history.results == {ONE.id: {"ok": [1, "é"]}, OTHER.id: {"ok": 2}}
    assert await stage.is_known()


async def test_who_is_told_may_change_it_for_himself_only(stage: Stage) -> None:
    """A model is foreign code."""
    await stage.commit(call_leg(0), Changes(results={ONE.id: '{"ok":{"a":1}}'}))
    await stage.commit(call_leg(1), Changes(join=next_turn()))
    second = loop_leg(JOB_ID, 2, 1, NOW_MS)
    begun = await stage.side.store.begin(claim_of(second))
    begun.history.transcript[0]["text"] = begun.history.results[ONE.id]["ok"]["a"] = "changed"
    again = await stage.side.store.begin(claim_of(second))
    assert again.history == (await told_anew(stage.connection, second, "o1")).history
    assert again.history.results == {ONE.id: {"ok": {"a": 1}}}


async def test_what_is_summed_up_is_not_told_to_who_knows_it(stage: Stage) -> None:
    """As little as to who does not."""
    await stage.commit(call_leg(0), Changes(results={ONE.id: '{"ok":1}'}))
    said = f'{{"calls":[{{"id":"{OTHER.id}"}}],"role":"model","turn":2}}'
    second = loop_leg(JOB_ID, 2, 1, NOW_MS)
    turn = Changes(job=replace(a_job(), untold=(1, 2)), legs=(second,), results={OTHER.id: "{}"}, transcript=(said,))
    await stage.commit(call_leg(1), turn)
    assert await stage.is_known()
    begun = await stage.side.store.begin(claim_of(second))
    assert [entry.get("turn") for entry in begun.history.transcript] == [None, 2]
    assert begun.history.results == {OTHER.id: {}}
    assert begun.history == (await told_anew(stage.connection, second, "o1")).history


async def test_what_another_process_writes_is_told(stage: Stage) -> None:
    """The tag has gone on without this one."""
    other = stage_on(stage.connection)
    assert await other.commit(call_leg(0), Changes(results={ONE.id: '{"ok":1}'}))
    assert not await stage.is_known()
    assert await stage.commit(call_leg(1), Changes(join=next_turn(), results={OTHER.id: '{"ok":2}'}))
    begun = await stage.side.store.begin(claim_of(loop_leg(JOB_ID, 2, 1, NOW_MS)))
    assert begun.history.results == {ONE.id: {"ok": 1}, OTHER.id: {"ok": 2}}
    assert await stage.is_known()


async def test_what_a_failover_forgot_is_not_known(stage: Stage) -> None:
    """Its tag is that of what is left."""
    key, results = keys.state_key(JOB_ID), keys.results_key(JOB_ID)
    state = await stage.connection.execute("HGETALL", key)
    assert await stage.commit(call_leg(0), Changes(results={ONE.id: '{"ok":1}'}))
    await stage.connection.pipeline(
        ["DEL", key, results], ["HSET", key, *(text for pair in state.items() for text in pair)]
    )
    assert not await stage.is_known()
    assert await stage.untrue() == []
    other = stage_on(stage.connection)
    assert await other.commit(call_leg(0), Changes(results={ONE.id: '{"ok":"another"}'}))
    assert await stage.commit(call_leg(1), Changes(join=next_turn()))
    begun = await stage.side.store.begin(claim_of(loop_leg(JOB_ID, 2, 1, NOW_MS)))
    assert begun.history.results == {ONE.id: {"ok": "another"}}


async def test_what_an_older_version_writes_voids_the_tag(stage: Stage) -> None:
    """Its scripts know of no tag, but they count in the books."""
    key = keys.state_key(JOB_ID)
    books = json.loads(await stage.connection.execute("HGET", key, f"usage:{JOB_ID}"))
    later = json.dumps({**books, "redis_requests": books["redis_requests"] + 1})
    await stage.connection.pipeline(
        ["HSET", keys.results_key(JOB_ID), ONE.id, '{"ok":"old"}'], ["HSET", key, f"usage:{JOB_ID}", later]
    )
    assert await stage.commit(call_leg(0), Changes())
    assert await stage.commit(call_leg(1), Changes(join=next_turn()))
    begun = await stage.side.store.begin(claim_of(loop_leg(JOB_ID, 2, 1, NOW_MS)))
    assert begun.history.results == {ONE.id: {"ok": "old"}}


async def _known_again(stage: Stage) -> None:
    second = loop_leg(JOB_ID, 2, 1, NOW_MS)
    assert await stage.commit(call_leg(1), Changes(legs=(second,)))
    assert (await stage.side.store.begin(claim_of(second))).verdict is Verdict.GRANTED
    assert await stage.is_known()


async def _event_for_its_wait(stage: Stage) -> None:
    await stage.side.store.tell(JOB_ID, "m2", OutsideFact("f1", '{"ok":1}', "", "paid"), NOW_MS)
    await _known_again(stage)
    assert await stage.commit(call_leg(0), Changes(legs=(replace(WAIT, event="paid"),)))


async def _outcome_before_its_wait(stage: Stage) -> None:
    await stage.side.store.tell(JOB_ID, "m2", OutsideFact("f1", '{"ok":1}', ONE.id), NOW_MS)
    await _known_again(stage)
    assert await stage.commit(call_leg(0), Changes(legs=(WAIT,)))


async def _outcome_of_a_wait(stage: Stage) -> None:
    assert await stage.commit(call_leg(0), Changes(legs=(WAIT,)))
    await stage.side.store.tell(JOB_ID, "m2", OutsideFact("f1", '{"ok":1}', ONE.id), NOW_MS)


async def _time_of_a_wait(stage: Stage) -> None:
    assert await stage.commit(call_leg(0), Changes(legs=(WAIT,)))
    late = claim_of(replace(WAIT, carrier="m1"), owner="o2", after_ms=2 * LEASE_MS)
    assert (await stage.side.store.begin(late)).verdict is Verdict.GRANTED


async def _a_skipped_step(stage: Stage) -> None:
    skip = Skip(call_leg(1).key, OTHER, '{"error":{}}', ("skipped",))
    assert await stage.commit(call_leg(0), Changes(skips=(skip,)))


async def _a_report_of_a_child(stage: Stage) -> None:
    started = Changes(legs=(WAIT,), child=creation(a_job(CHILD)))
    assert await stage.commit(call_leg(0), started)
    ended = Changes(ends=True, report=Report(ONE.id, '{"ok":"child"}'))
    assert (await stage.side.store.commit(claim_of(first_leg(CHILD)), ended, SPENT)).applied


async def _forgotten_results(stage: Stage) -> None:
    assert await stage.commit(call_leg(0), Changes(results={ONE.id: '{"ok":1}'}))
    loaded = await stage.side.store.load(JOB_ID)
    assert loaded is not None
    again = Changes(job=replace(loaded.job, run=2), begins_again=True, forgets=(ONE.id,))
    await stage.side.store.record(loaded, "m9", again, NOW_MS)


@pytest.mark.parametrize(
    "write",
    [
        _event_for_its_wait,
        _outcome_before_its_wait,
        _outcome_of_a_wait,
        _time_of_a_wait,
        _a_skipped_step,
        _a_report_of_a_child,
        _forgotten_results,
    ],
)
async def test_what_the_store_itself_writes_is_not_known(
    stage: Stage, write: Callable[[Stage], Awaitable[None]]
) -> None:
    """The next turn is told all."""
    await write(stage)
    assert await stage.untrue() == []
    assert not await stage.is_known()


async def test_of_a_child_that_is_started_again_nothing_is_known(stage: Stage) -> None:
    """Its task is there twice."""
    started = Changes(legs=(WAIT,), child=creation(a_job(CHILD)))
    assert await stage.commit(call_leg(0), started)
    assert (await stage.side.store.begin(claim_of(first_leg(CHILD)))).verdict is Verdict.GRANTED
    assert await stage.commit(call_leg(1), started)
    assert await stage.untrue() == []
