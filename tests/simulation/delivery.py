"""The queue as functions see it: deliveries, retries, time-outs, dead letters, failure callbacks (qstash.md 7-11).

A message is delivered at least once: it may have several copies, each with retries of its own, and is over when all of
them are settled.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from baton.engine.attempts import THROTTLED
from baton.testing.asgi import Answer
from baton.testing.dice import number_of
from baton.testing.queue import callback_of, delivery_headers
from baton.testing.virtual_loop import Crashed
from baton_events.ids import root_of
from baton_events.messages import Outgoing
from baton_local.qstash.core.retry_delay import next_delay_ms
from tests.simulation.guarantee import ON_SETTLE, Settled
from tests.simulation.instances import sign
from tests.simulation.invocation import Invocation
from tests.simulation.places import Flows, Places
from tests.simulation.queue import Message
from tests.simulation.versions import body_for

if TYPE_CHECKING:
    from tests.simulation.world import World

_HOP, _DUPLICATE, _LAG, _CUT = 51, 52, 53, 54
_COPIES = 4
# For so long a connection lasts at most before it is cut.
_LONGEST_SECONDS = 60.0


@dataclass(slots=True, eq=False)
class Attempt:
    """One delivery of one copy; `over`: the queue waits no longer for its answer."""

    message: Message
    copy: int
    retried: int
    over: bool = False


class Deliveries:
    """Delivers messages to the functions of a world.

    `lost`: the trees of which a message used up its retries and has no callback. `begun`: by message, the
    deliveries that have begun. `failing`: the jobs about which a delivery failed, for want of something else than a
    place.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self.lost: set[str] = set()
        self.failing: set[str] = set()
        self.begun: defaultdict[str, list[Invocation]] = defaultdict(list)
        self.times_dead: dict[str, int] = {}
        self.given_up: set[str] = set()
        self.places, self._flows = Places(world), Flows()

    def schedule(self, message: Message) -> None:
        world = self._world
        due = message.due_at
        self._deliver_at(due, Attempt(message, 0, 0))
        for copy in range(1, _COPIES):
            if not world.faults.strikes("duplicate", message.name, copy):
                return
            message.copies += 1
            lag = 100 * world.dice.roll(_DUPLICATE, message.number, copy)
            if lag > 98:
                lag = 86_400 * (lag - 98) / 2
            world.note(f"{message.name} will come again, {lag:.1f} s later")
            self._deliver_at(due + lag, Attempt(message, copy, 0))

    def cancelled(self, message: Message) -> None:
        """No delivery of it begins any more. One that was due may be under way: then it was taken back too late."""
        world = self._world
        world.note(f"{message.name} is cancelled")
        message.copies = 0
        for who in self.begun[message.id]:
            who.abandoned = True
        self._settled(message, "late" if message.due_at <= world.loop.seconds else "cancelled")

    def _deliver_at(self, at: float, attempt: Attempt) -> None:
        world, message = self._world, attempt.message
        question = (message.number, attempt.copy, attempt.retried)
        hop = 0.002 + 0.1 * world.dice.roll(_HOP, *question) ** 3
        if world.faults.strikes("lag", f"{message.name}/{attempt.copy}.{attempt.retried}"):
            hop += 30 * world.dice.roll(_LAG, *question) ** 4
        world.loop.call_at(max(at, world.loop.seconds) + hop, self._begin, attempt)

    def _begin(self, attempt: Attempt) -> None:
        message = attempt.message
        if message.cancelled:
            return
        silent_until = self._world.faults.silent_until() if self._world.faults.outages else 0.0
        if silent_until:
            self._deliver_at(silent_until, attempt)
            return
        if not self._flows.admit(message.outgoing.flow, lambda: self._begin(attempt)):
            return
        if message.kind == "request":
            self._world.start(self._world.provider.answer, message)
            return
        refusal = self.places.refusal(attempt)
        if refusal is not None:
            self._answered(attempt, refusal)
            return
        self._world.start(self._run, attempt)

    async def _run(self, attempt: Attempt) -> None:
        world, message = self._world, attempt.message
        name = f"{message.name}/{attempt.copy}.{attempt.retried}"
        limit_seconds = message.outgoing.timeout_seconds
        who = Invocation(name, number_of(name), message.kind, job_id=message.job_id, limit_seconds=limit_seconds)
        world.enroll(who)
        self.begun[message.id].append(who)
        limit = world.loop.call_later(limit_seconds, self._give_up, attempt, who)
        if world.faults.strikes("cut", name):
            lasts = _LONGEST_SECONDS * world.dice.roll(_CUT, message.number, attempt.copy, attempt.retried) ** 3
            world.loop.call_later(lasts, self._cut, attempt, who)
        world.hosting.started(who, message.url, lambda: self._gone(attempt))
        try:
            body = body_for(world, who, message).encode()
            with world.processes.at_work(who, lambda: self._gone(attempt)):
                answer = await world.post(
                    message.url,
                    delivery_headers(
                        message.outgoing, message.id, attempt.retried, sign(message.url, body, world.now_ms())
                    ),
                    body,
                )
        except Crashed:
            answer = None
        finally:
            self.places.leave(attempt)
        limit.cancel()
        answer = None if who.ended else answer
        world.returned(who, answer)
        if not attempt.over:
            attempt.over = True
            lost = answer is not None and world.faults.strikes("lost-ack", name)
            if lost:
                world.record(who, "the queue does not get the answer")
            self._answered(attempt, None if lost else answer)

    def _give_up(self, attempt: Attempt, who: Invocation) -> None:
        who.zombie = True
        self._world.record(who, "the queue waits no longer")
        self._lost(attempt)

    def _cut(self, attempt: Attempt, who: Invocation) -> None:
        if not attempt.over:
            who.cut = True
            self._world.record(who, "the queue has lost the connection")
            self._lost(attempt)

    def _gone(self, attempt: Attempt) -> None:
        """Whoever was to answer is no more, nor is the place that it had."""
        self.places.leave(attempt)
        self._lost(attempt)

    def _lost(self, attempt: Attempt) -> None:
        """There will be no answer, whatever becomes of who was to give it."""
        if not attempt.over:
            attempt.over = True
            self._answered(attempt, None)

    def _answered(self, attempt: Attempt, answer: Answer | None) -> None:
        message = attempt.message
        self._flows.leave(message.outgoing.flow)
        if message.cancelled:
            return
        if answer is None or not (answer.status < 300 or answer.status in THROTTLED):
            self.failing.add(message.job_id)
        if answer is not None and answer.status < 300:
            self._copy_settled(message)
        elif answer is not None and answer.status == 489 and answer.headers.get("upstash-nonretryable-error"):
            self._died(attempt, answer)
        elif attempt.retried < message.outgoing.retries:
            again = Attempt(message, attempt.copy, attempt.retried + 1)
            self._deliver_at(self._world.loop.seconds + retry_seconds(message, attempt.retried, answer), again)
        else:
            self._died(attempt, answer)

    def _copy_settled(self, message: Message) -> None:
        message.copies -= 1
        if message.copies == 0:
            self._settled(message, "delivered")

    def _died(self, attempt: Attempt, answer: Answer | None) -> None:
        """The retries of a copy are used up. A message with a failure callback lives on in it."""
        message, world = attempt.message, self._world
        world.note(f"the queue gives up on {message.name}")
        self.given_up.add(message.id)
        event_id = message.event_id
        if answer is None or answer.status not in THROTTLED:
            self.times_dead[event_id] = self.times_dead.get(event_id, 0) + 1
        if message.kind == "letter":
            world.dead_letters.add(message.job_id)
            self._copy_settled(message)
            return
        if message.outgoing.failure_callback:
            world.queue.accept(_callback(attempt, answer, world.now_ms()), source=message)
            return
        self.lost |= {root_of(world.job_of(message))} if message.job_id else set(world.trees)
        message.copies -= 1
        if message.copies == 0:
            if message.source is not None:
                world.queue.dead[message.id] = (message, answer.status if answer else 0)
            self._settled(message, "dead")

    def _settled(self, message: Message, how: str) -> None:
        world = self._world
        world.queue.settle(message)
        world.check(ON_SETTLE, Settled(world, f"{message.name} ({message.id})", how, world.trees_of(message)))
        source = message.source
        if source is not None:
            # What the source carried is the callback's to dispatch: only now is it over with the source.
            source.copies -= 1
            if source.copies == 0:
                self._settled(source, how)


def retry_seconds(message: Message, retried: int, answer: Answer | None = None) -> float:
    """The wait before the next retry, after so many: what the answer asks for, else the message."""
    if answer is not None and (requested := answer.headers.get("retry-after")):
        return next_delay_ms(None, retried, {"Retry-After": [requested]}, 0) / 1000
    return message.outgoing.waits.wait_ms(retried) / 1000


def _callback(attempt: Attempt, answer: Answer | None, now_ms: int) -> Outgoing:
    failed = replace(attempt.message.outgoing, url=attempt.message.url)
    report = callback_of(attempt.message.id, failed, attempt.retried, answer, now_ms)
    return replace(report, deduplication_id="")  # QStash's has none
