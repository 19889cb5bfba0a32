"""What is between an account of the queue as it is and as a deployment needs it, as a list of changes. Pure.

Invariant: `changes` only adds and changes what is ours; whatever takes something away is in `left`, and only what
carries our prefix ever gets there. Applying `changes` leaves none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from baton.queue.account import Topic, TopicEndpoint
from baton.queue.ports import QueueSchedule
from baton_events.timestamps import rfc3339
from baton_local.qstash.core.schedules import parse_cron
from baton_local.setup.wanted import CodedSchedule, Wanted, WantedSchedule

_GRACE_MS = 60_000


@dataclass(frozen=True, slots=True)
class PutEndpoint:
    """Add an endpoint to a topic, or change it; `before`: where it delivered to, empty: nowhere."""

    topic: str
    endpoint: TopicEndpoint
    before: str = ""


@dataclass(frozen=True, slots=True)
class PutDefaults:
    """Set what messages of others to a topic have."""

    topic: Topic


@dataclass(frozen=True, slots=True)
class RemoveEndpoint:
    """Take an endpoint out of a topic."""

    topic: str
    endpoint: TopicEndpoint


@dataclass(frozen=True, slots=True)
class DeleteTopic:
    """Delete a topic that no code knows."""

    topic: str


@dataclass(frozen=True, slots=True)
class PutSchedule:
    """Make a schedule, or change it; `why`: what is not as it should be, empty: it is not there.

    `paused`: whether people have paused it, and it stays so.
    """

    schedule: WantedSchedule
    why: str = ""
    paused: bool = False


@dataclass(frozen=True, slots=True)
class MakeUp:
    """Start the job of a time that the queue has missed."""

    coded: CodedSchedule
    at_ms: int


@dataclass(frozen=True, slots=True)
class DeleteSchedule:
    """Delete a schedule that no code knows."""

    schedule_id: str


Change = PutEndpoint | PutDefaults | RemoveEndpoint | DeleteTopic | PutSchedule | DeleteSchedule | MakeUp


def described(change: Change) -> str:
    """Return one line for people: `+` is added, `~` changed, `-` taken away."""
    match change:
        case PutEndpoint(topic, endpoint, before):
            return f"~ topic {topic}: {before} → {endpoint.url}" if before else f"+ topic {topic} → {endpoint.url}"
        case PutDefaults(topic):
            options = ", ".join(f"{name} {value}" for name, value in topic.defaults.items())
            return f"~ topic {topic.name}: messages without options get {options}"
        case RemoveEndpoint(topic, endpoint):
            return f"- topic {topic}: endpoint {endpoint.name or 'without a name'} → {endpoint.url or 'an address'}"
        case DeleteTopic(topic):
            return f"- topic {topic}"
        case PutSchedule() | DeleteSchedule() | MakeUp():
            return _described_schedule(change)


def _described_schedule(change: PutSchedule | DeleteSchedule | MakeUp) -> str:
    match change:
        case PutSchedule(schedule, why):
            line = f"schedule {schedule.id}: {schedule.cron} → {schedule.message.topic or schedule.message.url}"
            return f"~ {line} ({why})" if why else f"+ {line}"
        case DeleteSchedule(schedule_id):
            return f"- schedule {schedule_id}"
        case MakeUp(coded, at_ms):
            return f"+ job of schedule {coded.id} for {rfc3339(at_ms)}, which was missed"


@dataclass(frozen=True, slots=True)
class Found:
    """What an account has, also of others."""

    topics: tuple[Topic, ...] = ()
    schedules: tuple[QueueSchedule, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What to do, and what only `--prune` does: it would take something away."""

    changes: tuple[Change, ...] = ()
    left: tuple[Change, ...] = ()


def difference(wanted: Wanted, found: Found, now_ms: int = 0) -> Difference:
    """Return what makes the account as it should be; with a time also what makes up for what its queue has missed."""
    topics = {topic.name: topic for topic in found.topics}
    schedules = {schedule.id: schedule for schedule in found.schedules}
    changes = [change for topic in wanted.topics for change in _of_topic(topic, topics.get(topic.name))]
    changes += [change for each in wanted.schedules for change in _of_schedule(each, schedules.get(each.id))]
    for each in wanted.schedules if now_ms else ():
        known = schedules.get(each.id)
        if each.coded is not None and known is not None and not known.paused and known.cron == each.cron:
            changes += [MakeUp(each.coded, at_ms) for at_ms in _missed_ms(each.coded, known, now_ms)]
    return Difference(tuple(changes), (*_left_topics(wanted, topics), *_left_schedules(wanted, schedules)))


def _of_topic(topic: Topic, known: Topic | None) -> Iterator[Change]:
    (endpoint,) = topic.endpoints
    there = known.endpoints if known is not None else ()
    if all(each.url != endpoint.url for each in there):
        before = next((each.url for each in there if each.name == endpoint.name), "")
        yield PutEndpoint(topic.name, endpoint, before)
    described = {name.lower(): value for name, value in (known.defaults if known is not None else {}).items()}
    if any(described.get(name.lower()) != value for name, value in topic.defaults.items()):
        yield PutDefaults(topic)


def _of_schedule(schedule: WantedSchedule, known: QueueSchedule | None) -> Iterator[Change]:
    if known is None:
        yield PutSchedule(schedule)
        return
    message = schedule.message
    wrong = {
        f"it sends to {known.destination}": known.destination != (message.topic or message.url),
        f"its cron expression is {known.cron!r}": known.cron != schedule.cron,
        "it has another failure callback": known.failure_callback != message.failure_callback,
        "it is paused": known.paused and schedule.coded is None,
        "its job is another": schedule.coded is not None and not schedule.coded.is_brought_by(known.body),
    }
    why = ", ".join(each for each, holds in wrong.items() if holds)
    if why:
        yield PutSchedule(schedule, why, paused=known.paused and schedule.coded is not None)


def _missed_ms(coded: CodedSchedule, known: QueueSchedule, now_ms: int) -> list[int]:
    """Return the latest times that a schedule had while its queue was away; the last minute is the queue's own."""
    begin_ms, cron, found = known.last_ms or known.created_ms, parse_cron(coded.cron), list[int]()
    for hours in (1, 24, 31 * 24, 366 * 24) if coded.backfill else ():
        after_ms: int | None = max(begin_ms, now_ms - hours * 3_600_000)
        found = []
        while after_ms is not None and (after_ms := cron.next_after_ms(after_ms)) and after_ms < now_ms - _GRACE_MS:
            found.append(after_ms)
        if len(found) >= coded.backfill:
            break
    return found[-coded.backfill :] if coded.backfill else []


def _left_topics(wanted: Wanted, topics: Mapping[str, Topic]) -> Iterator[Change]:
    ours = {topic.name: topic for topic in wanted.topics}
    for name, topic in topics.items():
        if name in ours:
            yield from (RemoveEndpoint(name, each) for each in _others(ours[name].endpoints[0], topic.endpoints))
        elif name.startswith(wanted.prefixes):
            yield DeleteTopic(name)


def _others(ours: TopicEndpoint, there: Sequence[TopicEndpoint]) -> list[TopicEndpoint]:
    """Return endpoints that get every event as well.

    Twice the same address: the named one goes, since the queue takes an endpoint without a name out by its address, and
    with it the other.
    """
    twice = len([each for each in there if each.url == ours.url]) > 1
    others = [each for each in there if each.url != ours.url and each.name != ours.name]
    return [*others, *(each for each in there if twice and each == ours)]


def _left_schedules(wanted: Wanted, schedules: Mapping[str, QueueSchedule]) -> Iterator[Change]:
    ours = {schedule.id for schedule in wanted.schedules}
    for schedule_id in schedules:
        if schedule_id.startswith(wanted.prefixes) and schedule_id not in ours:
            yield DeleteSchedule(schedule_id)
