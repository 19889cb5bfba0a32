#!/usr/bin/env python3
"""Executable model of the commit rule: Python decides every write from a snapshot, the store compares and writes.

A model, not product code: a store of hashes with two scripts that know no word of the domain (`claim`, `apply`), the pure
rule (`Rule.commit`, `Rule.command`), and every order of deliveries, requests and faults: crash after any request, a copy of
a message, a redelivery while the first still runs (whose crash nobody sees then), an answer that is lost (the command is
sent again), a command that arrives late, a lease that is over too early, a failover that forgets the last writes, hosts that
keep what they knew. Small worlds are seen as a whole (each state once, the nearest first: the first story is a shortest
one), larger ones at random. Time is an order only: a timer may be due, a zombie may wake at any moment.

A patch is a list of blocks (conditions, writes). The first must hold, or nothing is written and a fresh snapshot comes
back; each other one is written where its own conditions hold, tested after the writes before it. Two kinds of condition:
a field is equal to a text (or absent, or there), a hash has n fields. A job's open items are one hash, `open:JOB`, with two
fields for each: `i:NAME`, a text that never changes (kind, generation, creator), and `c:NAME`, the claim (owner, free at,
relay message). The children of a job are one hash, `jobs:JOB`: name, status and generation.

patch                  must hold                                writes                               where (conditional block)
submit                 status absent                            status open:1, turn 1
turn -> calls          my item                                  - item, + answer, etag, + calls
call -> result         my item                                  - item, + result item
call -> wait, child    my item; outcome as seen                 - item, + wait (due if outcome);
                                                                child: its status, its turn 1
wait -> result         my item; outcome as seen                 - item, + result item, or timeout
result                 my item                                  - item, + result, etag or ''         open:JOB is empty: + next turn
outcome (signal, or    outcome absent; wait as seen; no wait:   + outcome; the wait is due, and
the end of a child)    status and generation as seen            relayed by this message
end by an item         my item; jobs:JOB has n fields: those    status, drop open:JOB; a child:      each open descendant, status
                       seen, the ended ones as seen; the        + outcome at its parent              as seen: cancelled, drop open
                       same for each open descendant
cancel                 status as seen; as an end                as an end                            as an end
retry                  status as seen                           status open:g+1, drop open and data,
                                                                + turn 1

"my item": `i:NAME` is the text that was claimed. Refused: decided again on the fresh snapshot; where the item is gone (or the
command is done), nothing is written, and the message dispatches what it still guarantees. What is added is relayed by
the message at hand, and claimed at once where the process goes on with it. The next turn is claimed in the block of the join.

Do siblings of a fan-out conflict? Never, not even at the join: each names its own item, and the join is a condition of the
script, not of the patch (64 results at once: 0 retries; compared as a precondition: 6.3 retries each, half give up after 5).
The join is generic since all open items of a job belong to its present turn: "the hash is empty after removing mine".

Usage: protocol_model_commit.py [STATES] | --large [RUNS] | --break [RULE] [STATES] | --extra [NAME] [STATES] | --conflicts.
"""
import hashlib
import random
import sys
from collections import Counter, deque, namedtuple

FREE, LEASE, TIMER, NEVER, PRESENT, LIMIT = "free", "lease", "timer", "never", "anything", 5
RULES = {
    "my item": "a commit holds only while its work item is there",
    "same item": "... with the very text that was claimed: it names generation and creator, so it is never equal by chance",
    "generation in the name": "the name of a work item contains the generation: a late claim finds no item of a later one",
    "name in the place": "a claim takes an item only where the text at its place has the item's name",
    "place as seen": "an outcome is written only while what is at its place is as seen, whatever it is",
    "alone by the item": "no join is tested only where the item itself says that it was added alone, not where nobody is seen",
    "whole group": "results written together join untested only where they are all that were added with them",
    "etag of all": "who follows results that were written apart makes the etag from all that it knows, not from '' and its own",
    "learns what it knew": "a process keeps a history only where it knew the one before, by the etag before",
    "join in the script": "the next turn is added where nothing of the job is open after the removal, tested by the script",
    "join reads": "the one who joins and goes on reads the results of the siblings anew",
    "wait sees outcome": "a call that begins to wait writes that only while the outcome is as it saw it (absent, or there)",
    "wait as seen": "an outcome is written only while the wait is as seen: absent (it is kept), or there (it is woken)",
    "first outcome": "an outcome is written only where there is none",
    "outcome as seen": "the end of a wait holds only while the outcome is as it was seen",
    "generation of a signal": "an outcome is written only while the job's status and generation are as seen",
    "cancel as seen": "a cancel holds only while the job's status and generation are as seen",
    "no job was added": "an end holds only while the tree has as many jobs as were seen",
    "the same jobs": "... and those seen are there, ended ones as seen: a failover may exchange one, or open it again",
    "descendants as seen": "an end ends another job only where that one's status is as seen",
    "end drops all": "an end removes the whole hash of open items, not those that were seen",
    "end reports": "a child's end writes its outcome at the parent in the same patch",
    "retry as seen": "a retry holds only while status and generation are as seen",
    "created once": "a submission holds only while the job is absent",
    "siblings drop the etag": "a writer that has siblings empties the history's etag; one without sets it",
    "etag is a digest": "the etag is a digest of the one before and what is written, not a number: a failover makes numbers come again",
    "refused dispatches": "whatever became of its own item, a message dispatches what it still guarantees, from the snapshot",
    "relay in the patch": "a patch names its message as that which guarantees each item it adds or wakes",
    "relay moves": "a claim makes its message the one that guarantees the item",
    "same relay": "a message published for an item that is held guarantees in the name of the one before it",
}
# Looked at and found not to be needed; --extra adds each as a precondition or step and counts what that changes.
EXTRAS = {
    "owner": "the item is still held by who commits",
    "new items absent": "the items that a patch adds are not there yet",
    "generation": "status and generation are as seen, for each commit of an item",
    "new child absent": "the child that a call starts is not there yet",
    "no recomputation": "a refused commit of an item is not decided again: its message is published again",
    "busy comes again": "a message whose item is held publishes it again, though another message guarantees it",
}


class Store:
    """Hashes by key. Never changed: a write makes a new one. Equal contents are one object, so that it is its own hash."""

    known = {}
    __slots__ = ("hashes",)

    def __new__(cls, hashes):
        key = frozenset((name, frozenset(fields.items())) for name, fields in hashes.items() if fields)
        if key not in cls.known:
            cls.known[key] = store = object.__new__(cls)
            store.hashes = {name: fields for name, fields in hashes.items() if fields}
        return cls.known[key]

    def fields(self, key):
        return self.hashes.get(key, {})

    def get(self, key, field):
        return self.fields(key).get(field)

    # The scripts. No word of the domain from here ...
    def holds(self, condition):
        """("is", key, field, value or None for absent or PRESENT), or ("count", key, number of fields)."""
        kind, key, *rest = condition
        if kind == "count":
            return len(self.fields(key)) == rest[0]
        found = self.get(key, rest[0])
        return found is not None if rest[1] == PRESENT else found == rest[1]

    def apply(self, blocks):
        """Write the first block where all its conditions hold, else nothing; then each other one where its own hold."""
        store, written = self, []
        for n, (conditions, writes) in enumerate(blocks):
            if all(store.holds(condition) for condition in conditions):
                store, written = store.write(writes), [*written, n]
            elif n == 0:
                return self, None
        return store, tuple(written)

    def write(self, writes):
        hashes = dict(self.hashes)
        for kind, key, what in writes:
            old = hashes.pop(key, {})
            if kind == "set":
                hashes[key] = {**old, **dict(what)}
            elif kind == "remove":
                hashes[key] = {field: value for field, value in old.items() if field not in what}
        return Store(hashes)

    def claim(self, key, place, name, owner, message, over, moves):
        """Item of that name there and free (or mine, or its lease over)? Then its second field is (owner, lease, message)."""
        text = self.get(key, "i:" + place)
        if text is None or name and text[4] != name:
            return self, "gone"
        holder, until, relay = self.get(key, "c:" + place)
        if holder != owner and until not in (FREE, TIMER) and not (until == LEASE and over in (holder, PRESENT)):
            return self, "busy" if until == LEASE else "gone"
        mine = (("c:" + place, (owner, LEASE, message if moves or relay is None else relay)),)
        return self.write([("set", key, mine)]), "granted"
    # ... to here.


def place(name):
    """Where an item is among those of its job: what follows it takes its place."""
    kind, position = name.split(":")[:2]
    return "0" if kind == "turn" else position.split(".")[1]


def item(store, job, name):
    text = store.get("open:" + job, "i:" + place(name))
    return text if text and text[4] == name else None


def digest(value):
    return hashlib.md5(repr(value).encode()).hexdigest()[:6]


def ended(status):
    return status is not None and not status.startswith("open")


def generation_of(status):
    return int(status.split(":")[1]) if status else 0


def home(job):
    """Where a job's status is: a root's in its tree, a child's among its siblings."""
    return "jobs:" + job.rpartition("/")[0]


def status_of(store, job):
    return store.get(home(job), job)


def statuses(store):
    return {job: status for key, fields in sorted(store.hashes.items()) if key.startswith("jobs:")
            for job, status in sorted(fields.items()) if job != "version"}


def history(store, job):
    return tuple(sorted((f, v) for f, v in store.fields("data:" + job).items() if f[:2] in ("t:", "r:")))


def opened(store):
    """Every open item of the tree: job, key, claim."""
    return [(key[5:], fields[field][4], fields["c:" + field[2:]]) for key, fields in sorted(store.hashes.items())
            for field in sorted(fields) if key.startswith("open:") and field.startswith("i:")]


def guaranteed(store, message):
    """What a message still guarantees; where held, once that lease is over and in the same name. A parked wait needs nobody."""
    return tuple((j, k, holder, relay if holder else None) for j, k, (holder, until, relay) in opened(store)
                 if relay == message and until != NEVER)


class Rule:
    """The pure part: a patch is a tuple of blocks (conditions, writes); the first must hold, others are conditional."""

    def __init__(self, plans, *, inline=False, broken="", extra="", join="conditional"):
        self.plans, self.inline, self.broken, self.extra, self.join = plans, inline, broken, extra, join
        self.merges = inline  # what a process has done together is one patch

    def obeys(self, rule):
        return bool(RULES[rule]) and rule != self.broken

    def plan(self, job):
        return self.plans["child" if "/" in job else "root"]

    def name(self, kind, position, generation):
        return f"{kind}:{position}:{generation}" if self.obeys("generation in the name") else f"{kind}:{position}:"

    def add(self, job, kind, position, text, held):
        key = self.name(kind, position, text[1])
        at = place(key)
        return ("set", "open:" + job, (("i:" + at, (*text, key)), ("c:" + at, held)))

    def commit(self, snapshot, claim, work, owner, message, capacity, cache=()):
        """The patch of a work item that was done, or None where there is nothing to write (any more)."""
        job, key, text = claim
        kind, generation, _, payload, _ = text
        open_key, data, there, at = "open:" + job, "data:" + job, item(snapshot, job, key), place(key)
        if self.obeys("my item") and (there is None or self.obeys("same item") and there != text):
            return None
        conditions = [("is", open_key, "i:" + at, text if self.obeys("same item") else PRESENT)]
        if not self.obeys("my item"):
            conditions = []
        if self.extra == "owner":
            if snapshot.get(open_key, "c:" + at)[0] not in (owner, None):
                return None
            conditions.append(("is", open_key, "c:" + at, snapshot.get(open_key, "c:" + at)))
        if self.extra == "generation":
            conditions.append(("is", home(job), job, status_of(snapshot, job)))
        if self.join == "whole job":
            version = snapshot.get("jobs:", "version") or 0
            conditions.append(("is", "jobs:", "version", version or None))
        relay = message if self.obeys("relay in the patch") else None
        mine, free = (owner, LEASE, relay) if capacity else (None, FREE, relay), (None, FREE, relay)
        writes, blocks, etag = [], [], snapshot.get(data, "etag")
        if self.join == "whole job":
            writes.append(("set", "jobs:", (("version", version + 1),)))
        position = key.split(":")[1]
        turn = int(position.split(".")[0])
        if kind == "turn":
            entry = (f"t:{turn}", (owner, digest(work)))
            known = (*work, entry) if etag == "" and self.obeys("etag of all") else (etag, f"t:{turn}", owner)
            writes.append(("set", data, (entry, ("etag", self.etag(known, history(snapshot, job))))))
            if turn > len(self.plan(job)):
                self.end(snapshot, job, "completed", message, conditions, writes, blocks)
            for n, call in enumerate(self.plan(job)[turn - 1] if turn <= len(self.plan(job)) else ()):
                writes.append(self.add(job, "call", f"{turn}.{n}", ("call", generation, owner, call), mine if self.merges or not n else free))
        elif kind == "call" and payload in ("tool", "fail"):
            value = "error" if payload == "fail" and generation == 1 else f"{position} by {owner}"
            writes.append(self.add(job, "result", position, ("result", generation, owner, value), mine))
        elif kind == "call":
            outcome = snapshot.get(data, "o:" + position)
            if self.obeys("wait sees outcome"):
                conditions.append(("is", data, "o:" + position, outcome))
            until = FREE if outcome else TIMER if payload.startswith("timed") else NEVER
            writes.append(self.add(job, "wait", position, ("wait", generation, owner, payload), (None, until, relay)))
            if payload.endswith("child"):
                child = f"{job}/{generation}.{position}"
                if self.extra == "new child absent":
                    conditions.append(("is", home(child), child, None))
                writes += [("set", home(child), ((child, "open:1"),)), self.add(child, "turn", 1, ("turn", 1, owner, None), free)]
        elif kind == "wait":
            outcome = snapshot.get(data, "o:" + position)
            if outcome is None and (work is not None or not payload.startswith("timed")):
                return None  # a failover forgot what ended it, and the timer is not due: who told it tells it again
            if self.obeys("outcome as seen"):
                conditions.append(("is", data, "o:" + position, outcome))
            else:
                outcome = work
            if outcome is None:
                writes.append(("set", data, (("o:" + position, "timeout"),)))
            text = ("result", generation, owner, outcome or "timeout")
            writes.append(self.add(job, "result", position, text, mine))
        else:
            others = len(snapshot.fields(open_key)) - 2
            alone = len(self.plan(job)[turn - 1]) == 1 if self.obeys("alone by the item") else not others
            result = ("r:" + position, payload)
            sure = alone or not self.obeys("siblings drop the etag")
            etag = self.etag((etag, result), history(snapshot, job)) if sure else ""
            writes.append(("set", data, (result, ("etag", etag))))
            following = self.add(job, "turn", turn + 1, ("turn", generation, owner, None), mine)
            if payload == "error":
                self.end(snapshot, job, "failed", message, conditions, writes, blocks)
            elif alone and self.join == "conditional":
                writes.append(following)
            elif self.join == "exact count":  # only to count conflicts: the join as a precondition
                conditions.append(("count", open_key, others + 2))
                writes += [following] * (others == 0)
            elif self.obeys("join in the script") and self.join != "whole job":
                blocks.append(((("count", open_key, 0),), (following,)))
            elif not others:
                writes.append(following)
        if self.extra == "new items absent":
            conditions += [("is", w[1], w[2][0][0], None) for w in writes if w[0] == "set" and w[2][0][0] not in ("i:" + at, "o:")
                           and w[2][0][0].startswith("i:")]
        return ((tuple(conditions), self.removing(open_key, (at,), writes)), *blocks)

    @staticmethod
    def removing(open_key, places, writes):
        """The writes, and the removal of what was done, where nothing takes its place."""
        taken = {f[2:] for kind, key, what in writes if kind == "set" and key == open_key for f, _ in what}
        gone = tuple(f + at for at in places if at not in taken for f in ("i:", "c:"))
        return (("remove", open_key, gone), *writes) if gone else tuple(writes)

    def together(self, snapshot, claims, owner, message):
        """The patch of several calls, or results, of a turn that are ready together, or None where each is for itself."""
        job, _, (kind, generation, *_) = claims[0]
        open_key, data = "open:" + job, "data:" + job
        if any(item(snapshot, job, key) != text for _, key, text in claims) or any(text[3] == "error" for *_, text in claims):
            return None
        conditions = tuple(("is", open_key, "i:" + place(key), text) for _, key, text in claims)
        relay = message if self.obeys("relay in the patch") else None
        mine, writes, blocks = (owner, LEASE, relay), [], ()
        if kind == "call":
            for _, key, (_, _, _, payload, _) in claims:
                position = key.split(":")[1]
                value = "error" if payload == "fail" and generation == 1 else f"{position} by {owner}"
                writes.append(self.add(job, "result", position, ("result", generation, owner, value), mine))
            return ((conditions, tuple(writes)),)
        turn = int(claims[0][1].split(":")[1].split(".")[0])
        whole = len(claims) == len(self.plan(job)[turn - 1]) or not self.obeys("whole group")
        results = tuple(("r:" + key.split(":")[1], text[3]) for _, key, text in claims)
        etag = self.etag((snapshot.get(data, "etag"), *results), history(snapshot, job)) if whole else ""
        writes.append(("set", data, (*results, ("etag", etag))))
        following = self.add(job, "turn", turn + 1, ("turn", generation, owner, None), mine)
        if whole:
            writes.append(following)
        else:
            blocks = (((("count", open_key, 0),), (following,)),)
        return ((conditions, self.removing(open_key, [place(key) for _, key, _ in claims], writes)), *blocks)

    def etag(self, known, before):
        return digest(known) if self.obeys("etag is a digest") else len(before)

    def end(self, snapshot, job, status, message, conditions, writes, blocks):
        """An end is that of all jobs below, where they have not ended, and is told to the one above."""
        known = statuses(snapshot)
        below = [name for name in known if name.startswith(job + "/") and not ended(known[name])]
        writes.append(("set", home(job), ((job, f"{status}:{generation_of(known[job])}"),)))
        for name in [job, *below]:
            if self.obeys("no job was added"):
                conditions.append(("count", "jobs:" + name, len(snapshot.fields("jobs:" + name))))
            if self.obeys("the same jobs"):
                conditions += [("is", "jobs:" + name, child, status_seen if ended(status_seen) else PRESENT)
                               for child, status_seen in sorted(snapshot.fields("jobs:" + name).items())]
            seen = tuple(snapshot.fields("open:" + name))
            drop = ("drop", "open:" + name, ()) if self.obeys("end drops all") else ("remove", "open:" + name, seen)
            if name == job:
                writes.append(drop)
                continue
            cancelled = ("set", home(name), ((name, f"cancelled:{generation_of(known[name])}"),))
            as_seen = (("is", home(name), name, known[name]),) if self.obeys("descendants as seen") else ()
            blocks.append((as_seen, (cancelled, drop)))
        if "/" in job and self.obeys("end reports"):
            parent, _, call = job.rpartition("/")
            self.outcome(snapshot, parent, call.split(".", 1)[1], status, message, conditions, writes)

    def outcome(self, snapshot, job, position, value, message, conditions, writes):
        """What a call waits for, or will wait for: the first one stays; a wait that is there becomes due."""
        data, key = "data:" + job, self.name("wait", position, generation_of(status_of(snapshot, job)))
        if snapshot.get(data, "o:" + position) is not None and self.obeys("first outcome"):
            return
        wait, at = item(snapshot, job, key), place(key)
        if self.obeys("first outcome"):
            conditions.append(("is", data, "o:" + position, None))
        if self.obeys("wait as seen") and (wait or self.obeys("place as seen")):
            conditions.append(("is", "open:" + job, "i:" + at, snapshot.get("open:" + job, "i:" + at)))
        writes.append(("set", data, (("o:" + position, value),)))
        if wait:
            relay = message if self.obeys("relay in the patch") else None
            writes.append(("set", "open:" + job, (("c:" + at, (None, FREE, relay)),)))

    def command(self, snapshot, event, owner, message):
        """The patch of a command, or None; and what to answer."""
        kind, job, *rest = event
        status, conditions, writes, blocks = status_of(snapshot, job), [], [], []
        first = self.add(job, "turn", 1, ("turn", generation_of(status) + 1, owner, None), (None, FREE, message))
        seen = ("is", home(job), job, status)
        if status is None and kind != "submit":
            return None, "unknown"  # a failover forgot the job: its backup message comes first, then that of this command
        if kind == "submit":
            if status and self.obeys("created once"):
                return None, "again"
            conditions += [("is", home(job), job, None)] * self.obeys("created once")
            writes += [("set", home(job), ((job, "open:1"),)), first]
        elif kind == "cancel":
            if ended(status):
                return None, "ok" if status.startswith("cancelled") else "late"
            conditions += [seen] * self.obeys("cancel as seen")
            self.end(snapshot, job, "cancelled", message, conditions, writes, blocks)
        elif kind == "retry":
            if not ended(status) or generation_of(status) != rest[0] or status.startswith("completed"):
                return None, "again"
            conditions += [seen] * self.obeys("retry as seen")
            again = f"open:{rest[0] + 1}"
            writes += [("drop", "open:" + job, ()), ("drop", "data:" + job, ()), ("set", home(job), ((job, again),)), first]
        else:
            position, value, generation = rest
            if ended(status) or generation_of(status) != generation:
                return None, "late"
            waits = item(snapshot, job, self.name("wait", position, generation)) is not None
            conditions += [seen] * (self.obeys("generation of a signal") and not waits)  # a wait's text names it
            self.outcome(snapshot, job, position, value, message, conditions, writes)
        return (((tuple(conditions), tuple(writes)), *blocks) if writes else None), "ok"

    # One delivery of one message. Each `yield` is one request; whatever else happens may happen in between.
    def invocation(self, owner, message, cache):
        _, event, tries, ident = message
        if event[0] != "item":
            return (yield from self.commanded(owner, ident, event, cache))
        todo, apart = [(event[1:], None)], set()
        while todo:
            ready = self.ready(todo, apart) if self.merges else ()
            if len(ready) > 1:
                snapshot = ready[-1][1]
                claims = [(job, key, item(snapshot, job, key)) for (job, key, _), _ in ready]
                patch = self.together(snapshot, claims, owner, ident) if all(text for *_, text in claims) else None
                if patch:
                    (job, _, text), keys = claims[0], tuple(key for _, key, _ in claims)
                    written, fresh = yield "apply", patch, (job, text[1], text[0], keys)
                    if written is not None:
                        todo = [one for one in todo if one not in ready]
                        cache, pending, here = self.followed(snapshot, fresh, patch, written, job, text[0], None, owner, cache)
                        if pending:
                            yield "publish", pending
                        todo += here
                        continue
                    todo = [(where, fresh if (where, seen) in ready else seen) for where, seen in todo]
                apart |= {(job, key) for (job, key, _), _ in ready}
                continue
            (job, key, over), snapshot = todo.pop(0)
            if snapshot is None:
                verdict, snapshot = yield "claim", job, key, owner, ident, over
                if verdict != "granted":
                    again = guaranteed(snapshot, ident) if self.obeys("refused dispatches") else ()
                    if self.extra == "busy comes again" and verdict == "busy":
                        again = (*again, (job, key, snapshot.get("open:" + job, "c:" + place(key))[0], None))
                    if again:
                        yield "publish", again
                    continue
            text = item(snapshot, job, key) or snapshot.get("open:" + job, "i:" + place(key))
            if text is None:
                continue
            work, cache = self.work(snapshot, job, key, cache)
            capacity = self.inline and tries == 0
            for _ in range(LIMIT + 1):
                patch = self.commit(snapshot, (job, key, text), work, owner, ident, capacity, cache)
                if patch is None:
                    break
                written, fresh = yield "apply", patch, (job, text[1], text[0], key)
                if written is not None or self.extra == "no recomputation":
                    break
                snapshot = fresh
            else:
                yield "gives up",
            if patch is None or written is None:
                pending, here = guaranteed(snapshot, ident) if self.obeys("refused dispatches") else (), []
            else:
                cache, pending, here = self.followed(snapshot, fresh, patch, written, job, text[0], work, owner, cache)
            if pending:
                yield "publish", pending
            todo += here
        return cache, "done"

    @staticmethod
    def ready(todo, apart):
        """The calls, or results, of one turn that this process holds and has done: the most of one kind."""
        found = {}
        for (job, key, over), snapshot in todo:
            text = snapshot and item(snapshot, job, key)
            if text and (job, key) not in apart and (text[0] == "result" or text[0] == "call" and text[3] in ("tool", "fail")):
                found.setdefault((job, text[0]), []).append(((job, key, over), snapshot))
        return max(found.values(), key=len, default=())

    def followed(self, snapshot, fresh, patch, written, job, kind, work, owner, cache):
        """What follows a patch that was written: what is known now, what is published, what goes on here."""
        local = snapshot
        for n in written:
            local = local.write(patch[n][1])
        claims = [(w[1][5:], local.get(w[1], "i:" + f[2:]), v) for n in written for w in patch[n][1] if w[0] == "set"
                  for f, v in w[2] if f.startswith("c:")]
        claims = [(j, text[4], v) for j, text, v in claims if text]
        pending = tuple((j, k, None, None) for j, k, (holder, until, _) in claims if holder != owner and until != NEVER)
        cache = self.learnt(snapshot, job, patch[0][1], work, kind, cache)
        if len(written) > 1 and self.obeys("join reads"):
            local = fresh
        return cache, pending, [((j, k, None), local) for j, k, (holder, _, _) in claims if holder == owner]

    def commanded(self, owner, ident, event, cache):
        for _ in range(LIMIT + 1):
            snapshot = (yield "read",)[1]
            patch, answer = self.command(snapshot, event, owner, ident)
            if patch is None:
                pending = guaranteed(snapshot, ident)
                break
            about = event[4] if event[0] == "signal" else event[2] if event[0] == "retry" else None
            written, snapshot = yield "apply", patch, (event[1], about, event[0], None)
            if written is not None:
                places = [(w[1], f[2:]) for w in patch[0][1] if w[0] == "set" for f, _ in w[2] if f[:2] == "c:"]
                texts = [(key, snapshot.get(key, "i:" + at)) for key, at in places]
                pending = tuple((key[5:], text[4], None, None) for key, text in texts if text)
                break
        else:
            yield "gives up",
        if pending:
            yield "publish", pending
        return cache, answer

    def work(self, snapshot, job, key, cache):
        """What was done under the claim: a model's answer to the history, an outcome that was looked at."""
        if key.startswith("wait"):
            return snapshot.get("data:" + job, "o:" + key.split(":")[1]), cache
        if not key.startswith("turn"):
            return None, cache
        known, etag = dict(cache).get(job), snapshot.get("data:" + job, "etag")
        if known and etag and known[0] == etag:
            return known[1], cache
        return history(snapshot, job), cache

    def learnt(self, snapshot, job, writes, work, kind, cache):
        """What a process knows of the history once it has written, by the etag that it wrote."""
        more = {f: v for w in writes if w[0] == "set" and w[1] == "data:" + job for f, v in w[2]}
        etag = more.pop("etag", None)
        if kind not in ("turn", "result") or not etag:
            return cache
        knew, before = (None, work) if kind == "turn" else dict(cache).get(job, (None, ()))
        if kind == "result" and knew != snapshot.get("data:" + job, "etag") and self.obeys("learns what it knew"):
            return cache
        return tuple(sorted({**dict(cache), job: (etag, tuple(sorted((*before, *more.items()))))}.items()))


S = namedtuple("S", "store past queue procs floating budget cache forgot accepted reconciled")
FAULTS = ("crash", "duplicate", "lost", "late", "steal", "forget")


class World:
    """What can happen: deliveries, steps, faults within a budget. A state is a value, so that it can be seen again."""

    def __init__(self, name, plans, commands, *, hosts=0, depth=3, broken="", extra="", inline=False, **budget):
        self.name, self.hosts, self.depth = name, hosts, depth
        self.rule = Rule(plans, inline=inline, broken=broken, extra=extra)
        self.commands = tuple((f"{event[0]}{n}", event, 0, f"{event[0]}{n}") for n, event in enumerate(commands))
        self.budget, self.memo, self.refusals, self.applied = tuple(budget.get(f, 0) for f in FAULTS), {}, Counter(), 0
        self.most, self.starts = 0, 0
        self.violations = []

    def start(self):
        Store.known.clear()
        self.memo.clear()
        return S(Store({}), (), self.commands, (), (), self.budget, (), False, frozenset(), 0)

    def request(self, proc):
        """What a process wants next: it is run again from its start with the answers that it got."""
        if proc not in self.memo:
            owner, message, cache, _, inputs, _ = proc
            running = self.rule.invocation(owner, message, cache)
            try:
                wanted = next(running)
                for answer in inputs:
                    wanted = running.send(answer)
            except StopIteration as end:
                wanted = ("done", *end.value)
            self.memo[proc] = wanted
        return self.memo[proc]

    def deliverable(self, s, message):
        kind, job, *rest = message[1]
        status = status_of(s.store, job)
        if kind == "retry":
            return ended(status) and not status.startswith("completed") or generation_of(status) > rest[0]
        return kind in ("item", "submit") or status and generation_of(status) >= (rest[2] if kind == "signal" else 1)

    def actions(self, s):
        """(what, which, variant, fault or None)."""
        found = []
        for n, message in enumerate(s.queue):
            if message not in s.queue[:n] and self.deliverable(s, message):
                for host in range(max(1, self.hosts)):
                    found += [("deliver", n, (host, ""), None), ("deliver", n, (host, "copy"), "duplicate")]
        for n, proc in enumerate(s.procs):
            wanted = self.request(proc)
            found += [("step", n, "", None), ("step", n, "crash", "crash")]
            if not proc[3]:
                found.append(("redeliver", n, "", "duplicate"))
            if wanted[0] in ("claim", "apply"):
                found += [("step", n, "lost", "lost"), ("step", n, "late", "late")]
            if wanted[0] == "claim":
                claim = item(s.store, *wanted[1:3]) and s.store.get("open:" + wanted[1], "c:" + place(wanted[2]))
                found += [("step", n, "steal", "steal")] * bool(claim and claim[1] == LEASE and claim[0] != proc[0])
            if wanted[0] == "publish" and len(wanted[1]) > 1:
                found.append(("step", n, "half", "crash"))
        found += [("float", n, "", None) for n in range(len(s.floating))]
        found += [("forget", n, "", "forget") for n in range(len(s.past))]
        allowed = [a for a in found if a[3] is None or s.budget[FAULTS.index(a[3])]]
        if all(a[3] for a in allowed) and s.forgot and any(c[1] != NEVER for _, _, c in opened(s.store)):
            return [("reconcile", 0, "", None)]
        return allowed

    def perform(self, s, action):
        """The state after an action; each item must be guaranteed by a message that will be delivered (again)."""
        after = self.performed(s, action)
        coming = [*after.queue, *(p[1] for p in after.procs if not p[3])]
        events, relays = {m[1][1:3] for m in coming}, {m[3] for m in coming}
        for job, key, (_, until, relay) in opened(after.store) if not after.forgot else ():
            if until != NEVER and (job, key) not in events and relay not in relays:
                self.violate("dispatched before it is acknowledged")
        return after

    def performed(self, s, action):
        what, n, variant, fault = action
        if fault:
            at = FAULTS.index(fault)
            s = s._replace(budget=(*s.budget[:at], s.budget[at] - 1, *s.budget[at + 1:]))
        if what == "deliver":
            ident, event, tries, relay = message = s.queue[n]
            rest = s.queue[:n] + s.queue[n + 1:]
            host, copied = variant
            queue = sorted((*rest, (ident, event, tries + 10, relay)) if copied else rest, key=repr)
            proc = (f"{ident}#{tries}", message, dict(s.cache).get(host, ()), False, (), host)
            return s._replace(queue=tuple(queue), procs=self.sorted(*s.procs, proc))
        if what == "redeliver":  # the queue gave up waiting; if the process that still runs dies, nobody knows
            owner, message, cache, _, *rest = s.procs[n]
            others, alone = s.procs[:n] + s.procs[n + 1:], (owner, message, cache, True, *rest)
            return self.queued(s, self.again(message))._replace(procs=self.sorted(*others, alone))
        if what == "forget":  # what was accepted lately is told again by its backup message
            told = [(i, e, t + 5, r) for i, e, t, r in self.commands]
            s = s._replace(store=s.past[n], past=s.past[n + 1:], forgot=True)
            for message in told:
                s = self.queued(s, message)
            return s
        if what == "reconcile":
            for job, key, (holder, until, _) in opened(s.store):
                if until != NEVER:
                    ident = f"reconcile{s.reconciled}.{job}.{key}"
                    s = self.queued(s, (ident, ("item", job, key, holder), 0, ident))
            if s.reconciled > 6:
                self.violate("each accepted job ends")
            return s._replace(reconciled=s.reconciled + 1)
        if what == "float":
            wanted, floating = s.floating[n], s.floating[:n] + s.floating[n + 1:]
            return self.operate(s._replace(floating=floating), wanted)[0]
        return self.step(s, n, variant)

    def step(self, s, n, variant):
        proc = s.procs[n]
        owner, message, cache, detached, inputs, host = proc
        wanted, others = self.request(proc), s.procs[:n] + s.procs[n + 1:]
        if variant == "late":
            return s._replace(floating=tuple(sorted((*s.floating, wanted), key=repr)))
        if wanted[0] == "publish":
            count = len(wanted[1]) // 2 if variant == "half" else len(wanted[1])
            for job, key, over, relay in wanted[1][:count]:
                ident = f"{key}~{digest((owner, len(inputs), job, key))}"
                relay = relay if relay and self.rule.obeys("same relay") else ident
                s = self.queued(s, (ident, ("item", job, key, over), 0, relay))
            answer = "published"
        elif wanted[0] in ("claim", "apply", "read"):
            s, answer = self.operate(s, wanted, variant == "steal")
            if variant == "lost":
                return s
        else:
            answer = None
        if isinstance(answer, tuple) and answer[0] is None:
            row = [isinstance(a, tuple) and a[0] is None for a in (*inputs, answer)]
            self.most = max(self.most, row[::-1].index(False) if False in row else len(row))
        proc = (owner, message, cache, detached, (*inputs, answer), host)
        wanted = ("gives up",) if wanted[0] == "gives up" else wanted if wanted[0] == "done" else self.request(proc)
        if variant in ("crash", "half") or wanted[0] == "gives up":
            if wanted[0] == "gives up":
                self.violate("bounded retries")
            s = s._replace(procs=others)
            return s if detached else self.queued(s, self.again(message))
        if wanted[0] == "done":
            return self.acknowledged(s._replace(procs=others), message, host, *wanted[1:])
        return s._replace(procs=self.sorted(*others, proc))

    def operate(self, s, wanted, steal=False):
        before = s.store
        if wanted[0] == "read":
            return s, ("read", before)
        if wanted[0] == "claim":
            _, job, key, owner, ident, over = wanted
            over = PRESENT if steal else over
            named = key if self.rule.obeys("name in the place") else ""
            store, verdict = before.claim("open:" + job, place(key), named, owner, ident, over, self.rule.obeys("relay moves"))
            answer = verdict, store
            text = store.get("open:" + job, "i:" + place(key))
            if verdict == "granted" and before.get("_ghost", ("done", job, text[1], key)):
                self.violate("no committed call runs again")
        else:
            _, patch, about = wanted
            store, written = before.apply(patch)
            self.applied += 1
            if written is None:
                self.refusals[about[2]] += 1
                return s, (None, before)
            store = self.checked(before, store, patch, about)
            answer = written, store
        if store is not before:
            s = s._replace(store=store, past=(before, *s.past)[:self.depth] if s.budget[5] else ())
        return s, answer

    @staticmethod
    def again(message):
        return (*message[:2], message[2] + 1, message[3])

    def queued(self, s, message):
        return s._replace(queue=tuple(sorted((*s.queue, message), key=repr)))

    def sorted(self, *procs):
        return tuple(sorted(procs, key=lambda p: (p[0], len(p[4]))))

    def acknowledged(self, s, message, host, cache, answer):
        if message[1][0] == "cancel" and answer == "ok":
            s = s._replace(accepted=s.accepted | {message[1]})
        return s._replace(cache=tuple(sorted({**dict(s.cache), host: cache}.items()))) if self.hosts and cache else s

    def violate(self, invariant):
        self.violations.append(invariant)

    def checked(self, before, store, patch, about):
        """The invariants after a write, and what only they remember."""
        job, generation, kind, key = about
        ghost = []
        parent, _, position = job.rpartition("/")
        for where, of in [(job, generation), (parent, int(position.split(".")[0]))] if parent else [(job, generation)]:
            same = all(before.fields(k + where) == store.fields(k + where) for k in ("open:", "data:"))
            same = same and status_of(before, where) == status_of(store, where)
            if of is not None and of < generation_of(status_of(before, where)) and not same:
                self.violate("nothing of an earlier generation changes a later one")
        for name, status in statuses(store).items():
            old, again = status_of(before, name), kind == "retry" and name == job
            if ended(old) and status != old and not (again and generation == generation_of(old)):
                self.violate("one end")
            if old and not ended(old) and generation_of(status) != generation_of(old):
                self.violate("one end")
            if not ended(status) and "/" in name and ended(status_of(store, name.rpartition("/")[0])):
                self.violate("children never outlive the parent")
            if ended(status) == bool(store.fields("open:" + name)):
                self.violate("nothing is open after the end" if ended(status) else "one join per turn: never zero")
            data, known = store.fields("data:" + name), before.fields("data:" + name)
            for field, value in data.items() if not again else ():
                if field[:2] == "o:" and known.get(field, value) != value:
                    self.violate("an outcome once recorded stays")
                result = data.get("r:" + field[2:])
                if field[:2] == "o:" and result not in (None, value):
                    self.violate("a result is the outcome that was recorded")
            for field, text in store.fields("open:" + name).items():
                if field[:2] == "i:" and text[0] == "turn" and before.get("open:" + name, field) != text:
                    count = ("turns", name, text[1], text[4])
                    ghost.append((count, (before.get("_ghost", count) or 0) + 1))
                    if ghost[-1][1] > 1:
                        self.violate("one join per turn: never two")
                waits = field[:2] == "i:" and text[0] == "wait"
                if waits and store.get("open:" + name, "c:" + field[2:])[1] in (NEVER, TIMER) and "o:" + text[4].split(":")[1] in data:
                    self.violate("a wait hears its outcome")
        for write in (w for n, block in enumerate(patch) if n == 0 for w in block[1] if w[0] == "set"):
            for field, value in write[2]:
                if write[1].startswith("data:") and field[:2] == "r:" and before.get(write[1], field) is not None:
                    self.violate("each result once")
                if write[1].startswith("data:") and field[:2] == "t:":
                    name, turn = write[1][5:], int(field[2:])
                    if digest(history(before, name)) != value[1]:
                        self.violate("a turn answers the recorded results")
        for done in key if isinstance(key, tuple) else (key,):
            if kind == "call":
                ghost.append((("done", job, generation, done), 1))
        return store.write([("set", "_ghost", tuple(ghost))]) if ghost else store

    def at_rest(self, s):
        """Nothing can happen any more but faults."""
        if not statuses(s.store) or not all(ended(status) for status in statuses(s.store).values()):
            self.violate("each accepted job ends")
        retried = any(m[1][0] == "retry" for m in self.commands)
        for _, job, *_ in s.accepted if not s.forgot and not retried else ():
            if not status_of(s.store, job).startswith("cancelled"):
                self.violate("an accepted cancel cancels")

    def explore(self, most=10**6, stop=True):
        """Every state that can be reached, the nearest first. Answers: states, {invariant: story}."""
        first = self.start()
        seen, line, caught, ends = {first: None}, deque([first]), {}, 0
        while line and len(seen) < most:
            s = line.popleft()
            actions = self.actions(s)
            if all(a[3] for a in actions):
                self.at_rest(s)
                ends += 1
                if self.violations:
                    caught.setdefault(self.violations[0], self.story(seen, s, None))
                    self.violations.clear()
            for action in actions:
                after = self.perform(s, action)
                if self.violations:
                    for name in self.violations:
                        caught.setdefault(name, self.story(seen, s, action))
                    self.violations.clear()
                    if stop:
                        return len(seen), ends, caught
                elif after not in seen:
                    seen[after] = (s, action)
                    line.append(after)
            if caught and stop:
                break
        return len(seen), ends, caught

    def story(self, seen, s, last):
        steps = [(s, last)] if last else []
        while seen[s]:
            steps.append(seen[s])
            s = seen[s][0]
        return [self.told(*step) for step in reversed(steps)]

    def told(self, s, action):
        what, n, variant, _ = action
        if what == "deliver":
            return f"deliver{' (and again later)' * bool(variant[1])} {s.queue[n][0]}#{s.queue[n][2]}"
        if what in ("step", "redeliver"):
            proc = s.procs[n]
            wanted = self.request(proc)
            names = {"claim": lambda: f"claims {wanted[2]}", "apply": lambda: f"commits {wanted[2][3] or wanted[2][2]}",
                     "publish": lambda: "publishes " + ", ".join(k for _, k, *_ in wanted[1])}
            doing = names.get(wanted[0], lambda: wanted[0])()
            if wanted[0] == "apply" and s.store.apply(wanted[1])[1] is None:
                doing += ", refused"
            return f"{proc[0]} {'is delivered again while it runs' if what == 'redeliver' else doing}{', ' * bool(variant)}{variant}"
        if what == "float":
            kind, *rest = s.floating[n]
            return f"a late command arrives: {kind} {rest[1] if kind == 'claim' else rest[1][3] or rest[1][2]}"
        return f"failover forgets {n + 1} writes" if what == "forget" else what

    def wander(self, seed, chance, most=3000):
        """One random way through a world that is too large to see all of it."""
        choose, s = random.Random(seed), self.start()
        for _ in range(most):
            actions = self.actions(s)
            calm, faults = [a for a in actions if not a[3]], [a for a in actions if a[3]]
            late = [a for a in calm if a[0] != "deliver" or s.queue[a[1]][1][0] in ("item", "submit") or choose.random() < 0.1]
            calm = late or calm
            if not calm:
                self.at_rest(s)
                break
            s = self.perform(s, choose.choice(faults if faults and choose.random() < chance else calm))
        else:
            self.violate("each accepted job ends")
        found, self.violations = self.violations, []
        return found


# The worlds. A job "j" with its plan: turns of calls; a child runs one tool.
SUBMIT, CANCEL, RETRY = ("submit", "j"), ("cancel", "j"), ("retry", "j", 1)
YES, NO, LATER = [("signal", "j", "1.0", *rest) for rest in (("yes", 1), ("no", 1), ("yes", 2))]


def plans(*turns, child=(("tool",),)):
    return {"root": turns, "child": child}


ONE, TWO, CHAIN = plans(("tool",)), plans(("tool", "tool")), plans(("tool",), ("tool",))
TIMED, WAIT, CHILD, RACE, FAIL = (plans((kind,)) for kind in ("timed", "wait", "child", "timed child", "fail"))
SMALL = [
    ("two calls", TWO, [SUBMIT], {}), ("two calls", TWO, [SUBMIT], dict(crash=1)),
    ("two calls", TWO, [SUBMIT], dict(lost=1, late=1)), ("two calls", TWO, [SUBMIT], dict(forget=1)),
    ("two calls, a warm host", TWO, [SUBMIT], dict(hosts=1, lost=1)), ("three calls", plans(("tool",) * 3), [SUBMIT], {}),
    ("one call after the other, a warm host", CHAIN, [SUBMIT], dict(hosts=1, forget=1)),
    ("one call after the other, two warm hosts", CHAIN, [SUBMIT], dict(hosts=2, forget=1, depth=6)),
    ("a call", ONE, [SUBMIT], dict(crash=1, lost=1, steal=1)), ("a call", ONE, [SUBMIT], dict(duplicate=1, crash=1)),
    ("a timer and an outcome", TIMED, [SUBMIT, YES], dict(lost=1)), ("a timer and an outcome", TIMED, [SUBMIT, YES], dict(late=1)),
    ("a timer and an outcome", TIMED, [SUBMIT, YES], dict(forget=1)), ("a timer and an outcome", TIMED, [SUBMIT, YES], dict(crash=1)),
    ("a timer and two outcomes", TIMED, [SUBMIT, YES, NO], {}), ("an outcome", WAIT, [SUBMIT, YES], dict(crash=1, lost=1)),
    ("an outcome", WAIT, [SUBMIT, YES], dict(duplicate=1)), ("two outcomes", WAIT, [SUBMIT, YES, NO], dict(forget=1)),
    ("a child", CHILD, [SUBMIT], dict(crash=1)), ("a child, a cancel", CHILD, [SUBMIT, CANCEL], dict(lost=1)),
    ("a child, a cancel", CHILD, [SUBMIT, CANCEL], dict(crash=1)), ("a child, a timer", RACE, [SUBMIT], dict(lost=1)),
    ("a child, a timer, a cancel", RACE, [SUBMIT, CANCEL], {}), ("a child", CHILD, [SUBMIT], dict(forget=1)),
    ("a child, a cancel", CHILD, [SUBMIT, CANCEL], dict(forget=1)),
    ("a failure, two retries", FAIL, [SUBMIT, RETRY, RETRY], dict(lost=1)), ("a failure, a retry", FAIL, [SUBMIT, RETRY], dict(late=1)),
    ("a failure, a retry", FAIL, [SUBMIT, RETRY], dict(steal=1, crash=1)), ("a failure, a retry", FAIL, [SUBMIT, RETRY], dict(forget=1)),
    ("a cancel, a retry, an outcome", TIMED, [SUBMIT, CANCEL, RETRY, YES], {}),
    ("a cancel, a retry, two outcomes", WAIT, [SUBMIT, CANCEL, RETRY, YES, LATER], {}),
    ("a cancel, a retry", TWO, [SUBMIT, CANCEL, RETRY], {}),
]
MIXED = plans(("tool", "timed", "child"), ("wait", "tool"), child=(("tool", "tool"), ("tool",)))
SIGNALS = [("signal", "j", "1.1", "yes", 1), ("signal", "j", "1.1", "no", 1), ("signal", "j", "2.0", "yes", 1),
           ("signal", "j", "2.0", "yes", 1)]
AGAIN = [("signal", "j", "1.1", "yes", 2), ("signal", "j", "2.0", "no", 2)]
LARGE = [
    ("mixed", MIXED, [SUBMIT, *SIGNALS], {}), ("mixed, a cancel", MIXED, [SUBMIT, *SIGNALS, CANCEL], {}),
    ("mixed, a retry", MIXED, [SUBMIT, *SIGNALS, *AGAIN, CANCEL, RETRY, RETRY], {}),
    ("a failure among others", plans(("tool", "fail", "timed child", "tool"), ("tool",)), [SUBMIT, RETRY], {}),
    ("a family", plans(("child", "timed child", "timed child"), ("tool",), ("child", "child")), [SUBMIT, CANCEL], {}),
    ("a fan of ten", plans(("tool",) * 10, ("tool",) * 3), [SUBMIT], {}),
]
HARD = dict(crash=4, duplicate=3, lost=4, late=2, steal=2)


def conflicts(fan, join, seed):
    """Every result of a fan-out is claimed, then all are committed at once. Retries of each, and of all together."""
    Store.known.clear()
    choose, rule = random.Random(seed), Rule(plans(("tool",) * fan), join=join)
    store = Store({"jobs:": {"j": "open:1"}})
    names = [f"result:1.{n}:1" for n in range(fan)]
    store = store.write([rule.add("j", "result", f"1.{n}", ("result", 1, "-", f"r{n}"), (None, FREE, "-")) for n in range(fan)])
    working, retries = [], Counter()
    for name in choose.sample(names, fan):
        store, _ = store.claim("open:j", place(name), name, name, name, None, True)
        working.append([name, store])
    while working:
        each = choose.choice(working)
        claim = ("j", each[0], item(store, "j", each[0]))
        store, written = store.apply(rule.commit(each[1], claim, None, each[0], each[0], False))
        if written is None:
            retries[each[0]] += 1
            each[1] = store
        else:
            working.remove(each)
    assert item(store, "j", "turn:2:1") and len(store.fields("open:j")) == 2
    return [retries[name] for name in names]


def commands(patch, written):
    """What the script calls for a patch: one read for each hash, one HLEN for each count, one write for each hash and kind."""
    checked = [c for n, (conditions, _) in enumerate(patch) for c in conditions]
    writes = {(kind, key) for n in written for kind, key, _ in patch[n][1]}
    return len({c[1] for c in checked if c[0] == "is"}) + sum(c[0] == "count" for c in checked) + len(writes)


def worlds(kinds, **more):
    for name, plan, told, budget in kinds:
        for inline in (False, True):
            faults = ", ".join(f"{count} {fault}" for fault, count in budget.items())
            yield World(f"{name}{' inline' * inline}{': ' * bool(faults)}{faults}", plan, told, inline=inline, **{**budget, **more})


def report_small(most, **more):
    states = ends = bad = tried = longest = 0
    refused, applied, parts = Counter(), 0, 0
    for world in worlds(SMALL, **more):
        seen, rests, caught = world.explore(most)
        states, ends, bad, tried, parts = states + seen, ends + rests, bad + len(caught), tried + 1, parts + (seen >= most)
        refused, applied, longest = refused + world.refusals, applied + world.applied, max(longest, world.most)
        if not more or caught:
            print(f"{world.name}: {seen:,} states{' (in part)' * (seen >= most)}, {rests} ends, {dict(world.refusals)} refused,"
                  f" at most {world.most} in a row, violations: {caught or 0}", flush=True)
    print(f"{more or 'all'}: {tried} worlds ({parts} seen in part), {states:,} states, {ends:,} ends, {applied:,} commits of which "
          f"{dict(refused)} refused, at most {longest} in a row, violations: {bad}", flush=True)
    return bad


def report_large(runs, **more):
    bad = 0
    for kinds, chance, extra in ((LARGE, 0, {}), (LARGE, 0.1, HARD), (LARGE, 0.25, HARD), (LARGE, 0.1, dict(forget=2, **HARD)),
                                 (LARGE, 0.1, dict(hosts=2, forget=2, crash=2, lost=2))):
        for world in worlds(kinds, **extra, **more):
            caught = {}
            for seed in range(runs):
                for name in world.wander(seed, chance):
                    caught.setdefault(name, []).append(seed)
            bad += len(caught)
            print(f"{world.name[:28]}, chance {chance}: {runs} runs, {world.applied / runs:.1f} commits and "
                  f"{sum(world.refusals.values()) / runs:.2f} refusals a run, at most {world.most} in a row, "
                  f"violations: {caught or 0}", flush=True)
    return bad


def report_conflicts():
    for join in ("conditional", "exact count", "whole job"):
        for fan in (2, 10, 64):
            runs = [conflicts(fan, join, seed) for seed in range(20)]
            each = [n for run in runs for n in run]
            print(f"join as '{join}', {fan} results at once: retries a commit {sum(each) / len(each):.2f}, most {max(each)}, "
                  f"a fan-out {sum(each) / len(runs):.1f}, commits that give up after {LIMIT}: {sum(n > LIMIT for n in each)}", flush=True)


    rule = Rule(plans(("tool",) * 3, ("tool",)))
    store = Store({}).apply(rule.command(Store({}), SUBMIT, "o", "m")[0])[0]
    for key in ("turn:1:1", "call:1.0:1", "result:1.0:1", "call:1.1:1", "result:1.1:1", "call:1.2:1", "result:1.2:1"):
        patch = rule.commit(store, ("j", key, item(store, "j", key)), history(store, "j"), "o", "m", False)
        store, written = store.apply(patch)
        print(f"{key}: {commands(patch, written)} commands in the script", flush=True)


def report_break(rule, most):
    for limit in (1500, 8000, most):
        for world in worlds(SMALL, broken=rule):
            _, _, caught = world.explore(limit)
            if caught:
                (name, story), *_ = caught.items()
                _, _, every = world.explore(20000, stop=False)
                print(f"without '{rule}' ({world.name}): {', '.join(sorted(every or caught))}. Story of '{name}':", flush=True)
                print("\n".join(f"    {line}" for line in story), flush=True)
                return False
    print(f"without '{rule}': nothing was caught", flush=True)
    return True


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("--")]
    number = next((int(word) for word in words if word.isdigit()), None)
    named = [word for word in words if not word.isdigit()]
    if "--break" in sys.argv:
        sys.exit(sum([report_break(rule, number or 60000) for rule in named or RULES]))
    elif "--extra" in sys.argv:
        sys.exit(sum(report_small(number or 30000, extra=name) for name in named or ["", *EXTRAS]))
    elif "--large" in sys.argv:
        sys.exit(bool(report_large(number or 100)))
    elif "--conflicts" in sys.argv:
        report_conflicts()
    else:
        sys.exit(bool(report_small(number or 150000)))
