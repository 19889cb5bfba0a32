"""What BEGIN and COMMIT are asked and answer."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from baton.core.legs import Leg
from baton.core.state import State


class Verdict(StrEnum):
    """What BEGIN found.

    `busy` and `early` say when to come again; `gated`: the job has no slot, and wishes for one; `applied`: no such leg;
    `unknown`: no such job.
    """

    GRANTED = "granted"
    BUSY = "busy"
    EARLY = "early"
    GATED = "gated"
    APPLIED = "applied"
    UNKNOWN = "unknown"


class Claim(Struct, frozen=True):
    """Who asks for a leg, and for how long.

    `run`: the job's run in which it was granted: what was begun in an earlier one is not committed. `since_ms`: of a
    turn's leg, as it was granted: one that a failover made to be added anew is asked of other results; 0: no turn's.
    """

    job_id: str
    leg_key: str
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


class Begun(Struct, frozen=True):
    """BEGIN's answer. `state` is there when granted; `carried`: the other legs that the message still carries."""

    verdict: Verdict
    free_at_ms: int = 0
    state: State | None = None
    history: History = msgspec.field(default_factory=History)
    carried: tuple[Leg, ...] = ()


class Committed(Struct, frozen=True):
    """COMMIT's answer. `applied`: False when the leg was gone, and nothing was written.

    `claimed`: the legs that were claimed for its invocation to go on with, as BEGIN tells them; `carried`: the others
    that the message carries, but for those that the invocation has in hand. Where its leg had been handed on, or
    claimed, by somebody else, the message may be acknowledged at any time: nothing is claimed, and what is carried is
    handed on, too.
    """

    applied: bool
    carried: tuple[Leg, ...] = ()
    claimed: tuple[Begun, ...] = ()
