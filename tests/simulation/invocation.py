"""Who is running: one delivery of a message to a function, or one call of the API.

Invariant: an invocation that crashed makes no further call to the world; one that does has swallowed the crash.
"""

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from baton.testing.virtual_loop import Crashed

if TYPE_CHECKING:
    from tests.simulation.hosts import Host


@dataclass(slots=True, eq=False)
class Invocation:
    """One run of a function.

    Attributes:
        name: unique in a world, stable when faults elsewhere are switched off; `number` is made of it.
        kind: `submit`, or what kind of message is handled; crash points are counted by it.
        instance: on which it runs; -1: nobody has asked. process: that instance's, in which it runs. skew_ms: how wrong
            its clock is. began_at: when it began.
        calls: calls to the world so far. zombie: the queue has given up waiting for it. cut: it has lost the
            connection. over: it has answered. ended: its host ended it. abandoned: its message was taken back
            meanwhile. stalled: a fault held it up.
        faulty: it met a fault of whatever kind. unsent: it could not publish. job_id: of the message.
        limit_seconds: how long the queue waits for it; 0: no message brought it.
        billed: some job has paid for its delivery; owes: one has written, and not paid it. bill_forgotten: a failover
            forgot that, and nobody may pay again, or a late copy of who paid.
    """

    name: str
    number: int
    kind: str
    instance: int = -1
    process: "Host | None" = None
    skew_ms: int = 0
    began_at: float = 0.0
    calls: int = 0
    dead: bool = False
    ended: bool = False
    zombie: bool = False
    cut: bool = False
    over: bool = False
    abandoned: bool = False
    stalled: bool = False
    faulty: bool = False
    unsent: bool = False
    job_id: str = ""
    limit_seconds: float = 0.0
    billed: bool = False
    owes: bool = False
    bill_forgotten: bool = False
    crashed_in: object = None

    def forget_bill(self) -> None:
        self.billed, self.bill_forgotten = False, True

    def crash(self) -> Crashed:
        """The crash to raise. All that it does at the same time dies with it."""
        self.dead, self.crashed_in = True, asyncio.current_task()
        return Crashed(self.name)

    def check_alive(self) -> bool:
        """Whether it may go on: in another task than the one that crashed it is stopped here, as the process is."""
        if self.dead and self.crashed_in is not asyncio.current_task():
            raise Crashed(self.name)
        return not self.dead


CURRENT: ContextVar[Invocation] = ContextVar("invocation")
