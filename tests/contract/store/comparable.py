"""What both sides begin with, and their answers made comparable."""

import re
from dataclasses import replace
from typing import Any

from msgspec import structs

from baton.engine.commit.answers import ClaimResult, Committed, Created, History, Reconciled, SignalAnswer, Undelivered
from baton.engine.state import Usage
from baton.engine.transcript import calls_in
from baton.store.records.jobs import Snapshot, StoredParts
from tests.contract.store.operations import JOB_IDS, Operation
from tests.contract.store.sample import NOW_MS, a_job, by_key, creation


def comparable(answer: Any) -> Any:
    """An answer without what may differ: the order of what is carried."""
    match answer:
        case ClaimResult():
            return structs.replace(_replayed(answer), pending=tuple(by_key(answer.pending)))
        case SignalAnswer():
            return replace(answer, items=tuple(by_key(answer.items)))
        case Committed():
            claimed = tuple(_replayed(claim_result) for claim_result in answer.claimed)
            return structs.replace(answer, pending=tuple(by_key(answer.pending)), claimed=claimed)
        case Created() | Undelivered():
            return replace(answer, pending=tuple(by_key(answer.pending)))
        case Reconciled():
            return replace(answer, stalled=tuple(by_key(answer.stalled)))
        case _:
            return replace(answer, usage=_uncounted(answer.usage)) if isinstance(answer, Snapshot) else answer


def _replayed(claim_result: ClaimResult) -> ClaimResult:
    state = claim_result.state
    if state is None:
        return claim_result
    state, history = structs.replace(state, usage=_uncounted(state.usage)), _told(claim_result.history)
    return structs.replace(claim_result, state=state, history=history)


def _told(history: History) -> History:
    """Its entries, and the results of the calls in them: whoever reads it all in one piece is given others, too."""
    if not history.transcript:
        return history
    named = set(calls_in(history.transcript))
    return replace(history, results={name: result for name, result in history.results.items() if name in named})


def _uncounted(usage: Usage) -> Usage:
    before = {name: much for name, much in usage.before.items() if name not in ("redis_commands", "redis_bytes")}
    return structs.replace(usage, redis_commands=0, redis_bytes=0, stamp="", before=before)


def uncounted(read: StoredParts) -> StoredParts:
    parts = tuple(re.sub(r',"redis(Commands|Bytes)":\d+', "", text) for text in read.parts)
    return replace(read, parts=parts)


def creations() -> list[Operation]:
    def operation(job_id: str) -> Operation:
        new = creation(a_job(job_id))
        return Operation(f"create {job_id}", lambda side: side.store.create(new, "m1", NOW_MS))

    return [operation(job_id) for job_id in JOB_IDS]
