"""Hosts that run only so many of each function at once, and a queue that knows it; by name, what must hold of both.

In the worlds of `CROWDED_SEEDS` (plan.py) a host has a place or two for each function, and whoever stands before it
answers 429, 502, 503 or 504 beyond. In half of them messages say how many are delivered at once (flow control).
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from baton.engine.attempts import THROTTLED
from baton.testing.asgi import Answer
from baton.testing.dice import Dice
from baton_events.messages import Flow
from tests.simulation.invariants import Write
from tests.simulation.watching import of

if TYPE_CHECKING:
    from tests.simulation.delivery import Attempt
    from tests.simulation.world import World

_STATUS = 151


class Places:
    """The places of one world's host. `refused`: how many found none."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._at_work = defaultdict[str, set["Attempt"]](set)
        self._answer = Answer(Dice(world.plan.seed).one_of(sorted(THROTTLED), _STATUS), (), b"no place")
        self.refused = 0

    def refusal(self, attempt: "Attempt") -> Answer | None:
        """What is answered for want of a place; None: it has one now, until it leaves."""
        world, places, message = self._world, self._world.plan.places, attempt.message
        here = self._at_work[message.url]
        if places and len(here) >= places:
            self.refused += 1
            # The queue does not count who works on after it has stopped to wait for it.
            if world.plan.flows and not any(other.over for other in here):
                text = f"{message.url} has no place for {message.outgoing.flow}"
                world.broken("nobody_is_refused_whom_the_queue_holds_back", text)
            return self._answer
        here.add(attempt)
        return None

    def leave(self, attempt: "Attempt") -> None:
        """Its place is free again: it has ended, or its process has."""
        self._at_work[attempt.message.url].discard(attempt)


class Flows:
    """Whom the queue holds back, by the key of a message, in the order in which they came."""

    def __init__(self) -> None:
        self._at_work = Counter[str]()
        self._line = defaultdict[str, deque[Callable[[], None]]](deque)

    def admit(self, flow: Flow, begin: Callable[[], None]) -> bool:
        """Whether a delivery may begin; else it is begun when others like it are over."""
        if not flow.key:
            return True
        if self._at_work[flow.key] >= flow.parallelism:
            self._line[flow.key].append(begin)
            return False
        self._at_work[flow.key] += 1
        return True

    def leave(self, flow: Flow) -> None:
        """A delivery is over, as the queue knows: who is next begins."""
        if not flow.key:
            return
        self._at_work[flow.key] -= 1
        line = self._line[flow.key]
        while line and self._at_work[flow.key] < flow.parallelism:
            line.popleft()()


def nothing_is_spent_for_want_of_a_place(write: Write) -> str | None:
    """No step spends anything of its budget, unless a delivery about its job failed for want of something else."""
    if not write.world.plan.places:
        return None
    failing = write.world.delivery.failing
    for key, item in write.after.items.items():
        if item.undelivered and item is not write.before.items.get(key) and item.job_id not in failing:
            return f"{key} found no place, and counts as undelivered {item.undelivered} times"
    return None


ON_PLACES = (of("items", nothing_is_spent_for_want_of_a_place),)
