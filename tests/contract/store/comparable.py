"""What both sides begin with, and their answers made comparable."""

import re
from dataclasses import replace
from typing import Any

from msgspec import structs

from baton.core.state import Usage
from baton.ports import Begun, Committed, Created, Looked, Outside, Snapshot, StoredParts, Undelivered
from tests.contract.store.operations import JOB_IDS, Operation
from tests.contract.store.sample import NOW_MS, a_job, by_key, creation


def comparable(answer: Any) -> Any:
    """An answer without what may differ: the order of what is carried."""
    match answer:
        case Begun():
            return structs.replace(_told(answer), carried=tuple(by_key(answer.carried)))
        case Outside():
            return replace(answer, legs=tuple(by_key(answer.legs)))
        case Committed():
            claimed = tuple(_told(begun) for begun in answer.claimed)
            return structs.replace(answer, carried=tuple(by_key(answer.carried)), claimed=claimed)
        case Created() | Undelivered():
            return replace(answer, carried=tuple(by_key(answer.carried)))
        case Looked():
            return replace(answer, lost=tuple(by_key(answer.lost)))
        case _:
            return replace(answer, usage=_uncounted(answer.usage)) if isinstance(answer, Snapshot) else answer


def _told(begun: Begun) -> Begun:
    state = begun.state
    return (
        begun if state is None else structs.replace(begun, state=structs.replace(state, usage=_uncounted(state.usage)))
    )


def _uncounted(usage: Usage) -> Usage:
    """Without what only a real store counts."""
    before = {name: much for name, much in usage.before.items() if name not in ("redis_commands", "redis_bytes")}
    return structs.replace(usage, redis_commands=0, redis_bytes=0, stamp="", before=before)


def uncounted(read: StoredParts) -> StoredParts:
    """Parts without what only a real store counts."""
    parts = tuple(re.sub(r',"redis(Commands|Bytes)":\d+', "", text) for text in read.parts)
    return replace(read, parts=parts)


def creations() -> list[Operation]:
    """Every job, created with a slot by one message."""

    def operation(job_id: str) -> Operation:
        new = creation(a_job(job_id))
        return Operation(f"create {job_id}", lambda side: side.store.create(new, "m1", NOW_MS))

    return [operation(job_id) for job_id in JOB_IDS]
