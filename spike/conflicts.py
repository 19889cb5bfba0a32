"""Conflicts on the real server: every result of a fan-out is claimed by a process of its own, and all commit at once.

`python -m spike.conflicts`: also a second process that takes over a lease, a repeated commit, a late claim.
"""

import asyncio
import json
import tempfile
from pathlib import Path

from events.adapters.redis import RedisConnection
from events.core.decide import decide, submit
from events.core.going_on import GoOn
from events.core.happenings import ModelAnswered, Started, Submitted, ToolReturned, Wanted
from events.core.legs import LegKind
from events.core.limits import Limits
from events.core.state import Job
from events.ports import Claim, Spent
from events.settings import Settings
from functions.policy import LEASE_MS
from spike.store import SpikeStore, stats
from tests.contract.store.redis_process import TOKEN, RedisProcess

NOW = 1_000_000


def claim(leg, owner: str, message: str = "m1", now: int = NOW) -> Claim:
    return Claim(job_id=leg.job_id, leg_key=leg.key, message_id=message, owner=owner, now_ms=now, lease_until_ms=now + LEASE_MS, call_id=leg.call_id)


def new(url: str) -> SpikeStore:
    return SpikeStore(RedisConnection(Settings(redis_url=url, redis_token=TOKEN, worker_base_url="https://x", qstash_token="t")), 60_000)


async def fan(url: str, size: int, number: int, *, together: bool) -> dict[str, int]:
    job = Job(id=f"job_{size}x{number}x{int(together)}", session_id="s", tenant="t", agent="a", created_at_ms=NOW, limits=Limits(tool_calls=10_000))
    stores = [new(url) for _ in range(1 if together else min(size, 16))]
    store = stores[0]
    changes = submit(Submitted(job, {"text": "x"}, slot=True), NOW).changes
    created = await store.create(changes, "m0", NOW)
    assert created.new
    assert not (await store.create(changes, "m0", NOW)).new
    first = changes.legs[0]
    begun = await store.begin(claim(first, "o1"))
    wanted = tuple(Wanted("lookup", {"n": n}) for n in range(size))
    answered = ModelAnswered(text="", wanted=wanted, input_tokens=5, output_tokens=5)
    decided = decide(begun.state, answered, NOW)
    done = await store.commit(claim(first, "o1"), decided.changes, Spent())
    assert done.applied and len(done.carried) == size, done
    before = dict(stats)
    held = []
    for n, leg in enumerate(done.carried):
        who = stores[n % len(stores)]
        begun = await who.begin(claim(leg, f"p{n}"))
        assert begun.state is not None, begun
        result = decide(begun.state, ToolReturned('"found"'), NOW, at_once=True)
        held.append((who, leg, f"p{n}", result.changes))
    answers = await asyncio.gather(*(who.commit(claim(leg, owner), changes, Spent()) for who, leg, owner, changes in held))
    joined = [leg for answer in answers for leg in answer.carried]
    assert all(answer.applied for answer in answers)
    assert [leg.key for leg in joined] == [f"loop:{job.id}:2:1"], joined
    turn = await stores[-1].begin(claim(joined[0], "q"))
    assert turn.state is not None and len(turn.history.results) == size, turn
    late = await stores[0].begin(claim(done.carried[0], "late"))
    assert late.state is None and late.verdict == "applied", late
    for each in stores:
        await each._redis.close()
    return {name: stats[name] - before.get(name, 0) for name in ("applied", "refused", "decided again", "together", "not together")}


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        process = RedisProcess(Path(folder) / "redis")
        try:
            for together in (False, True):
                for size in (2, 10, 64, 500):
                    runs = [await fan(process.url, size, number, together=together) for number in range(3 if size > 64 else 10)]
                    print(json.dumps({"fan": size, "one process": together, "runs": len(runs),
                                      **{name: sum(run[name] for run in runs) for name in runs[0]}}), flush=True)
            await zombie(process.url)
        finally:
            process.stop()


async def zombie(url: str) -> None:
    """A lease is over, another process does the step; the first comes late, and is told what its message still guarantees."""
    one, two = new(url), new(url)
    job = Job(id="job_z", session_id="s", tenant="t", agent="a", created_at_ms=NOW, limits=Limits(tool_calls=10_000))
    changes = submit(Submitted(job, {"text": "x"}, slot=True), NOW).changes
    await one.create(changes, "m0", NOW)
    first = changes.legs[0]
    slow = await one.begin(claim(first, "slow", "m1"))
    busy = await two.begin(claim(first, "quick", "m2"))
    assert busy.verdict == "busy" and busy.free_at_ms == NOW + LEASE_MS, busy
    later = NOW + LEASE_MS + 1
    quick = await two.begin(claim(first, "quick", "m2", later))
    decided = decide(quick.state, ModelAnswered(text="", wanted=(Wanted("lookup", {"n": 1}),)), later)
    room = GoOn("quick.1", {LegKind.CALL: LEASE_MS}, 4)
    done = await two.commit(claim(first, "quick", "m2", later), decided.changes, Spent(), room)
    assert done.applied and len(done.claimed) == 1
    other = decide(slow.state, ModelAnswered(text="", wanted=(Wanted("lookup", {"n": 2}),)), later)
    lost = await one.commit(claim(first, "slow", "m1", later), other.changes, Spent(), GoOn("slow.1", {LegKind.CALL: LEASE_MS}, 4))
    assert not lost.applied and not lost.claimed and not lost.carried, lost
    # The message that guarantees what follows comes again: it must bring that on.
    again = await one.begin(claim(first, "copy", "m2", later))
    assert again.verdict == "applied" and [leg.kind for leg in again.carried] == ["call"], again
    print("zombie: refused and told nothing that is another message's; a copy of the message brings on what it guarantees")
    for each in (one, two):
        await each._redis.close()


asyncio.run(main())
