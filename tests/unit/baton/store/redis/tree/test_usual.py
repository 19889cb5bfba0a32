"""A usual step is as any other way of it would be; what is not usual is made the other way."""

import asyncio
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from baton.engine.commit.answers import Signal
from baton.engine.decide import decide
from baton.engine.effects import Changes
from baton.engine.outbox import Continuation
from baton.engine.state import Job, State
from baton.engine.step_results import ExtraUsage, ModelAnswered, StepResult, ToolFailed, ToolReturned
from baton.sdk.records.transcript import Failure, ModelPolicy, Wanted
from baton.store.transport.meter import Meter, charge, metered
from baton_events.errors import StoreError
from tests.contract.store.operations import ITEMS, changes, rooms
from tests.contract.store.sample import JOB_ID, NOW_MS, a_job, claim_of, creation, first_item, leases_of
from tests.contract.store.usual_twin import TwinTransactions
from tests.fakes.clock import FakeClock
from tests.fakes.stored import FakeConnection, FakeRedis, FakeStore

CALL = Wanted("tool_a", {"q": "é漢", "n": [1, None]})
SUMMARY = {"role": "summary", "text": "s"}
ASKED, RETURNED = ModelAnswered("thinks", (CALL,), 7, 5, 0.25), ToolReturned('{"a":1}')


def watched(redis: FakeRedis) -> tuple[FakeStore, TwinTransactions]:
    store = FakeStore(redis)
    twins = store._transactions = TwinTransactions(store._transactions)
    return store, twins


class Bad(FakeConnection):
    """A connection that never answers while it `hangs`, or whose answer is lost while it `loses` that."""

    hangs = loses = False

    async def apply(self, *request: Any, **beside: Any) -> Any:
        """Compare, then write, unless it hangs."""
        await asyncio.sleep(3600 if self.hangs else 0)
        answer = await super().apply(*request, **beside)
        if self.loses:
            raise StoreError("no answer")
        return answer


class Chain:
    """An invocation that goes on with what follows: one step after the other, each decided on by the engine."""

    def __init__(self, store: FakeStore, twins: TwinTransactions) -> None:
        self.store, self.twins, self.number = store, twins, 0
        self.claim = claim_of(first_item())
        self.state: State | None = None

    async def begin(self, job: Job) -> None:
        await self.store.create(creation(job), "m0", NOW_MS)
        self.state = (await self.store.claim(self.claim)).state

    async def step(self, result: StepResult, **room: Any) -> bool:
        assert self.state is not None
        now_ms, before = self.claim.now_ms + 10, self.twins.usual
        decision = decide(self.state, result, now_ms, at_once=True)
        self.number += 1
        continuation = replace(Continuation(f"o1.{self.number}", leases_of(), 9), **room)
        claim, change = replace(self.claim, now_ms=now_ms), decision.changes or Changes()
        committed = await self.store.commit(claim, change, continuation)
        if committed.claimed:
            self.state = committed.claimed[0].state
            assert self.state is not None
            item = self.state.item
            self.claim = replace(self.claim, item_key=item.key, call_id=item.call_id, owner=item.owner, now_ms=now_ms)
        return self.twins.usual > before


async def begun(job: Job | None = None) -> Chain:
    chain = Chain(*watched(FakeRedis()))
    await chain.begin(job or a_job())
    return chain


@pytest.mark.parametrize("reads_history", [True, False])
@pytest.mark.parametrize("is_metered", [True, False])
@pytest.mark.parametrize(
    ("asked", "returned"),
    [
        (ASKED, RETURNED),
        (ModelAnswered("", (CALL,)), ToolReturned("null")),
        (replace(ASKED, cached=True, provider={"id": "é"}), ToolReturned('"é"', kept_json='{"own":"é"}')),
        (replace(ASKED, extra_usage=ExtraUsage((SUMMARY,), 1)), ToolReturned(f'"{"x" * 99_999}"')),
    ],
    ids=["plain", "bare", "cached", "large"],
)
async def test_a_turn_and_its_call_are_usual_steps(
    asked: ModelAnswered, returned: ToolReturned, *, is_metered: bool, reads_history: bool
) -> None:
    chain = await begun(a_job(reads_history=reads_history))
    with metered(Meter(FakeClock(), memory_mb=1)) if is_metered else nullcontext():
        for _ in range(3):
            charge(messages=1, requests=2, size_bytes=10**6)
            assert await chain.step(asked)
            assert await chain.step(returned)
    assert await chain.step(ModelAnswered("", (replace(CALL, fault=Failure("unknown_tool", "none")),)))
    tree = chain.store.tree(JOB_ID)
    assert chain.state is not None
    assert tree.items == {chain.state.item.key: chain.state.item}
    assert len(tree.transcript[JOB_ID]) == tree.usage[JOB_ID].entries


@pytest.mark.parametrize(
    ("job", "result", "room"),
    [
        (replace(a_job(), isolated=True), ASKED, {}),
        (replace(a_job(), model=ModelPolicy(runs_code=True)), ASKED, {}),
        (a_job(), ModelAnswered("done"), {}),
        (a_job(), replace(ASKED, wanted=(CALL, CALL)), {}),
        (a_job(), replace(ASKED, wanted=(replace(CALL, step="s1", number=1),)), {}),
        (a_job(), replace(ASKED, wanted=(replace(CALL, isolated=True),)), {}),
        (a_job(), ASKED, {"at_most": 0}),
        (a_job(), ASKED, {"leases_ms": {}}),
    ],
    ids=["isolated", "code", "an end", "two calls", "a plan's step", "a call apart", "no room", "other kinds"],
)
async def test_a_turn_of_another_kind_is_made_the_other_way(job: Job, result: StepResult, room: dict[str, Any]) -> None:
    chain = await begun(job)
    assert not await chain.step(result, **room)


@pytest.mark.parametrize("result", [ToolFailed(Failure("down", "no", True)), replace(RETURNED, until_ms=NOW_MS * 2)])
async def test_a_call_that_ends_otherwise_is_made_the_other_way(result: StepResult) -> None:
    chain = await begun()
    assert await chain.step(replace(ASKED, wanted=(replace(CALL, retries=1),)))
    assert not await chain.step(result)


async def test_a_step_that_others_dispatch_is_made_the_other_way() -> None:
    chain = await begun()
    assert chain.state is not None
    turn = decide(chain.state, ASKED, NOW_MS).changes
    assert turn is not None
    assert not await chain.step(ASKED, but=frozenset({turn.items[0].key}))


async def test_a_message_to_the_job_is_no_part_of_a_usual_step() -> None:
    chain = await begun()
    assert await chain.step(ASKED)
    message = Signal("s1", "", message='{"role":"user","v":1,"text":"stop","messageId":"s1"}')
    await chain.store.signal(JOB_ID, "m9", message, NOW_MS + 15)
    assert not await chain.step(RETURNED)
    assert '"stop"' in chain.store.tree(JOB_ID).transcript[JOB_ID][-1]


async def test_a_step_that_is_refused_is_made_anew_and_pays_once() -> None:
    """Another process has prolonged the claim meanwhile."""
    chain = await begun()
    other = FakeStore(chain.store.redis)
    assert await chain.step(ASKED)
    assert not await other.renew([chain.claim], NOW_MS + 10**9)
    before = chain.store.tree(JOB_ID).usage[JOB_ID]
    with metered(Meter(FakeClock(), memory_mb=1)):
        charge(messages=7)
        assert await chain.step(RETURNED)  # and then the other way
    tree = chain.store.tree(JOB_ID)
    used = tree.usage[JOB_ID]
    assert (used.messages - before.messages, used.redis_requests - before.redis_requests) == (7, 3)
    assert [item.turn for item in tree.items.values()] == [2]
    assert await chain.step(ASKED)


async def test_a_step_whose_request_is_broken_off_leaves_nothing_known_that_is_not_there() -> None:
    chain = await begun()
    assert await chain.step(ASKED)
    connection = chain.twins._redis = Bad(chain.store.redis)
    connection.hangs = True
    step = asyncio.create_task(chain.step(RETURNED))
    await asyncio.sleep(0)
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    connection.hangs = False
    assert [item.attempt for item in chain.store.tree(JOB_ID).items.values()] == [1]
    assert await chain.step(RETURNED)
    assert [item.turn for item in chain.store.tree(JOB_ID).items.values()] == [2]


async def test_a_step_whose_answer_is_lost_is_there_once_and_its_invocation_goes_on() -> None:
    """The COMMIT comes again, and is given what it has claimed; the model is told the result once."""
    chain = await begun()
    connection = chain.twins._redis = Bad(chain.store.redis)
    for result in (ASKED, RETURNED):
        connection.loses = True
        with pytest.raises(StoreError):
            await chain.step(result)
        connection.loses, chain.number = False, chain.number - 1
        assert not await chain.step(result)
    tree = chain.store.tree(JOB_ID)
    assert [(item.turn, item.attempt) for item in tree.items.values()] == [(2, 1)]
    assert tree.usage[JOB_ID].entries == len(tree.transcript[JOB_ID]) == 2
    assert await chain.step(ASKED)
    assert await chain.step(RETURNED)


@given(st.data())
def test_whatever_is_committed_a_usual_step_is_as_any_other(data: st.DataObject) -> None:
    """One drawn COMMIT after another by who holds the job's work item; the twin is compared at each usual one."""

    async def run() -> None:
        store, _ = watched(FakeRedis())
        await store.create(creation(a_job(reads_history=data.draw(st.booleans()))), "m0", NOW_MS)
        for number in range(3):
            items = list(store.tree(JOB_ID).items.values())
            if not items:
                return
            claim = claim_of(data.draw(st.sampled_from(items)), after_ms=number)
            granted = await store.claim(replace(claim, message_id=items[0].relay_id or "m1"))
            owner = granted.state.item.owner if granted.state else claim.owner
            change, room = data.draw(changes(JOB_ID, claim.item_key)), data.draw(rooms(claim, ITEMS[JOB_ID]))
            await store.commit(replace(claim, owner=owner), change, room)

    asyncio.run(run())


async def test_a_result_that_was_overtaken_is_no_part_of_what_is_known() -> None:
    """Another process has recorded another result of the same call; the next turn's model is told that one."""
    chain = await begun()
    assert await chain.step(ASKED)
    assert await chain.step(RETURNED)
    assert await chain.step(ASKED)
    redis, late_ms = chain.store.redis, NOW_MS + 10**6
    other = Chain(*watched(redis))
    other.claim = replace(chain.claim, owner="o2", now_ms=late_ms, lease_until_ms=late_ms + 10**6)
    other.state = (await other.store.claim(other.claim)).state
    await other.step(ToolReturned('{"a":2}'), at_most=0)
    await chain.step(RETURNED)
    [turn] = chain.store.tree(JOB_ID).items.values()
    claim = replace(chain.claim, item_key=turn.key, call_id="", owner="o3", now_ms=late_ms + 1000)
    claim = replace(claim, lease_until_ms=late_ms + 10**6)
    found = [(await store.claim(claim)).history for store in (chain.store, FakeStore(redis))]
    assert found[0] == found[1]
    assert [result["ok"] for result in found[0].results.values()] == [{"a": 1}, {"a": 2}]
