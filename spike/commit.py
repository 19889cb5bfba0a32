"""The one rule: what a decision writes, under which conditions. Pure: no store, no clock, no script.

`Seen`: what the claim has shown (or the commit before, of the same invocation). The words of the domain end here: what
leaves this module is keys, fields and texts.
"""

import hashlib
from functools import lru_cache
from operator import add
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from events.core.effects import Changes
from events.core.going_on import GoOn, may_go_on
from events.core.legs import Leg, LegKind, wish_leg
from events.core.state import CallRecord, Job
from events.ids import is_child, root_of
from events.replacing import replace
from spike.codec import decode, dump_call, dump_item, dump_live, dump_static
from spike.patch import Block, Patch

TAG_CHARS = 20
APART = (LegKind.WISH, LegKind.REMEMBER)  # they outlive the end, and hold up no join
EVENT_END = '},"transient":true,"type":"data-event"}'
USED = ("messages", "deliveries", "redisRequests", "redisCommands", "redisBytes", "functionMs", "mbMs")
Sums = tuple[int, ...]


@lru_cache(1024)
def open_key(job_id: str) -> str:
    """Hash: open items, two fields each."""
    return f"baton:{{{root_of(job_id)}}}:open:{job_id}"


@lru_cache(1024)
def apart_key(job_id: str) -> str:
    """Hash: items that outlive the job's end: slot releases, memory."""
    return f"baton:{{{root_of(job_id)}}}:apart:{job_id}"


def jobs_key(root_id: str, parent: str) -> str:
    """Hash: status and generation of each child; '' has the root's own."""
    return f"baton:{{{root_id}}}:jobs:{parent}"


@lru_cache(1024)
def data_key(job_id: str) -> str:
    """Hash: job, answers, calls with results, etag, usage."""
    return f"baton:{{{root_of(job_id)}}}:data:{job_id}"


@lru_cache(1024)
def parts_key(job_id: str) -> str:
    """List: the stream."""
    return f"baton:{{{root_of(job_id)}}}:parts:{job_id}"


@lru_cache(4096)
def name_of(leg_key: str, job_id: str) -> str:
    """An item's name: the job is in the key of the hash."""
    return leg_key.replace(job_id, "", 1)


@lru_cache(4096)
def place_of(name: str) -> str:
    """The place of an item in its hash: what follows an item takes its place, so nothing need be removed for it.

    The turn has place 0, as its first call; each other call has its position. What is apart has a place for its kind.
    """
    kind, middle, _ = name.split(":", 2)
    if middle:
        return middle.split("-", 3)[2]
    return "0" if kind == LegKind.LOOP else kind[0]


@dataclass(frozen=True, slots=True)
class History:
    """What was said, as texts; valid where the stored etag is equal and not empty."""

    etag: str
    entries: tuple[str, ...] = ()
    results: Mapping[str, str] = field(default_factory=dict)
    chars: int = 0

    def more(self, entries: Sequence[str], results: Mapping[str, str]) -> "History":
        """The same after a commit."""
        if not entries and not results:
            return self
        etag, more = chained(self.etag, entries, results)
        return History(etag, (*self.entries, *entries), {**self.results, **results}, self.chars + more)


def chained(etag: str, entries: Sequence[str], results: Mapping[str, str]) -> tuple[str, int]:
    """The etag once this is written: a digest of the content, as a number from the state would come again after a failover."""
    text = "\n".join((etag, *(t for pair in results.items() for t in pair), "", *entries))
    return hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()[:TAG_CHARS], len(text)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the claim of an item has shown.

    `item`: its whole text. `history`, `sums`: None where it was not read. `siblings`: items that were added with it.
    """

    job: Job
    static: str
    live: str
    lap: int
    etag: str
    item: str
    siblings: int
    history: History | None = None
    sums: Sums | None = None
    children: tuple[str, ...] = ()
    held: str = ""  # the claim's text, as it stands


@dataclass(frozen=True, slots=True)
class Next:
    """An item that a patch adds: its leg, text and claim; `mine`: claimed for who commits; `joins`: if block 2 is written."""

    leg: Leg
    text: str
    held: str
    mine: bool
    joins: bool
    record: CallRecord | None
    siblings: int


@dataclass(frozen=True, slots=True)
class Planned:
    """A patch and what is true once it is written."""

    patch: Patch
    job: Job
    static: str
    live: str
    lap: int
    etag: str
    history: History | None
    sums: Sums | None
    following: tuple[Next, ...]


def create(changes: Changes, message_id: str, creator: str, sums: Sums) -> Patch:
    """A submission: where there is no job of this id. (The gate is left out: see RESULTS.)"""
    job, patch = changes.job, Patch()
    assert job is not None
    first, root = patch.first, root_of(job.id)
    first.equal(jobs_key(root, ""), {job.id: None})
    first.write("HSET", jobs_key(root, ""), (job.id, f"open:{job.run}"))
    data = ["job", dump_static(job), "live", dump_live(job), "lap", str(changes.standing.lap if changes.standing else 0)]
    etag = History("").more(changes.transcript, {}).etag
    data += ["etag", etag, "u:0", _packed(sums)]
    for number, entry in enumerate(changes.transcript):
        data += [f"t:000000:{number:03}", entry]
    first.write("HSET", data_key(job.id), data)
    items: list[str] = []
    for leg in changes.legs:
        if leg.kind is not LegKind.WISH:
            name = name_of(leg.key, job.id)
            place = place_of(name)
            items += [f"i{place}", dump_item(name, leg, job.run, creator, 1), f"c{place}", f"- {leg.not_before_ms} {message_id}"]
    first.write("HSET", open_key(job.id), items)
    first.write("RPUSH", parts_key(job.id), changes.parts)
    patch.refused = ((data_key(job.id), ("job", "live")), (open_key(job.id), ()))
    return patch


@dataclass(frozen=True, slots=True)
class Done:
    """A work item that was done, and what was decided on it."""

    seen: Seen
    leg: Leg
    changes: Changes
    spent: Sums

    @property
    def creator(self) -> str:
        """Of the request that added the item."""
        return str(decode(self.seen.item)[2])


def may_join_others(changes: Changes) -> bool:
    """Whether it is no more than a call's result: several of those may be one patch."""
    return changes.join is not None and not (changes.job or changes.legs or changes.transcript or changes.ends or changes.skips)


def commit(
    done: Sequence[Done], room: GoOn | None, *, message_id: str, creator: str, now_ms: int, retention_ms: int
) -> Planned:
    """What a work item that was done writes; of several, results of one group, what they write together."""
    seen, leg, changes = done[0].seen, done[0].leg, done[-1].changes
    _refuse_the_rest(changes)
    patch, job = Patch(), changes.job or seen.job
    first, job_id = patch.first, leg.job_id
    apart = leg.kind in APART
    home = apart_key(job_id) if apart else open_key(job_id)
    first.equal(home, {f"i{place_of(name_of(each.leg.key, job_id))}": each.seen.item for each in done})
    # Where all of a group are here, as they were added, nobody else has written anything of it.
    alone = len(done) == seen.siblings and (len(done) == 1 or len({each.creator for each in done}) == 1)
    if changes.ends:
        _only_those_children(first, job_id, seen)
        first.write("UNLINK", home)
        # The status outlives the data: it is the tombstone, too.
        first.write("HSET", jobs_key(root_of(job_id), ""), (job_id, f"{job.status}:{job.run}:{job.tenant}"))
    results = {name: text for each in done for name, text in each.changes.results.items()}
    history, etag = _known_after(seen, changes.transcript, results, alone=alone or apart)
    static, live, lap = seen.static, seen.live, seen.lap
    data: list[str] = []
    if changes.job:
        static, live = dump_static(job), dump_live(job)
        if static != seen.static:
            data += ("job", static)
        if live != seen.live:
            data += ("live", live)
    for number, entry in enumerate(changes.transcript):
        data += (f"t:{leg.turn:06}.{leg.attempt:03}:{number:03}", entry)
    for each in done:
        for record in each.changes.calls:
            data += (f"r:{record.id.removeprefix(job_id)}", dump_call(record, each.changes.results.get(record.id)))
    if etag != seen.etag:
        data += ("etag", etag)
    if changes.ends:
        lap = max(lap + 1, now_ms)
        data += ("lap", str(lap))
    spent = done[0].spent if len(done) == 1 else tuple(map(sum, zip(*(each.spent for each in done), strict=True)))
    sums = tuple(map(add, seen.sums, spent)) if seen.sums is not None and (alone or apart) else None
    data += (f"u:{name_of(leg.key, job_id)}", _packed(spent))
    first.write("HSET", data_key(job_id), data)
    following = _following(seen, changes, room, job, message_id=message_id, creator=creator, now_ms=now_ms, lap=lap, sums=sums)
    _replace_items(patch, following, done, home, alone=alone)
    parts = [part for each in done for part in _with_usage(each.changes.parts, each.spent)]
    if parts:
        first.write("RPUSH", parts_key(job_id), parts)
    if changes.ends:
        _expire(first, job, retention_ms)
    patch.refused = ((home, ()),)
    if any(each.joins and each.mine for each in following) and history is None:
        patch.then = ((data_key(job_id), ()),)
    return Planned(patch, job, static, live, lap, etag, history, sums, following)


def _refuse_the_rest(changes: Changes) -> None:
    """The spike plays the main loop only."""
    more = changes.skips or changes.talk or changes.report or changes.child or changes.spends or changes.begins_again
    if more or changes.forgets or any(leg.kind is LegKind.WAIT for leg in changes.legs):
        raise NotImplementedError("not in the spike")


def _only_those_children(block: Block, job_id: str, seen: Seen) -> None:
    if is_child(job_id):
        raise NotImplementedError("not in the spike")
    block.count(jobs_key(root_of(job_id), job_id), len(seen.children))


def _known_after(
    seen: Seen, entries: Sequence[str], results: Mapping[str, str], *, alone: bool
) -> tuple[History | None, str]:
    """The history and the etag: a writer with siblings empties it, one without sets it."""
    if not alone:
        return None, ""
    if not (entries or results):
        return seen.history, seen.etag
    if seen.history is not None:
        after = seen.history.more(entries, results)
        return after, after.etag
    return None, chained(seen.etag, entries, results)[0] if seen.etag else ""


def _following(
    seen: Seen, changes: Changes, room: GoOn | None, job: Job, *, message_id: str, creator: str, now_ms: int, lap: int,
    sums: Sums | None,
) -> tuple[Next, ...]:
    """The items to add, with those that the invocation has room for claimed for it."""
    legs = [*changes.legs]
    if changes.ends:
        legs.append(wish_leg(job.id, "gone", lap, now_ms))
    records = {record.id: record for record in changes.calls}
    left = room.at_most if room else 0
    added = [(leg, False) for leg in legs] + ([(changes.join.leg, True)] if changes.join else [])
    found: list[Next] = []
    siblings = len(changes.legs) or 1
    for leg, joins in added:
        due = leg.not_before_ms <= now_ms
        mine = bool(room and left > 0 and due and leg.key not in room.but and may_go_on(job, leg, room.leases_ms))
        beside = 1 if joins or leg.kind in APART else siblings
        if leg.kind in (LegKind.COMPLETE, LegKind.FAILED) or (leg.kind is LegKind.CALL and not changes.transcript):
            beside = seen.siblings  # it is the same call
        usage = list(sums) if leg.kind is LegKind.WISH and sums is not None else None
        text = dump_item(name_of(leg.key, job.id), leg, job.run, creator, beside, usage)
        if mine and room:
            left -= 1
            until = now_ms if leg.kind is LegKind.WISH else now_ms + room.leases_ms[leg.kind]
            held = f"{room.owner} {until} {message_id}"
            leg = replace(leg, owner=room.owner, claimed_ms=now_ms, lease_until_ms=until, carrier=message_id)  # noqa: PLW2901
        else:
            held = f"- {leg.not_before_ms} {message_id}"
            leg = replace(leg, carrier=message_id)  # noqa: PLW2901
        found.append(Next(leg, text, held, mine, joins, records.get(leg.call_id), beside))
    return tuple(found)


def _replace_items(patch: Patch, following: Sequence[Next], done: Sequence[Done], home: str, *, alone: bool) -> None:
    """What follows takes the item's place, or the place becomes free; a join beside others is a block of its own."""
    job_id = done[0].leg.job_id
    free = {f"{kind}{place_of(name_of(each.leg.key, job_id))}": 0 for each in done for kind in "ic"}
    values: dict[str, list[str]] = {}
    for each in following:
        key = apart_key(job_id) if each.leg.kind in APART else open_key(job_id)
        name = name_of(each.leg.key, job_id)
        own = place_of(name)
        pairs = (f"i{own}", each.text, f"c{own}", each.held)
        if each.joins and not alone:
            block = Block()
            block.count(key, 0)
            block.write("HSET", key, pairs)
            patch.further.append(block)
            continue
        # Without siblings nothing else of the job can be open: the item's own presence says that.
        values.setdefault(key, []).extend(pairs)
        if key == home:
            free.pop(f"i{own}", None)
            free.pop(f"c{own}", None)
    if free and not done[0].changes.ends:
        patch.first.write("HDEL", home, tuple(free))
    for key, pairs_of in values.items():
        patch.first.write("HSET", key, pairs_of)


def _expire(block: Block, job: Job, retention_ms: int) -> None:
    for key in (data_key(job.id), parts_key(job.id)):
        block.write("PEXPIRE", key, (str(retention_ms),))
    block.write("PEXPIRE", jobs_key(root_of(job.id), ""), (str(2 * retention_ms),))  # last: the benchmark listens to it


def _packed(sums: Sequence[int]) -> str:
    return f"[{','.join(map(str, sums))}]"


def _with_usage(parts: Sequence[str], spent: Sums) -> Sequence[str]:
    """The first part of an event that was handled says what it took."""
    for number, part in enumerate(parts):
        if part.endswith(EVENT_END):
            used = ",".join(f'"{name}":{much}' for name, much in zip(USED, spent, strict=True) if much)
            told = f'{part[: -len(EVENT_END)]},"used":{{{used}}}{EVENT_END}'
            return (*parts[:number], told, *parts[number + 1 :])
    return parts
