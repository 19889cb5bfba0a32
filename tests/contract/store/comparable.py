"""What both sides begin with, and their answers made comparable."""

from dataclasses import replace
from typing import Any

from events.ports import Begun, Committed, Created, Looked, Outside, Snapshot, Undelivered
from tests.contract.store.operations import JOB_IDS, Operation
from tests.contract.store.sample import NOW_MS, a_job, by_key, creation


def comparable(answer: Any) -> Any:
    """An answer without what may differ: how many commands it took, and the order of what is carried."""
    match answer:
        case Begun():
            return replace(answer, commands=0, carried=tuple(by_key(answer.carried)))
        case Outside():
            return replace(answer, legs=tuple(by_key(answer.legs)))
        case Committed() | Created() | Undelivered():
            return replace(answer, carried=tuple(by_key(answer.carried)))
        case Looked():
            return replace(answer, lost=tuple(by_key(answer.lost)))
        case Snapshot():
            return replace(answer, usage=replace(answer.usage, redis_commands=0))
        case _:
            return answer


def creations() -> list[Operation]:
    """Every job, created with a slot by one message."""

    def operation(job_id: str) -> Operation:
        new = creation(a_job(job_id))
        return Operation(f"create {job_id}", lambda side: side.store.create(new, "m1", NOW_MS))

    return [operation(job_id) for job_id in JOB_IDS]
