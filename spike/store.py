"""The store client: claims, lets `commit` decide, applies its patch, decides again where it is refused (at most 5 times)."""

import asyncio
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace as dc_replace
from functools import cache
from pathlib import Path
from typing import Any

from upstash_redis.errors import UpstashError

from events.adapters.counting import Commands, cost_of, counting, in_sum
from events.adapters.redis import RedisConnection, _sha1
from events.core.effects import Changes
from events.core.going_on import GoOn
from events.core.legs import FOREVER_MS, Leg, LegKind, given_back_at_ms, kind_of
from events.core.records import load_values
from events.core.state import NOTHING_USED, Level, State, Usage
from events.core.transcript import still_told
from events.errors import StoreError
from events.ports import Begun, Claim, Committed, Created, History, Loaded, Looked, Spent, Undelivered, Verdict, charge
from events.ports.spending import NOTHING
from events.replacing import replace
from spike.codec import begins, decode, load_call, load_item, load_job, load_result
from spike.commit import (
    APART, Done, History as Texts, may_join_others, Next, Planned, Seen, apart_key, commit, create, data_key, jobs_key, name_of, open_key, place_of, root_of,
)
from spike.patch import Patch

_SHEBANG = "#!lua flags=allow-key-locking\n"
_ATTEMPTS = 5
_LIMIT_CHARS = 16_000_000
_USAGE = ("messages", "deliveries", "redis_requests", "redis_commands", "redis_bytes", "function_ms", "mb_ms")


@cache
def _script(name: str) -> str:
    return _SHEBANG + (Path(__file__).parent / f"{name}.lua").read_text()


_HEAD = '["job","live","lap","etag"]'
_ALL, _TURN = "[[2,[]]]", f"[[2,{_HEAD}]]"
_REFUSED = "[[1,[]],[3,[]]]"
_RELEASE = _TURN
_NOTES = os.environ.get("SPIKE_STATS", "")


class _Stats(Counter[str]):
    """What happened rarely goes to a file, a line each."""

    def __setitem__(self, name: str, value: int) -> None:
        super().__setitem__(name, value)
        if _NOTES and name != "applied":
            with open(_NOTES, "a") as file:
                file.write(name + "\n")


stats = _Stats()


def sums_of(spent: Spent) -> tuple[int, ...]:
    """In the order of `_USAGE`."""
    return (spent.messages, spent.deliveries, spent.requests, spent.commands, spent.size_bytes, spent.function_ms, spent.mb_ms)


def _pairs(flat: Any) -> dict[str, str]:
    return flat if isinstance(flat, dict) else dict(zip(flat[::2], flat[1::2], strict=True))


def _weight(value: Any) -> int:
    if value.__class__ is str:
        return len(value) if value.isascii() else len(value.encode())
    if value.__class__ is not list or not value:
        return 0
    try:
        text = "".join(value)
    except TypeError:
        return sum(map(_weight, value))
    return len(text) if text.isascii() else len(text.encode())


@dataclass(slots=True)
class _Ask:
    """A commit that is ready."""

    claim: Claim
    changes: Changes
    spent: Spent
    room: GoOn | None
    answer: "asyncio.Future[Committed]"


class SpikeStore:
    """`Store`, as far as the main loop goes."""

    def __init__(self, connection: RedisConnection, retention_ms: int) -> None:
        self._redis = connection
        self._retention_ms = retention_ms
        self._held: dict[tuple[str, str, str], tuple[Seen, Leg]] = {}
        self._known: dict[str, tuple[Texts, tuple[int, ...]]] = {}
        self._chars = 0
        self._ready: dict[str, list[_Ask]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # The wire.

    async def _run(self, name: str, keys: Sequence[str], texts: Sequence[str], beside: Commands = ()) -> tuple[Any, int]:
        text = _script(name)
        sha, rest = _sha1(text), (len(keys), *keys, *texts)
        known = ("EVALSHA", sha, *rest) if sha in self._redis._loaded else ("EVAL", text, *rest)
        answer, *_ = await self._redis._ask((known, *beside))
        if isinstance(answer, UpstashError) and "NOSCRIPT" in str(answer):
            answer = (await self._redis._ask([("EVAL", text, *rest)]))[0]
        value = self._redis._value(answer)
        self._redis._loaded.add(sha)
        asked = "".join((*keys, *texts))
        answered = _weight(value) if value[-1] else 0
        return value, (len(asked) if asked.isascii() else len(asked.encode())) + answered

    async def _apply(self, patch: Patch, beside: Commands = (), what: str = "refused") -> tuple[list[int], list[Any], int, int]:
        keys, texts = patch.request()
        (written, reads), size_bytes = await self._run("apply", keys, texts, beside)
        stats["applied" if written else what] += 1
        return written, reads, patch.commands(written), size_bytes

    # The port.

    async def create(self, changes: Changes, message_id: str, now_ms: int, spent: Spent = NOTHING) -> Created:
        """Write a new job."""
        job = changes.job
        assert job is not None
        mine = replace(spent, requests=spent.requests + 1, commands=spent.commands + 6)
        written, reads, commands, size_bytes = await self._apply(create(changes, message_id, message_id, sums_of(mine)), what="known")
        charge(requests=not written, commands=commands - 6 * bool(written), size_bytes=size_bytes)
        if not written:
            (static, live), items = reads[0], _pairs(reads[1])
            return Created(new=False, job=load_job(static, live), carried=self._carried(items, job.id, message_id))
        return Created(new=True, job=job, carried=tuple([replace(leg, carrier=message_id) for leg in changes.legs]))

    async def begin(self, claim: Claim) -> Begun:
        """Claim an item; what its work needs comes with the answer."""
        job_id, kind = claim.job_id, kind_of(claim.leg_key)
        apart, name = kind in APART, name_of(claim.leg_key, claim.job_id)
        keys = [apart_key(job_id) if apart else open_key(job_id), data_key(job_id), jobs_key(root_of(job_id), "")]
        known = self._known.get(job_id)
        reads = _TURN
        if kind is LegKind.LOOP and known is None:
            reads = _ALL
        elif claim.call_id:
            reads = f'[[2,["job","live","lap","etag","r:{claim.call_id.removeprefix(job_id)}"]]]'
        until = claim.now_ms if kind is LegKind.WISH else claim.lease_until_ms
        (verdict, item, held, found), size_bytes = await self._run(
            "claim", keys, [place_of(name), begins(name), claim.owner, claim.message_id, str(claim.now_ms), str(until), reads, _REFUSED]
        )
        charge(requests=1, commands=4 if verdict == "granted" else 4, size_bytes=size_bytes)
        if verdict != "granted":
            return self._not_granted(claim, verdict, held, found)
        held = f"{claim.owner} {until} {claim.message_id}"
        leg, _, siblings, usage = load_item(job_id, item, held, claim.now_ms)
        if reads == _ALL:
            seen = self._whole(_pairs(found[0]), item, siblings, held)
        else:
            static, live, lap, etag, *record = found[0]
            if static is None:
                raise StoreError(f"job {job_id} has an item and no data")
            fits = known is not None and etag != "" and known[0].etag == etag
            if kind is LegKind.LOOP and not fits:
                stats["cache misses"] += 1
                values, size_bytes = await self._redis.pipeline(["HGETALL", data_key(job_id)]), 0
                seen = self._whole(_pairs(values[0]), item, siblings, held)
            else:
                history, sums = known if fits and known else (None, None)
                seen = Seen(load_job(static, live), static, live, int(lap), etag, item, siblings, history, sums, held=held)
                if record:
                    return self._granted(claim, leg, seen, load_call(claim.call_id, record[0]), usage)
        return self._granted(claim, leg, seen, None, usage)

    def _granted(self, claim: Claim, leg: Leg, seen: Seen, record: Any, usage: list[int] | None) -> Begun:
        self._held[claim.job_id, leg.key, claim.owner] = seen, leg
        return self._begun(leg, seen, record, usage)

    def _begun(self, leg: Leg, seen: Seen, record: Any, usage: list[int] | None) -> Begun:
        job = seen.job
        history = History()
        if leg.kind is LegKind.LOOP and seen.history is not None and job.model.reads_history:
            texts = seen.history
            entries = texts.entries if job.untold == (0, 0) else still_told(texts.entries, job.untold)
            values = dict(zip(texts.results, load_values(texts.results.values()), strict=True)) if texts.results else {}
            history = History(tuple(load_values(entries)), values, job.untold, texts.chars)
        levels = (Level(job),) if leg.kind is LegKind.LOOP else ()
        used = Usage(**dict(zip(_USAGE, usage, strict=True))) if usage else NOTHING_USED
        return Begun(Verdict.GRANTED, state=State(job, leg, record, levels=levels, usage=used), history=history)

    def _whole(self, data: dict[str, str], item: str, siblings: int, held: str) -> Seen:
        job = load_job(data["job"], data["live"])
        entries = tuple([data[name] for name in sorted(name for name in data if name.startswith("t:"))])
        results = {}
        sums = [0] * len(_USAGE)
        for name, text in data.items():
            if name.startswith("r:"):
                if (result := load_result(text)) is not None:
                    results[job.id + name[2:]] = result
            elif name.startswith("u:"):
                sums = [a + b for a, b in zip(sums, decode(text), strict=True)]
        etag = data["etag"]
        if not etag:
            texts = "\n".join((*(t for pair in sorted(results.items()) for t in pair), "", *entries))
            etag = hashlib.sha1(texts.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()[:20]
        history = Texts(etag, entries, results, sum(map(len, entries)) + sum(map(len, results.values())))
        return Seen(job, data["job"], data["live"], int(data["lap"]), data["etag"], item, siblings, history, tuple(sums), held=held)

    def _not_granted(self, claim: Claim, verdict: str, held: str, found: list[Any]) -> Begun:
        items, jobs = _pairs(found[0]), _pairs(found[1])
        stats[verdict] += 1
        if verdict == "gone" and claim.job_id not in jobs:
            return Begun(Verdict.UNKNOWN)
        carried = tuple([leg for leg in self._carried(items, claim.job_id, claim.message_id) if leg.key != claim.leg_key])
        if verdict == "gone":
            return Begun(Verdict.APPLIED, carried=carried)
        owner, free_at, _ = held.split(" ", 2)
        if int(free_at) >= FOREVER_MS:
            return Begun(Verdict.APPLIED, carried=carried)
        return Begun(Verdict.EARLY if owner == "-" else Verdict.BUSY, int(free_at), carried=carried)

    def _carried(self, items: dict[str, str], job_id: str, message_id: str) -> tuple[Leg, ...]:
        """What a message still guarantees."""
        legs: list[Leg] = []
        for field, text in items.items():
            held = items.get("c" + field[1:], "")
            if field.startswith("i") and held.endswith(" " + message_id):
                legs.append(load_item(job_id, text, held)[0])
        return tuple(leg for leg in sorted(legs, key=lambda leg: leg.key) if leg.not_before_ms < FOREVER_MS)

    async def commit(self, claim: Claim, changes: Changes, spent: Spent, go_on: GoOn | None = None) -> Committed:
        """Let the rule decide, and apply its patch. Results of one job that are ready together are one patch."""
        seen, _ = self._held[claim.job_id, claim.leg_key, claim.owner]
        ask = _Ask(claim, changes, spent, go_on, asyncio.get_running_loop().create_future())
        if seen.siblings == 1 or not may_join_others(changes):
            return await self._alone(ask)
        ready = self._ready.get(claim.job_id)
        if ready is None:
            ready = self._ready[claim.job_id] = []
            ask.answer.get_loop().call_soon(self._flush, claim.job_id)
        ready.append(ask)
        return await ask.answer

    def _flush(self, job_id: str) -> None:
        asks = self._ready.pop(job_id)
        for start in range(0, len(asks), 64):
            task = asyncio.get_running_loop().create_task(self._together(asks[start : start + 64]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _together(self, asks: "list[_Ask]") -> None:
        try:
            answers = await self._commit_all(asks) if len(asks) > 1 else None
            for number, ask in enumerate(asks):
                answer = answers[number] if answers else await self._alone(ask)
                if not ask.answer.done():
                    ask.answer.set_result(answer)
        except Exception as error:  # noqa: BLE001 - it is the askers'
            for ask in asks:
                if not ask.answer.done():
                    ask.answer.set_exception(error)

    def _done(self, asks: "Sequence[_Ask]", guess: int) -> list[Done]:
        done: list[Done] = []
        for ask in asks:
            seen, leg = self._held[ask.claim.job_id, ask.claim.leg_key, ask.claim.owner]
            last, spent = ask is asks[-1], ask.spent
            beside, beside_bytes = cost_of(counting(ask.changes)) if ask.changes.used or ask.changes.counts else (0, 0)
            sums = (
                spent.messages, spent.deliveries, spent.requests + last, spent.commands + beside + last * guess,
                spent.size_bytes + beside_bytes, spent.function_ms, spent.mb_ms,
            )
            done.append(Done(seen, leg, ask.changes, sums))
        return done

    def _plan(self, asks: "Sequence[_Ask]", guess: int) -> Planned:
        claim, room = asks[-1].claim, asks[-1].room
        return commit(
            self._done(asks, guess), room, message_id=claim.message_id, creator=room.owner if room else claim.owner,
            now_ms=claim.now_ms, retention_ms=self._retention_ms,
        )

    async def _commit_all(self, asks: "list[_Ask]") -> list[Committed] | None:
        """Several as one; None: refused, so each is decided alone."""
        planned = self._plan(asks, 7)
        beside = in_sum(counting(ask.changes) for ask in asks)
        written, reads, commands, size_bytes = await self._apply(planned.patch, beside)
        if not written:
            stats["not together"] += 1
            charge(requests=1, commands=commands, size_bytes=size_bytes)
            return None
        charge(commands=commands - 7, size_bytes=size_bytes)
        stats["together"] += 1
        last = self._committed(asks[-1].claim, planned, written, reads, ends=False)
        for ask in asks:
            del self._held[ask.claim.job_id, ask.claim.leg_key, ask.claim.owner]
        return [*(Committed(applied=True) for _ in asks[:-1]), last]

    async def _alone(self, ask: "_Ask") -> Committed:
        """One; a refused one is decided again where its item is still there."""
        claim, changes = ask.claim, ask.changes
        name = (claim.job_id, claim.leg_key, claim.owner)
        beside = counting(changes)
        for _ in range(_ATTEMPTS):
            seen, leg = self._held[name]
            planned = self._plan([ask], 5)
            written, reads, commands, size_bytes = await self._apply(planned.patch, beside)
            if written:
                charge(commands=commands - 5, size_bytes=size_bytes)
                del self._held[name]
                return self._committed(claim, planned, written, reads, ends=changes.ends or leg.kind in APART)
            charge(requests=1, commands=commands, size_bytes=size_bytes)
            items = _pairs(reads[0])
            if items.get(f"i{place_of(name_of(claim.leg_key, claim.job_id))}") != seen.item:
                del self._held[name]
                stats["overtaken"] += 1
                return Committed(applied=False, carried=self._carried(items, claim.job_id, claim.message_id))
            stats["decided again"] += 1
        raise StoreError(f"job {claim.job_id} changes faster than it can be written")

    def _committed(
        self, claim: Claim, planned: Planned, written: list[int], reads: list[Any], *, ends: bool
    ) -> Committed:
        job_id, joined = claim.job_id, len(written) > len(planned.patch.further)
        carried: list[Leg] = []
        claimed: list[Begun] = []
        self._keep(job_id, None if ends else planned)
        for each in planned.following:
            if each.joins and not joined:
                continue
            if not each.mine:
                carried.append(each.leg)
                continue
            seen = self._next(planned, each)
            if each.joins and reads:
                seen = self._whole(_pairs(reads[0]), each.text, each.siblings, each.held)
            usage = list(planned.sums) if each.leg.kind is LegKind.WISH and planned.sums else None
            self._held[job_id, each.leg.key, each.leg.owner] = seen, each.leg
            claimed.append(self._begun(each.leg, seen, each.record, usage))
        return Committed(applied=True, carried=tuple(carried), claimed=tuple(claimed))

    def _next(self, planned: Planned, each: Next) -> Seen:
        history, sums = planned.history, planned.sums
        return Seen(
            planned.job, planned.static, planned.live, planned.lap, planned.etag, each.text, each.siblings, history, sums,
            held=each.held,
        )

    def _keep(self, job_id: str, planned: Planned | None) -> None:
        before = self._known.pop(job_id, None)
        if before:
            self._chars -= before[0].chars
        if planned and planned.history is not None and planned.sums is not None and planned.etag:
            self._known[job_id] = (planned.history, planned.sums)
            self._chars += planned.history.chars
            while self._chars > _LIMIT_CHARS:
                self._chars -= self._known.pop(next(iter(self._known)))[0].chars

    async def renew(self, claims: Sequence[Claim], lease_until_ms: int) -> Sequence[str]:
        """Prolong claims: one block for each, none of which must hold."""
        patch, seens = Patch(), []
        from spike.patch import Block  # noqa: PLC0415

        for claim in claims:
            seen, leg = self._held.get((claim.job_id, claim.leg_key, claim.owner), (None, None))
            if seen is None:
                continue
            name, relay = name_of(claim.leg_key, claim.job_id), seen.held.split(" ", 2)[2]
            home = apart_key(claim.job_id) if kind_of(claim.leg_key) in APART else open_key(claim.job_id)
            block, held = Block(), f"{claim.owner} {lease_until_ms} {relay}"
            block.equal(home, {f"c{place_of(name)}": seen.held})
            block.write("HSET", home, (f"c{place_of(name)}", held))
            patch.further.append(block)
            seens.append((claim, (seen, leg), held))
        if not seens:
            return [claim.leg_key for claim in claims]
        written, _, commands, size_bytes = await self._apply(patch)
        charge(requests=1, commands=commands, size_bytes=size_bytes)
        for number, (claim, (seen, leg), held) in enumerate(seens, 2):
            if number in written:
                self._held[claim.job_id, claim.leg_key, claim.owner] = dc_replace(seen, held=held), leg
        return [claim.leg_key for number, (claim, _, _) in enumerate(seens, 2) if number not in written]

    async def give_back(self, claim: Claim, now_ms: int, *, begun: bool) -> None:  # noqa: ARG002
        """End a claim that its owner still holds."""
        seen, _ = self._held.pop((claim.job_id, claim.leg_key, claim.owner), (None, None))
        if seen is None:
            return
        patch, name, relay = Patch(), name_of(claim.leg_key, claim.job_id), seen.held.split(" ", 2)[2]
        patch.first.equal(open_key(claim.job_id), {f"c{place_of(name)}": seen.held})
        patch.first.write("HSET", open_key(claim.job_id), (f"c{place_of(name)}", f"- {max(0, given_back_at_ms(now_ms))} {relay}"))
        _, _, commands, size_bytes = await self._apply(patch)
        charge(requests=1, commands=commands, size_bytes=size_bytes)

    async def load(self, job_id: str) -> Loaded | None:
        """A job."""
        (texts,) = await self._redis.pipeline(["HMGET", data_key(job_id), "job", "live"])
        return Loaded(load_job(*texts), texts[1]) if texts[0] else None

    async def look_all(self, *_: Any, **__: Any) -> dict[str, Looked]:
        """Not in the spike."""
        return {}

    async def look(self, root_id: str, message_id: str, now_ms: int, *_: Any, **__: Any) -> Looked:
        """What is open in a tree of one job, decided here: of these jobs nothing is lost."""
        items, apart, data = await self._redis.pipeline(
            ["HGETALL", open_key(root_id)], ["HGETALL", apart_key(root_id)], ["HMGET", data_key(root_id), "job", "live"]
        )
        if not data[0]:
            return Looked(known=False)
        lost = [leg for leg in self._carried({**_pairs(items), **_pairs(apart)}, root_id, message_id)
                if now_ms - max(leg.lease_until_ms, leg.not_before_ms) > 60_000]
        job = load_job(*data)
        return Looked(True, tuple(lost), job.session_id, (root_id,) if job.ended and not items and not apart else ())

    async def undelivered(self, claim: Claim, source_message_id: str, *, throttled: bool = False) -> Undelivered:  # noqa: ARG002
        """What an undelivered message leaves; read only: the spike keeps no budget of failures."""
        job_id, name = claim.job_id, name_of(claim.leg_key, claim.job_id)
        call = "r:" + claim.call_id.removeprefix(job_id)
        items, data = await self._redis.pipeline(
            ["HGETALL", open_key(job_id)], ["HMGET", data_key(job_id), "job", "live", call]
        )
        if not data[0]:
            return Undelivered(None)
        job, items = load_job(data[0], data[1]), _pairs(items)
        text, held = items.get(f"i{place_of(name)}", ""), items.get(f"c{place_of(name)}", "")
        carried = [leg for of in {source_message_id, claim.message_id} for leg in self._carried(items, job_id, of)]
        if not text.startswith(begins(name)):
            return Undelivered(None, tuple(carried), job.session_id)
        leg = load_item(job_id, text, held)[0]
        state = State(job, leg, load_call(claim.call_id, data[2]) if claim.call_id else None)
        return Undelivered(state, tuple(each for each in carried if each.key != leg.key), job.session_id)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise NotImplementedError(f"{name} is not in the spike")

