"""Tools that are not async: what they do in a thread takes virtual time, and nothing ends it; by name, what must hold.

In the worlds of `BLOCKING_SEEDS` (plan.py) half of the calls are of such tools, and many of them are stuck: for a
little longer than their limit, for minutes, for hours, or for ever. Beyond one to three of those a process is replaced:
by whoever asks for `/healthz`, or, as on Lambda, after its answer. What is at work in it goes on to its end.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from baton.testing import asgi
from tests.simulation.invariants import Write
from tests.simulation.invocation import CURRENT
from tests.simulation.scripts import BLOCKING_TOOLS
from tests.simulation.starting import Run, Start
from tests.simulation.watching import of

if TYPE_CHECKING:
    from tests.simulation.world import World

# A call starts so soon after its claim: whatever else hangs, nothing waits in line for a thread.
STARTS_SECONDS = 5.0
# Whoever asks for the health of a process does so this often; a function takes so long until its answer.
_REQUESTED_SECONDS, _ANSWERED_SECONDS = 10.0, 900.0


class Threads:
    """`InThread` of one world, in virtual time; and who looks after the processes in which threads hang."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._started = list[Run]()

    async def __call__(self, function: Callable[..., Any], /, *arguments: Any) -> Any:
        """What the function does: it goes on, whoever waits for it no longer."""
        thread = asyncio.ensure_future(function(*arguments))
        thread.add_done_callback(_is_seen)
        return await asyncio.shield(thread)

    def started(self, run: Run) -> None:
        """A blocking tool has started: whether it hangs, and then its process, is looked at in time."""
        self._started = [one for one in self._started if one.goes_on or one.who.process is run.who.process]
        self._started.append(run)
        loop, over = self._world.loop, run.limit_seconds + _REQUESTED_SECONDS
        if self._world.plan.probed:
            loop.call_later(over, self._world.start, self._probe, run)
        bound = 2 * _REQUESTED_SECONDS if self._world.plan.probed else _ANSWERED_SECONDS
        loop.call_later(over + bound, self._check, run)

    def answered(self, process: Any) -> None:
        """A process has answered: one that is unhealthy ends after that, where nobody asks for its health."""
        plan = self._world.plan
        if plan.most_hung and not plan.probed and process.container.running_calls.fault():
            self._world.hosts.replace(process)

    async def _probe(self, run: Run) -> None:
        hosts, process = self._world.hosts, run.who.process
        if process is None or not run.goes_on or not hosts.is_there(process):
            return
        CURRENT.set(run.who)  # somebody's clock
        answer = await asgi.request(process, "/healthz", {}, b"", "GET")
        if answer.status != asgi.OK:
            hosts.replace(process)

    def _check(self, run: Run) -> None:
        world = self._world
        hang = sum(one.goes_on and one.who.process is run.who.process and _is_late(world, one) for one in self._started)
        if world.hosts.is_there(run.who.process) and hang > world.plan.most_hung:
            text = f"{hang} calls hang in one process, and it goes on; {world.plan.most_hung} are allowed"
            world.broken("a_process_in_which_too_much_hangs_is_replaced", text)


def _is_seen(thread: "asyncio.Future[Any]") -> None:
    """Nobody may wait for its end any more."""
    with suppress(asyncio.CancelledError):
        thread.exception()


def _is_late(world: "World", run: Run) -> bool:
    return world.loop.seconds - run.started_at > run.limit_seconds + _REQUESTED_SECONDS


def one_copy_runs_in_a_process(start: Start) -> str | None:
    """Of one idempotency key; nothing ends a thread, so a second attempt waits for the first one."""
    for run in start.world.actors.runs.get(start.context.call_id, ()):
        if run.goes_on and run.limit_seconds and run.who.process is start.run.who.process and run.key == start.run.key:
            return f"{run.item_key} still runs in the process in which {start.run.item_key} starts"
    return None


def a_call_starts_with_its_claim(start: Start) -> str | None:
    """However many others hang; but a later attempt waits for one before it which runs in its process."""
    world, run = start.world, start.run
    waited_seconds = world.loop.seconds - run.claimed_at
    if waited_seconds <= STARTS_SECONDS or run.who.faulty or run.who.stalled:
        return None
    if any(
        one.who.process is run.who.process and _went_on(one, run.claimed_at)
        for one in world.actors.runs.get(start.context.call_id, ())
    ):
        return None
    return f"{run.item_key} starts {waited_seconds:.1f} s after its claim"


def a_time_out_is_of_a_call_that_runs(write: Write) -> str | None:
    if write.claim is None or not write.claim.call_id or write.world.plan.most_hung == 0:
        return None
    world, claim = write.world, write.claim
    old = write.before.calls.get(claim.job_id, {}).get(claim.call_id)
    now = write.after.calls.get(claim.job_id, {}).get(claim.call_id)
    if old is None or now is None or now.attempts <= old.attempts or now.tool not in BLOCKING_TOOLS:
        return None
    if now.error is None or now.error.type != "timeout":
        return None
    claimed_at, process = world.actors.claimed_at(claim), CURRENT.get().process
    runs = world.actors.runs.get(claim.call_id, ())
    if any(run.who.process is process and _went_on(run, claimed_at) for run in runs):
        return None
    return f"{claim.item_key} is said to be too slow, and no attempt of it ran"


def _went_on(run: Run, since: float) -> bool:
    return run.goes_on or run.ended_at >= since


ON_BLOCKING_START = (one_copy_runs_in_a_process, a_call_starts_with_its_claim)
ON_TIME_OUT = (of("calls", a_time_out_is_of_a_call_that_runs),)
