"""The store on Upstash Redis: each method is one script on one hash tag; the scripts are in lua/.

Invariant: nothing is read, decided here and written: what depends on what is recorded is computed in the script, or
verified there (short_commits.py).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from msgspec.structs import replace

from events.adapters import keys
from events.adapters.commit_request import CommitRequest, said_anew, state_fields, usage_counts
from events.adapters.counting import Commands, counting, with_counting
from events.adapters.figures import adding
from events.adapters.holding import RedisHolding
from events.adapters.known_histories import KnownHistories, KnownHistory
from events.adapters.looking import looked_of, looking
from events.adapters.redis import Asked, RedisConnection, script
from events.adapters.short_commits import HeldSteps, ShortCommit, short_commit
from events.adapters.short_requests import ShortRequests
from events.adapters.store_answers import granted, legs, may_be_short, with_commit
from events.core.admission import Book
from events.core.counts import checkpoints_in
from events.core.effects import Changes
from events.core.going_on import GoOn
from events.core.records import load_call, load_job, load_leg
from events.core.state import State
from events.errors import JobGoneError, StoreError
from events.ids import canonical_json
from events.ports import (
    Begun,
    Carried,
    Claim,
    Committed,
    Created,
    Heeded,
    Loaded,
    Looked,
    Outside,
    OutsideFact,
    Recorded,
    Spent,
    Undelivered,
    Verdict,
    charge,
)
from events.ports.spending import NOTHING

_text = cache(script)
_CLAIMING = ("state", "prelude", "claiming")
# A job that ends names the jobs below it; each attempt learns of those that were started meanwhile.
_FAMILY_ATTEMPTS = 5
# append.lua's answer for what prelude.lua counts.
_APPENDED = 2
# Below the 10 MB that the hosted store lets an answer have; what else is in one has the rest.
_TOLD_LIMIT_BYTES = 8_000_000


class RedisStore(RedisHolding):
    """`Store` over one connection. Ended jobs expire `retention_ms` after their end.

    `told_limit_bytes`: of what an answer tells who works; of more than that only the size is told.
    `histories`, `held_steps`: what this process knows of what was said, and of the steps that it holds; by default
    nothing yet.
    """

    def __init__(
        self,
        connection: RedisConnection,
        retention_ms: int,
        histories: KnownHistories | None = None,
        held_steps: HeldSteps | None = None,
        *,
        told_limit_bytes: int = _TOLD_LIMIT_BYTES,
    ) -> None:
        super().__init__(connection)
        self._told_limit_bytes = told_limit_bytes
        self._retention_ms = retention_ms
        self._histories = histories or KnownHistories()
        self._held_steps = held_steps or HeldSteps()
        self._short_requests = ShortRequests(connection)

    async def create(self, changes: Changes, message_id: str, now_ms: int, spent: Spent = NOTHING) -> Created:
        """Write a new job carried by its witness, unless it is there."""
        job = changes.job
        if job is None:
            raise ValueError("a creation needs a job")
        fields = state_fields(changes, message_id)
        counts = canonical_json(usage_counts(spent))
        asked = await self._redis.ask(
            _text("create"),
            [
                keys.state_key(job.id),
                keys.transcript_key(job.id),
                keys.parts_key(job.id),
                keys.tombstone_key(job.id),
            ],
            [
                *(job.id, message_id, now_ms, counts, len(fields), len(changes.parts)),
                *(*fields, *changes.transcript, *changes.parts),
            ],
        )
        word, text, carried = asked.answer
        if word != "created":  # else it has counted itself
            asked.charge()
        if word == "gone":
            raise JobGoneError(job.id)
        return Created(word == "created", load_job(text), legs(carried))

    async def begin(self, claim: Claim) -> Begun:
        """Load and claim a leg."""
        job_id, known = claim.job_id, self._histories.of(claim.job_id)
        verdict, free_at_ms, carried, *told = await self._redis.run(
            _text("begin", *_CLAIMING),
            [
                keys.state_key(job_id),
                keys.calls_key(job_id),
                keys.transcript_key(job_id),
                keys.results_key(job_id),
                keys.parts_key(job_id),
                keys.tombstone_key(job_id),
            ],
            [
                *(job_id, claim.leg_key, claim.message_id, claim.owner),
                *(claim.now_ms, claim.lease_until_ms, claim.ticket, known.tag if known else ""),
                self._told_limit_bytes,
            ],
        )
        if verdict != Verdict.GRANTED:
            return Begun(Verdict(verdict), int(free_at_ms), carried=legs(carried))
        return replace(self._granted(told, known), carried=legs(carried))

    async def commit(self, claim: Claim, changes: Changes, spent: Spent, go_on: GoOn | None = None) -> Committed:
        """Remove the leg and write what follows from it, unless somebody did; claim what is gone on with."""
        before, step = self._histories.of(claim.job_id), self._held_steps.take(claim)
        known = self._histories.with_more(claim.job_id, changes.results, changes.transcript)
        beside = counting(changes)
        if step and (short := short_commit(claim, changes, step, go_on, (before, known))):
            if done := await self._in_short(short, spent, beside):
                return done
            beside = []  # it was counted beside that
        request = CommitRequest(
            claim.job_id,
            claim.leg_key,
            claim.message_id,
            claim.now_ms,
            self._retention_ms,
            owner=claim.owner,
            since_ms=claim.since_ms,
            run=claim.run,
            go_on=go_on,
            knows=known.tag if known else "",
            told_limit_bytes=self._told_limit_bytes,
        )
        asked = await self._write(request, changes, spent, beside)
        word, carried, claimed = asked.answer
        if word != "committed" or changes.ends:
            self._histories.forget(claim.job_id)
        told = [with_commit(self._granted(leg, known), asked) for leg in claimed]
        return Committed(word == "committed", legs(carried), tuple(told))

    async def _in_short(self, short: ShortCommit, spent: Spent, beside: Commands) -> Committed | None:
        """A short COMMIT's answer; None: the longer script is to be asked."""
        alone = not self._held_steps.has_any_of(short.claim.job_id)
        followed = await self._short_requests.ask(short, spent, beside, alone=alone)
        if followed is None:
            return None
        done = short.done(followed=followed)
        for begun in done.claimed:
            self._held_steps.keep(begun, short.text)
        return done

    def _granted(self, told: Sequence[Any], known: KnownHistory | None) -> Begun:
        begun, history = granted(told, known)
        if may_be_short(told):
            self._held_steps.keep(begun, told[0])
        if history is not None and begun.state is not None:
            self._histories.keep(begun.state.job.id, history)
        return begun

    async def load(self, job_id: str) -> Loaded | None:
        """A job, for deciding on a fact from outside."""
        text = await self._redis.execute("HGET", keys.state_key(job_id), f"job:{job_id}")
        return Loaded(load_job(text), text) if text else None

    async def record(
        self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int, spent: Spent = NOTHING
    ) -> tuple[Recorded, Carried]:
        """Write what follows from a fact, if the job is still as it was loaded."""
        request = CommitRequest(loaded.job.id, "", message_id, now_ms, self._retention_ms, loaded.version)
        answer = (await self._write(request, changes, spent, counting(changes))).answer
        return Recorded(answer[0]), legs(answer[1])

    async def tell(
        self, job_id: str, message_id: str, fact: OutsideFact, now_ms: int, spent: Spent = NOTHING
    ) -> Outside:
        """A fact ends a wait, or is kept until there is one."""
        asked = await self._redis.ask(
            _text("tell"),
            [
                keys.state_key(job_id),
                keys.calls_key(job_id),
                keys.results_key(job_id),
                keys.tombstone_key(job_id),
            ],
            [
                *(job_id, message_id, now_ms, fact.call_id, fact.event, fact.id, fact.outcome, fact.run),
                canonical_json(usage_counts(spent)),
            ],
        )
        word, job, carried = asked.answer
        heeded = Heeded(word)
        if not heeded.is_new:  # else it has counted itself
            asked.charge()
        return Outside(heeded, load_job(job) if job else None, legs(carried))

    async def _write(self, request: CommitRequest, changes: Changes, spent: Spent, beside: Commands) -> Asked:
        """Ask for a long COMMIT; `beside`: what travels beside it."""
        family: list[str] = []
        for _ in range(_FAMILY_ATTEMPTS):
            declared = request.keys(changes, family)
            arguments = request.arguments(changes, with_counting(spent, beside), family)
            asked = await self._redis.ask(_text("commit", *_CLAIMING, "used"), declared, arguments, beside)
            answer = asked.answer
            if answer[0] != "committed":  # else it has counted itself
                asked.charge()
            if answer[0] == "talk":
                changes, beside = said_anew(changes), []
            elif answer[0] == "family":
                family, beside = sorted(answer[1]), []
            else:
                return asked
        raise StoreError(f"job {request.job_id} cannot end: jobs below it are started faster than they can be counted")

    async def undelivered(self, claim: Claim, source_message_id: str, *, throttled: bool = False) -> Undelivered:
        """Count that the queue gave up on the source message; once for each callback message."""
        job, leg, call, carried = await self._redis.run(
            _text("undelivered"),
            [keys.state_key(claim.job_id), keys.calls_key(claim.job_id)],
            [
                *(claim.job_id, claim.leg_key, source_message_id, claim.message_id, claim.call_id, claim.now_ms),
                int(throttled),
            ],
        )
        if not job:
            return Undelivered(None)
        stored = load_job(job)
        state = State(stored, load_leg(leg), load_call(call) if call else None) if leg else None
        return Undelivered(state, legs(carried), stored.session_id)

    async def look(
        self, root_id: str, message_id: str, now_ms: int, lost_after_ms: int, book: Book, only: str = ""
    ) -> Looked:
        """Legs without progress get this message as carrier; wishes that the admission forgot are wished again."""
        answer = await self._redis.run(_text("look"), *looking(root_id, message_id, now_ms, lost_after_ms, book, only))
        return looked_of(answer)

    async def look_all(
        self, trees: Mapping[str, Book], message_id: str, now_ms: int, lost_after_ms: int
    ) -> dict[str, Looked]:
        """Look at many trees in one request; where one cannot be looked at, none is said to be."""
        asked = [looking(root_id, message_id, now_ms, lost_after_ms, book) for root_id, book in trees.items()]
        answers = await self._redis.run_each(_text("look"), asked)
        return {root_id: looked_of(answer) for root_id, answer in zip(trees, answers, strict=True)}

    async def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> bool:
        """Append parts in mid-work, only while the claim holds the leg."""
        asked = await self._redis.ask(
            _text("append"),
            [keys.state_key(claim.job_id), keys.parts_key(claim.job_id)],
            [claim.leg_key, claim.owner, sequence, text_id, *parts],
            adding(checkpoints_in(parts)),
        )
        if asked.answer == _APPENDED:  # then the leg counts it
            charge(commands=asked.beside_commands, size_bytes=asked.size_bytes + asked.beside_bytes)
        else:
            asked.charge()
        return bool(asked.answer)
