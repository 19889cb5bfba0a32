"""What CLAIM and COMMIT are asked and answer."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from baton.core.state import State
from baton.core.work_items import WorkItem


class Verdict(StrEnum):
    """What CLAIM found.

    `busy` and `early` say when to come again; `gated`: the job has no slot, and requests one; `applied`: no such work
    item; `unknown`: no such job.
    """

    GRANTED = "granted"
    BUSY = "busy"
    EARLY = "early"
    GATED = "gated"
    APPLIED = "applied"
    UNKNOWN = "unknown"


class Claim(Struct, frozen=True):
    """Who asks for a work item, and for how long.

    `run`: the job's run in which it was granted: what was begun in an earlier one is not committed. `since_ms`: of a
    turn's work item, as it was granted: one that a failover made to be added anew is asked of other results; 0: no
    turn's.
    """

    job_id: str
    item_key: str
    message_id: str
    owner: str
    now_ms: int
    lease_until_ms: int
    call_id: str = ""
    run: int = 1
    since_ms: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """What was said before: the transcript's entries in order, and the stored results of the tool calls in them.

    `untold`: positions from and up to which entries of the transcript are not among these (`Job.untold`).
    `size_bytes`: of all this, about. Over the store's limit for what is told at once, nothing of it is told.
    """

    transcript: tuple[dict[str, Any], ...] = ()
    results: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    untold: tuple[int, int] = (0, 0)
    size_bytes: int = field(default=0, compare=False)


class ClaimResult(Struct, frozen=True):
    """CLAIM's answer. `state` is there when granted; `pending`: the other work items that the message still carries."""

    verdict: Verdict
    free_at_ms: int = 0
    state: State | None = None
    history: History = msgspec.field(default_factory=History)
    pending: tuple[WorkItem, ...] = ()


class Committed(Struct, frozen=True):
    """COMMIT's answer. `applied`: False when the work item was gone, and nothing was written.

    `claimed`: the work items that were claimed for its invocation to go on with, as CLAIM tells them; `pending`: the
    others that the message carries, but for those that the invocation has in hand. Where its work item had been
    dispatched, or claimed, by somebody else, the message may be acknowledged at any time: nothing is claimed, and what
    is carried is dispatched, too.
    """

    applied: bool
    pending: tuple[WorkItem, ...] = ()
    claimed: tuple[ClaimResult, ...] = ()
