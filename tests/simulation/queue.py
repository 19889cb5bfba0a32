"""The queue as publishers see it: acceptance, deduplication, batches accepted in part, answers lost (qstash.md 5, 6).

What becomes of an accepted message is in delivery.py. Ids count up, so that the same schedule has the same ids.
"""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from baton.testing.dice import number_of
from baton_events.errors import BatonError, PartialPublishError, PublishError, QueueUnreachableError
from baton_events.ids import event_job_id
from baton_events.messages import Outgoing
from baton_events.schema import EVENTS_ENDPOINT, SWEEP_ENDPOINT, TOPIC_SUFFIXES, EventType
from tests.simulation.constants import DEDUPLICATION_SECONDS, LONGEST_DELAY_SECONDS
from tests.simulation.invocation import CURRENT
from tests.simulation.offloading import is_request, job_of_answer
from tests.simulation.versions import event_of_another_version, is_newer_version, is_other_version

if TYPE_CHECKING:
    from tests.simulation.world import World

QUEUE_URL = "https://queue.test"
_PARTIAL = 41


@dataclass(slots=True, eq=False)
class Message:
    """An accepted message.

    Attributes:
        name: what it is about and the how-manieth of its kind; stable when faults elsewhere are switched off.
        kind: `loop`, `wish`, `call`, `wait`, `complete`, `failed`, `witness`, `sweep`, `look` (whether the
            store is back), `event`, `letter` (a dead one), `callback`, `request` (to a provider) or `answer` (its).
        source: the message that a failure callback is about. copies: deliveries that are not settled yet.
        job_id: the job that it is about; empty for a sweep, and for an event of a batch. event_id: what it brings, or
            whose failure it tells.
        due_at: when it may be delivered first. by: who published it. newer: an instance of a newer version did, and
            says so in the event.
    """

    id: str
    name: str
    number: int
    kind: str
    url: str
    outgoing: Outgoing
    accepted_at: float
    due_at: float
    source: "Message | None" = None
    copies: int = 1
    job_id: str = ""
    event_id: str = ""
    by: str = ""
    newer: bool = False
    cancelled: bool = False


class Pages(NamedTuple):
    """How many equal messages for a sweep were accepted."""

    body: str
    times: int


def a_page_is_requested_once(pages: Pages) -> str | None:
    """In the name of one message, however often that comes: else the pages of an outage multiply by pages.

    A retry may be later than the queue knows repeats, and then there is one more.
    """
    if pages.times > 2 and "relayId" in pages.body:
        return f"{pages.body} is under way {pages.times} times"
    return None


ON_SWEEP = (a_page_is_requested_once,)


class SimQueue:
    """`Queue` over a world.

    `live`: messages not settled, by id; `live_events`: how many bring an event; `sent_by`: who published a message.
    `sent_about`: who published something about which job.
    `dead`: failure callbacks that are dead letters, by id, with the last status.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._count = 0
        self._names: dict[str, int] = {}
        self._seen: dict[str, tuple[float, str]] = {}
        self.live: dict[str, Message] = {}
        self.live_events: Counter[str] = Counter()
        self.dead: dict[str, tuple[Message, int]] = {}
        self.sent_by: dict[str, str] = {}
        self.sent_about: set[tuple[str, str]] = set()
        self.accepted: Counter[str] = Counter()
        self._pages: dict[str, list[float]] = {}

    async def publish(self, messages: Sequence[Outgoing]) -> list[str]:
        if not messages:
            return []
        if is_other_version(self._world, CURRENT.get()):
            messages = [structs.replace(message, body=event_of_another_version(message.body)) for message in messages]
        try:
            delays = [self._delay(message) for message in messages]
            return await self._world.wire.request(
                "queue.publish", "queue", "queue", lambda: self._accept_all(messages, delays), unreachable
            )
        except PublishError:
            CURRENT.get().unsent = True
            raise

    async def cancel(self, message_id: str) -> None:
        await self._world.wire.request("queue.cancel", "queue", "queue", lambda: self._cancel(message_id), unreachable)

    async def close(self) -> None:
        pass

    def _accept_all(self, messages: Sequence[Outgoing], delays: Sequence[float]) -> list[str]:
        who, world = CURRENT.get(), self._world
        if len(messages) == 1 or not world.faults.strikes("refuse", f"{who.name}:{who.calls}:batch"):
            return [self.accept(*each) for each in zip(messages, delays, strict=True)]
        taken = [world.dice.chance(0.5, _PARTIAL, who.number, who.calls, position) for position in range(len(messages))]
        world.record(who, f"the queue takes {sum(taken)} of {len(messages)} messages")
        good = [position for position, good in enumerate(taken) if good]
        accepted = {position: self.accept(messages[position], delays[position]) for position in good}
        failed = {position: "quota" for position, good in enumerate(taken) if not good}
        if not failed:
            return list(accepted.values())
        who.faulty = True
        raise PartialPublishError(accepted, failed)

    def accept(self, outgoing: Outgoing, delay: float = 0.0, source: Message | None = None) -> str:
        """Take a message in, or answer a repeat with the id of the first."""
        now, key = self._world.loop.seconds, outgoing.deduplication_id
        if known := self.known(key):
            self._world.note(f"{known} stands for a repeat of {key}")
            self._world.memory.swallowed(outgoing)
            return known
        message = self._new(outgoing, now + delay, source)
        if message.kind == "sweep":
            self._world.check(ON_SWEEP, self.pages_of(outgoing.body, now))
        self._world.hosting.accepted(message)
        if key:
            self._seen[key] = (now + DEDUPLICATION_SECONDS, message.id)
        self.live[message.id], self.sent_by[message.id] = message, message.by
        self.sent_about.add((message.by, message.job_id))
        self.live_events[message.event_id] += 1
        self.accepted[message.job_id] += 1
        self._world.accepted(message)
        return message.id

    def pages_of(self, body: str, now: float) -> Pages:
        """Count what was accepted like this within the time in which the queue knows a repeat."""
        times = [at for at in self._pages.get(body, ()) if now - at < DEDUPLICATION_SECONDS]
        self._pages[body] = [*times, now]
        return Pages(body, len(times) + 1)

    def known(self, deduplication_id: str) -> str:
        until, known = self._seen.get(deduplication_id, (0.0, ""))
        return known if self._world.loop.seconds < until else ""

    def revive(self, dead_id: str) -> bool:
        """A failure callback that is a dead letter still becomes a new message, in which its source lives on."""
        message, _ = self.dead.pop(dead_id, (None, 0))
        if message is None or message.source is None:
            return False
        source = message.source
        source.copies += 1
        if source.id not in self.live:
            self.live[source.id] = source
            self.live_events[source.event_id] += 1
        self.accept(message.outgoing, source=source)
        return True

    def _delay(self, outgoing: Outgoing) -> float:
        """For how long the publisher wants it kept: by its own clock, in whole seconds, rounded up (publisher.py)."""
        if not outgoing.not_before_ms:
            return 0.0
        now_ms = self._world.now_ms() + CURRENT.get().skew_ms
        return min(max(math.ceil((outgoing.not_before_ms - now_ms) / 1000), 0), LONGEST_DELAY_SECONDS)

    def settle(self, message: Message) -> None:
        self.live.pop(message.id, None)
        self.live_events[message.event_id] -= 1

    def _cancel(self, message_id: str) -> None:
        message = self.live.get(message_id)
        if message is not None and not message.cancelled:
            message.cancelled = True
            self._world.delivery.cancelled(message)

    def _new(self, outgoing: Outgoing, due_at: float, source: Message | None) -> Message:
        url = outgoing.url or self._world.topics[outgoing.topic]
        kind, job_id = _kind_and_job(url, outgoing)
        kind = "callback" if source else kind or _kind(outgoing)
        about = source.name if source else outgoing.headers.get("x-event-id", outgoing.label or "all")
        about = f"{kind}:{about}"
        how_manieth = self._names[about] = self._names.get(about, 0) + 1
        name = f"{about}#{how_manieth}"
        self._count += 1
        who = CURRENT.get(None)
        return Message(
            id=f"msg_{self._count}",
            name=name,
            number=number_of(name),
            kind=kind,
            url=url,
            outgoing=outgoing,
            accepted_at=self._world.loop.seconds,
            due_at=due_at,
            source=source,
            job_id=source.job_id if source else job_id or outgoing.headers.get("x-job-id", ""),
            event_id=source.event_id if source else outgoing.headers.get("x-event-id", ""),
            by=who.name if who else "",
            newer=who is not None and "x-event-id" in outgoing.headers and is_newer_version(self._world, who),
        )


def _kind_and_job(url: str, outgoing: Outgoing) -> tuple[str, str]:
    """What a message is that brings no event of a job, and the job that it is about; empty: it is another message."""
    if is_request(outgoing):
        return "request", outgoing.label
    if job_id := job_of_answer(url):
        return "answer", job_id
    if EVENTS_ENDPOINT not in url:
        return "", ""
    event = json.loads(outgoing.body)
    kind = "letter" if "deadLetter" in event else "event"
    about_batches, _, agent = event["name"].partition(".")
    if kind == "event" and about_batches == "batch":
        return kind, ""  # of whichever job its batch will be
    return kind, event_job_id(event["id"], agent)


_KINDS: dict[str, str] = {
    EventType.LOOP_INIT: "loop",
    EventType.TOOL_CALL: "call",
    EventType.TOOL_COMPLETE: "complete",
    EventType.TOOL_FAILED: "failed",
}
assert set(_KINDS) == set(TOPIC_SUFFIXES), "each event type has a kind"


def _kind(outgoing: Outgoing) -> str:
    if outgoing.url.endswith(SWEEP_ENDPOINT):
        return "look" if '"awayMs":' in outgoing.body else "sweep"
    kind = _KINDS[outgoing.headers["x-event-type"]]
    if kind == "loop" and '"slotRequest":' in outgoing.body:
        return "wish"
    if kind == "complete" and '"wait":' in outgoing.body:
        return "wait"
    return "witness" if kind == "loop" and '"command":' in outgoing.body else kind


def unreachable(reason: str) -> BatonError:
    return QueueUnreachableError(QUEUE_URL, reason)
