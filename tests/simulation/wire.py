"""The way of one request from a function to the store or the queue and back, with all that may go wrong on it.

Invariant: what is asked is applied at one moment, whole or not at all; nothing of a dead invocation comes back. The
numbers: a request has the time that the settings give it (STORE_TIMEOUT_SECONDS); what a
request that was given up does is done within the time that the queue waits before it delivers again.
"""

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from baton_events.errors import BatonError
from tests.simulation.constants import MESSAGE_RETRY_DELAY_SECONDS, QUEUE_TIMEOUT_SECONDS, STORE_TIMEOUT_SECONDS
from tests.simulation.invocation import CURRENT, Invocation

if TYPE_CHECKING:
    from tests.simulation.world import World

_T = TypeVar("_T")
_LATENCY, _LAG, _PAUSE = 31, 32, 33
# Of the queue's wait before it delivers again: what was given up is done by then.
_DONE_BY = 0.8


def at_once(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """The result of a coroutine of a fake, which never waits."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: _T = end.value
        return result
    raise AssertionError("a fake waits for something")


class Wire:
    def __init__(self, world: "World") -> None:
        self._world = world

    async def request(
        self,
        point: str,
        group: str,
        target: str,
        apply: Callable[[], _T],
        error: Callable[[str], BatonError],
        struck: Callable[[str], None] = lambda _fault: None,
        *,
        rare: bool = False,
        beside: bool = False,
    ) -> _T:
        """Apply `apply` at `target` ("store" or "queue") at some moment and give its answer, unless a fault strikes.

        `struck`: is told so. `rare`: who asks it does so seldom (faults.py). `beside`: it is none of
        an invocation's work, which goes on meanwhile.
        """
        world, who = self._world, CURRENT.get()
        self.step(who, point)
        faults, loop = world.faults, world.loop
        fault = faults.pick(who, point, group, rare=rare)
        if fault:
            self._begins(who, point, fault, struck)
        roll = world.dice.roll(_LATENCY, who.number, who.calls)
        await loop.sleep(0.001 + 0.05 * roll * roll)
        if faults.outages and faults.down(target):
            self._begins(who, point, "down", struck)
            who.check_alive()
            raise error(f"the {target} is down")
        if not fault:
            answer = apply()
            who.check_alive()  # its process may have died meanwhile
            return answer
        if beside and fault.startswith("crash"):  # its work may be over before it notices
            who.ended = True
        if group == "store-in-work":  # a tool that talks must not run into its time limit: that is not its script
            roll /= 4
        try:
            answer = await self._faulty(fault, target, roll, apply, error)
        except BatonError:
            who.check_alive()
            raise
        who.check_alive()
        return answer

    def _begins(self, who: Invocation, point: str, fault: str, struck: Callable[[str], None]) -> None:
        who.faulty = True
        struck(fault)
        if self._world.story.kept:
            self._world.record(who, f"{point}: {fault}")

    def step(self, who: Invocation, point: str) -> None:
        """Count a call to the world; a dead invocation makes none."""
        if who.dead:
            self.stop(who, point)
        who.calls += 1

    def stop(self, who: Invocation, point: str) -> NoReturn:
        """End what a dead invocation does besides; where it has swallowed its crash, say so."""
        if not who.check_alive():
            self._world.broken("a_crash_ends_an_invocation", f"{who.name} goes on to {point} after it crashed")
        raise who.crash()

    async def _faulty(
        self, fault: str, target: str, roll: float, apply: Callable[[], _T], error: Callable[[str], BatonError]
    ) -> _T:
        who = CURRENT.get()
        who.stalled = who.stalled or not fault.startswith("crash")
        match fault:
            case "crash-before" | "crash-after" | "crash-late":
                self._apply_then(fault, roll, apply)
                raise who.crash()
            case "timeout-before" | "timeout-after" | "late":
                self._apply_then(fault, roll, apply)
                limit_seconds = QUEUE_TIMEOUT_SECONDS if target == "queue" else STORE_TIMEOUT_SECONDS
                await self._world.loop.sleep(limit_seconds)
                raise error(f"no answer within {limit_seconds:g} s ({fault})")
            case "refused":
                raise error("too many requests (429)")
            case "twice":
                apply()
                await self._world.loop.sleep(4 * roll)
                who.check_alive()
                return apply()
            case "again":
                answer = apply()
                self._later(4 * roll, apply)
                return answer
            case "slow":
                await self._world.loop.sleep(9 * roll)
                who.check_alive()
                return apply()
            case _:
                return await self._paused(fault, roll, apply)

    def _apply_then(self, fault: str, roll: float, apply: Callable[[], object]) -> None:
        """What becomes of a request whose sender does not wait for the answer."""
        if fault.endswith("after"):
            apply()
        elif fault == "late":
            self._later(STORE_TIMEOUT_SECONDS + _DONE_BY * MESSAGE_RETRY_DELAY_SECONDS * roll, apply)
        elif fault == "crash-late":
            self._later(8 * roll, apply)

    async def _paused(self, fault: str, roll: float, apply: Callable[[], _T]) -> _T:
        """The whole process stands still for a while, as a frozen function does."""
        seconds = 20 + 400 * roll * roll
        if int(1000 * roll) % 2:  # until just after the queue has delivered again, and somebody else has taken over
            limit_seconds = CURRENT.get().limit_seconds or self._world.plan.message_timeout_seconds
            seconds = limit_seconds + 10.1 + 3 * roll
        if fault == "pause-before":
            await self._world.loop.sleep(seconds)
            CURRENT.get().check_alive()  # its host may have ended it meanwhile
            return apply()
        answer = apply()
        await self._world.loop.sleep(seconds)
        CURRENT.get().check_alive()
        return answer

    def _later(self, seconds: float, apply: Callable[[], object]) -> None:
        loop, world = self._world.loop, self._world

        def act() -> None:
            if not world.faults.down("store"):
                CURRENT.get().zombie = True
                with suppress(BatonError):  # refused, and nobody hears of it
                    apply()

        loop.call_later(seconds, act)
