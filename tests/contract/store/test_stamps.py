"""What a stamp promises, whatever the order of requests: who compares one knows all writes that it stands for.

Each world has processes that read, append blindly, and compare and write; the network sends requests again; the
store loses its newest writes. A second script keeps four names instead of 10 or 25, so that names are often cut off. A
process that knows how a job's history began is sent the rest, and where it began otherwise, all of it.
"""

from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from baton.engine.commit import patch as patches
from baton.engine.commit.answers import History, Verdict
from baton.engine.commit.patch import STAMP, Patch, Stamps, appended, compared, known_end
from baton.engine.effects import Changes
from baton.engine.transitions import JobStatus
from baton.engine.work_items import WorkItem
from baton.sdk.records.transcript import ModelPolicy
from baton.store.redis import keys
from baton.store.redis.connection import RedisConnection
from baton.store.redis.store import Store
from tests.contract.store.redis_process import Counted, RedisProcess
from tests.contract.store.sample import (
    JOB_ID,
    NOW_MS,
    a_job,
    call_item,
    claim_of,
    creation,
    first_item,
    next_turn,
    record_of,
)
from tests.contract.store.side import RETENTION_MS, several, side_over
from tests.contract.store.test_archive import recalled_of
from tests.simulation.kept import Kept

_KEY, _LENGTHS = "tree", ("-160", "-400")
_Names = tuple[str, ...]
_Step = tuple[Literal["reads", "appends", "compares", "again", "forgets"], int]
_STEPS = st.sampled_from(("reads", "appends", "appends", "appends", "compares", "again", "forgets"))


class _Few(Kept):
    """Keeps four names."""

    def copy(self) -> "_Few":
        return _Few(self.values, self.expiring)

    def script(self) -> str:
        text = super().script()
        for each in _LENGTHS:
            assert text.count(each) == 1
            text = text.replace(each, "-64")
        return text


class _Process:
    """The names of all writes as this process knows them, and its stamp for them."""

    def __init__(self, number: int) -> None:
        self.stamps, self.known, self.stamp = Stamps(lambda: f"process-{number:03}"), _Names(), ""


class _Request(Struct, frozen=True):
    """A request as it may come again; `known`: the writes before it, where it compares them."""

    name: str
    patch: Patch
    known: _Names | None


class _Store:
    def __init__(self, kept: Kept) -> None:
        self.kept, self.written, self.versions = kept, _Names(), list[tuple[Kept, _Names]]()
        self.kept.values[_KEY] = {"one": "1", STAMP: compared("first")}

    @property
    def stamp(self) -> str:
        return self.kept.hash(_KEY)[STAMP]

    def takes(self, request: _Request) -> bool:
        """Whether it is written; nothing is that was decided on other writes."""
        self.versions.append((self.kept.copy(), self.written))
        if not self.kept.apply(*request.patch.request())[1]:
            return False
        assert request.known in (None, self.written)
        self.written = (*self.written, request.name)
        assert request.name in self.stamp
        return True


def _request(process: _Process, *, compares: bool) -> _Request:
    patch, name = Patch(1000), process.stamps.next()
    if compares:
        patch.ends(_KEY, STAMP, known_end(process.stamp))
    else:
        patch.equal(_KEY, {"one": "1"}, [STAMP])
    patch.write("HSET", _KEY, [STAMP, (compared if compares else appended)(name)], [(STAMP, 1)])
    patch.size_bytes()
    return _Request(name, patch, process.known if compares else None)


def _run(store: _Store, steps: Sequence[_Step]) -> None:
    processes, sent = [_Process(number) for number in range(3)], list[_Request]()
    for process in processes:
        process.stamp = store.stamp
    for kind, which in steps:
        process = processes[which % 3]
        if kind == "reads":
            process.known, process.stamp = store.written, store.stamp
        elif kind in ("appends", "compares"):
            sent.append(_request(process, compares=kind == "compares"))
            if store.takes(sent[-1]):
                process.known += (sent[-1].name,)
                process.stamp = known_end(process.stamp) + (compared if kind == "compares" else appended)(sent[-1].name)
            elif kind == "compares":  # after a read it holds
                process.known, process.stamp = store.written, store.stamp
                assert store.takes(_request(process, compares=True))
                process.known, process.stamp = store.written, store.stamp
        elif kind == "again" and sent:
            store.takes(sent[which % len(sent)])
        elif kind == "forgets" and store.versions:
            store.kept, store.written = store.versions[-1 - which % min(len(store.versions), 4)]
            store.kept = store.kept.copy()


_steps = st.lists(st.tuples(_STEPS, st.integers(0, 40)), max_size=80)


@given(_steps)
def test_who_compares_a_stamp_knows_all_writes(steps: list[_Step]) -> None:
    _run(_Store(Kept()), steps)


@given(_steps)
def test_who_compares_a_stamp_of_few_names_knows_all_writes(steps: list[_Step]) -> None:
    """Without requests that come again: four of them could repeat what the stamp has."""
    _run(_Store(_Few()), [step for step in steps if step[0] not in ("again", "forgets")])


_WHOLE: _Step = ("compares", 0)


@pytest.mark.parametrize(
    ("name", "defect", "steps"),
    [
        ("appended", compared, [("appends", 1), ("appends", 0), _WHOLE]),
        ("known_end", lambda stamp: stamp[-64:], [("appends", 1), *4 * [("appends", 0)], _WHOLE]),
    ],
    ids=["a blind write is taken for one that has compared", "a process forgets names that it has appended"],
)
def test_it_finds_these_defects(monkeypatch: pytest.MonkeyPatch, name: str, defect: object, steps: list[_Step]) -> None:
    assert hasattr(patches, name)
    _run(_Store(_Few()), steps)
    monkeypatch.setitem(globals(), name, defect)
    with pytest.raises(AssertionError):
        _run(_Store(_Few()), steps)


pytestmark = pytest.mark.bridge

LONG = 20_000 * "x"
KEYS = (keys.state_key(JOB_ID), keys.calls_key(JOB_ID))


def entry(text: str, *items: WorkItem) -> str:
    calls = ",".join(f'{{"id":"{item.call_id}"}}' for item in items)
    return f'{{"role":"model","text":"{text}","calls":[{calls}]}}'


async def turn(store: Store, item: WorkItem, text: str, *calls: WorkItem) -> None:
    """A turn that says this, and asks for these calls; without any the next turn follows."""
    changes = Changes(
        items=calls or (next_turn().item,), calls=tuple(map(record_of, calls)), transcript=(entry(text, *calls),)
    )
    assert (await store.claim(claim_of(item))).verdict is Verdict.GRANTED
    assert (await store.commit(claim_of(item), changes)).applied


async def ended(store: Store, item: WorkItem, result: str, run: int = 1) -> None:
    claim = replace(claim_of(item, "m2"), run=run)
    await store.claim(claim)
    assert (
        await store.commit(claim, Changes(results={item.call_id: result}, join=next_turn(), admitted=run > 1))
    ).applied


async def read(store: Store) -> History:
    return (await store.claim(claim_of(next_turn().item, "m3"))).history


async def test_the_rest_is_what_others_have_added(redis_process: RedisProcess) -> None:
    """Entries and results, and nothing of what was known."""
    call = call_item(0)
    async with several(redis_process, 2, RedisConnection) as connections:
        one, two = (Store(each, RETENTION_MS) for each in connections)
        await one.create(creation(a_job()), "m1", NOW_MS)
        await turn(one, first_item(), LONG, call)
        await ended(two, call, '{"ok":1}')
        before = redis_process.counted()
        history = await read(one)
        spent: Counted = redis_process.counted().since(before)
    assert [each.get("text", "")[:9] for each in history.transcript] == ["do it", LONG[:9]]
    assert history.results == {call.call_id: {"ok": 1}}
    assert spent.size_bytes < len(LONG) / 4


async def test_a_history_that_a_failover_took_back_is_no_beginning(redis_process: RedisProcess) -> None:
    """As many entries and the same call: only its name tells that another one was written in its place."""
    call = call_item(0)
    async with several(redis_process, 3, RedisConnection) as connections:
        one, two, three = (Store(each, RETENTION_MS) for each in connections)
        await one.create(creation(a_job()), "m1", NOW_MS)
        for key in KEYS:
            redis_process.request("COPY", key, f"{key}:before")
        await turn(one, first_item(), "forgotten", call)
        await ended(one, call, '{"ok":"forgotten"}')
        for key in KEYS:
            redis_process.request("COPY", f"{key}:before", key, "REPLACE")
        await turn(two, first_item(), "decided again", call)
        await ended(two, call, '{"ok":2}')
        history, alone = await read(one), await read(three)
    assert [each["text"] for each in history.transcript] == ["do it", "decided again"]
    assert (history.results, alone.results) == ({call.call_id: {"ok": 2}}, {call.call_id: {"ok": 2}})


async def test_a_history_whose_result_was_forgotten_is_no_beginning(redis_process: RedisProcess) -> None:
    """The call runs again after a retry, and returns something else."""
    call = call_item(0)
    async with several(redis_process, 3, RedisConnection) as connections:
        side = side_over(connections[0])
        two, three = (Store(each, RETENTION_MS) for each in connections[1:])
        await side.store.create(creation(a_job()), "m1", NOW_MS)
        await turn(side.store, first_item(), "asks", call)
        await ended(three, call, '{"ok":1}')
        assert (await read(two)).results == {call.call_id: {"ok": 1}}
        failed = Changes(job=replace(a_job(), status=JobStatus.FAILED), ends=True)
        assert (await side.store.commit(claim_of(next_turn().item, "m3"), failed)).applied
        calls, again = (call_item(0), call_item(1)), replace(a_job(), run=2)
        begins = Changes(
            job=again, items=calls, calls=tuple(map(record_of, calls)), forgets=(call.call_id,), begins_again=True
        )
        await side.store.record((await recalled_of(side)).loaded, "m4", begins, NOW_MS)
        await ended(side.store, call, '{"ok":2}', run=2)
        await ended(side.store, calls[1], '{"ok":3}', run=2)
        history = (await two.claim(replace(claim_of(next_turn().item, "m3"), run=2))).history
    assert history.results[call.call_id] == {"ok": 2}


async def test_a_result_that_came_apart_and_that_a_failover_took_back_is_read_again(
    redis_process: RedisProcess,
) -> None:
    """Who read it in the midst of its turn, as a call's own claim, knows no name that tells of it."""
    calls = [call_item(position) for position in range(4)]
    reads = replace(a_job(), model=ModelPolicy(calls_read_history=True))
    async with several(redis_process, 3, RedisConnection) as connections:
        one, two, three = (Store(each, RETENTION_MS) for each in connections)
        await three.create(creation(reads), "m1", NOW_MS)
        await turn(three, first_item(), "asks", *calls)
        for call in calls[:2]:
            assert (await two.claim(claim_of(call, "m2"))).verdict is Verdict.GRANTED
        assert (await three.claim(claim_of(calls[3], "m3"))).verdict is Verdict.GRANTED
        for key in KEYS:
            redis_process.request("COPY", key, f"{key}:before")
        ends = Changes(results={calls[0].call_id: '{"ok":"forgotten"}'}, join=next_turn())
        assert (await two.commit(claim_of(calls[0], "m2"), ends)).applied
        assert (await one.claim(claim_of(calls[2], "m4"))).history.results == {calls[0].call_id: {"ok": "forgotten"}}
        for key in KEYS:
            redis_process.request("COPY", f"{key}:before", key, "REPLACE")
        for call in calls:
            await ended(two, call, '{"ok":2}')
        history = await read(one)
    assert history.results == {call.call_id: {"ok": 2} for call in calls}
