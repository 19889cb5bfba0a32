"""The store on Upstash Redis: each method is one script on one hash tag; the scripts are in lua/.

Invariant: nothing is read, decided here and written: what depends on what is recorded is computed in the script.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from events.adapters import keys
from events.adapters.commit_request import CommitRequest, said_anew, state_fields
from events.adapters.figures import adding
from events.adapters.redis import RedisConnection, script
from events.core.admission import Book
from events.core.counts import checkpoints_in
from events.core.effects import Changes
from events.core.legs import Leg
from events.core.records import (
    load_call,
    load_job,
    load_leg,
    load_results,
    load_spend,
)
from events.core.state import Job, Level, State
from events.errors import JobGoneError, StoreError
from events.ids import canonical_json, root_of
from events.ports import (
    Begun,
    Carried,
    Claim,
    Committed,
    Created,
    Heeded,
    History,
    Loaded,
    Looked,
    Outside,
    OutsideFact,
    Recorded,
    Spent,
    Undelivered,
    Verdict,
)

_text = cache(script)
# A job that ends names the jobs below it; each attempt learns of those that were started meanwhile.
_FAMILY_ATTEMPTS = 5


class RedisStore:
    """`Store` over one connection. Ended jobs expire `retention_ms` after their end."""

    def __init__(self, connection: RedisConnection, retention_ms: int) -> None:
        self._redis = connection
        self._retention_ms = retention_ms

    async def create(self, changes: Changes, message_id: str, now_ms: int) -> Created:
        """Write a new job carried by its witness, unless it is there."""
        job = changes.job
        if job is None:
            raise ValueError("a creation needs a job")
        fields = state_fields(changes, message_id)
        answer = await self._redis.run(
            _text("create"),
            [
                keys.state_key(job.id),
                keys.transcript_key(job.id),
                keys.parts_key(job.id),
                keys.tombstone_key(job.id),
            ],
            [job.id, message_id, now_ms, len(fields), len(changes.parts), *fields, *changes.transcript, *changes.parts],
        )
        if answer[0] == "gone":
            raise JobGoneError(job.id)
        return Created(answer[0] == "created", load_job(answer[1]), _legs(answer[2]))

    async def begin(self, claim: Claim) -> Begun:
        """Load and claim a leg."""
        job_id = claim.job_id
        answer = await self._redis.run(
            _text("begin"),
            [
                keys.state_key(job_id),
                keys.calls_key(job_id),
                keys.transcript_key(job_id),
                keys.results_key(job_id),
                keys.parts_key(job_id),
                keys.tombstone_key(job_id),
            ],
            [
                job_id,
                claim.leg_key,
                claim.message_id,
                claim.owner,
                claim.now_ms,
                claim.lease_until_ms,
                claim.call_id,
                claim.part,
            ],
        )
        verdict, free_at_ms, commands, job, leg, call, carried, transcript, results, outcome, after, levels = answer
        state = None
        if verdict == Verdict.GRANTED:
            dependants = tuple(load_call(text) for text in after if text)
            loaded, record = load_job(job), load_call(call) if call else None
            state = State(loaded, load_leg(leg), record, outcome, dependants, _levels(loaded, levels))
        history = History(
            tuple(json.loads(entry) for entry in transcript),
            load_results(dict(zip(results[::2], results[1::2], strict=True))),
            state.job.untold if state and transcript else (0, 0),
        )
        return Begun(Verdict(verdict), int(free_at_ms), state, history, _legs(carried), int(commands))

    async def commit(self, claim: Claim, changes: Changes, spent: Spent) -> Committed:
        """Remove the leg and write what follows from it, unless somebody did."""
        request = CommitRequest(
            claim.job_id,
            claim.leg_key,
            claim.message_id,
            claim.now_ms,
            self._retention_ms,
            owner=claim.owner,
            run=claim.run,
        )
        spent = replace(spent, commands=spent.commands + len(_counting(changes)))
        answer = await self._write(request, changes, spent)
        return Committed(answer[0] == "committed", _legs(answer[1]))

    async def load(self, job_id: str) -> Loaded | None:
        """A job, for deciding on a fact from outside."""
        text = await self._redis.execute("HGET", keys.state_key(job_id), f"job:{job_id}")
        return Loaded(load_job(text), text) if text else None

    async def record(self, loaded: Loaded, message_id: str, changes: Changes, now_ms: int) -> tuple[Recorded, Carried]:
        """Write what follows from a fact, if the job is still as it was loaded."""
        request = CommitRequest(loaded.job.id, "", message_id, now_ms, self._retention_ms, loaded.version)
        answer = await self._write(request, changes, Spent(messages=1, requests=1, commands=1))
        return Recorded(answer[0]), _legs(answer[1])

    async def tell(self, job_id: str, message_id: str, fact: OutsideFact, now_ms: int) -> Outside:
        """A fact ends a wait, or is kept until there is one."""
        word, job, carried = await self._redis.run(
            _text("tell"),
            [
                keys.state_key(job_id),
                keys.calls_key(job_id),
                keys.results_key(job_id),
                keys.tombstone_key(job_id),
            ],
            [job_id, message_id, now_ms, fact.call_id, fact.event, fact.id, fact.outcome, fact.run],
        )
        return Outside(Heeded(word), load_job(job) if job else None, _legs(carried))

    async def _write(self, request: CommitRequest, changes: Changes, spent: Spent) -> Any:
        family: list[str] = []
        counting = _counting(changes)
        for _ in range(_FAMILY_ATTEMPTS):
            declared = request.keys(changes, family)
            arguments = request.arguments(changes, spent, family)
            answer = await self._redis.run(_text("commit"), declared, arguments, counting)
            if answer[0] == "talk":
                changes, counting = said_anew(changes), []
            elif answer[0] == "family":
                family, counting = sorted(answer[1]), []
            else:
                return answer
        raise StoreError(f"job {request.job_id} cannot end: jobs below it are started faster than they can be counted")

    async def undelivered(self, claim: Claim, source_message_id: str) -> Undelivered:
        """Count that the queue gave up on the source message; once for each callback message."""
        job, leg, call, carried = await self._redis.run(
            _text("undelivered"),
            [keys.state_key(claim.job_id), keys.calls_key(claim.job_id)],
            [claim.job_id, claim.leg_key, source_message_id, claim.message_id, claim.call_id, claim.now_ms],
        )
        if not job:
            return Undelivered(None)
        stored = load_job(job)
        state = State(stored, load_leg(leg), load_call(call) if call else None) if leg else None
        return Undelivered(state, _legs(carried), stored.session_id)

    async def look(
        self, root_id: str, message_id: str, now_ms: int, lost_after_ms: int, book: Book, only: str = ""
    ) -> Looked:
        """Legs without progress get this message as carrier; wishes that the admission forgot are wished again."""
        entries = {
            name: {"lap": entry.lap, "want": entry.want, "slot": entry.slot}
            for name, entry in book.items()
            if root_of(name) == root_id
        }
        job, lost, ended, forgotten = await self._redis.run(
            _text("look"),
            [keys.state_key(root_id)],
            [root_id, message_id, now_ms, lost_after_ms, canonical_json(entries), only],
        )
        if not job:
            return Looked(known=False)
        session_id = load_job(job).session_id
        return Looked(
            known=True, lost=_legs(lost), session_id=session_id, ended=tuple(ended), forgotten=tuple(forgotten)
        )

    async def append(self, claim: Claim, sequence: int, parts: Sequence[str], text_id: str = "") -> bool:
        """Append parts in mid-work, only while the claim holds the leg."""
        answer = await self._redis.run(
            _text("append"),
            [keys.state_key(claim.job_id), keys.parts_key(claim.job_id)],
            [claim.leg_key, claim.owner, sequence, text_id, *parts],
            adding(checkpoints_in(parts)),
        )
        return bool(answer)


def _counting(changes: Changes) -> list[list[str | int]]:
    used: list[list[str | int]] = [["HINCRBY", keys.TOOL_USE, changes.used.count, 1]] if changes.used else []
    return [*used, *adding(changes.counts)]


def _levels(own: Job, flat: Sequence[Any]) -> tuple[Level, ...]:
    rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
    return tuple(Level(load_job(job) if job else own, load_spend(below), int(tokens)) for job, below, tokens in rows)


def _legs(texts: Sequence[str]) -> tuple[Leg, ...]:
    return tuple(load_leg(text) for text in texts)
