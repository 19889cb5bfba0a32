"""What a deployment needs in its account of the queue, topics and schedules, and what it lacks there.

Also whether a queue can reach the deployment at all, as far as the addresses tell. Invariant: everything that it makes
is known by a name that begins with the deployment's prefix and a dot, so that two deployments on one account, each with
its own QSTASH_TOPIC_PREFIX, do not meet. It follows from code and settings alone, so the queue's can be compared with
it: `changes` of the difference only add and change what is ours; whatever takes something away is in `left`, and only
what carries our prefix ever gets there. Applying `changes` leaves none.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from baton.queue.account import Topic, TopicEndpoint
from baton.queue.ports import QueueSchedule
from baton.sdk.agents.registry import Registry
from baton.sdk.agents.schedule import Schedule
from baton.settings.settings import Settings
from baton.worker.commands.schedule import at_time, coded_prefix, coded_session_id, recurrence
from baton.worker.runtime.new_jobs import job_of
from baton_events.app_event import endpoint_of, topic_suffix
from baton_events.emitter import Delivery, message_of, message_to, sealing_in
from baton_events.messages import RETRIES, Outgoing, RetryWaits, delivery_seconds
from baton_events.schema import ENDPOINTS, SWEEP_ENDPOINT, WEBHOOK_ENDPOINTS, AgentLoopInit, EventType
from baton_events.sealed_messages import is_sealed_now
from baton_events.sealing import Sealing
from baton_events.setting import is_loopback
from baton_events.timestamps import rfc3339
from baton_local.qstash.core.schedules import parse_cron


class CodedSchedule(Struct, frozen=True):
    """A schedule of the queue as it should be; `event`: what it brings."""

    id: str
    cron: str
    message: Outgoing
    event: AgentLoopInit
    backfill: int
    sealing: Sealing

    def is_brought_by(self, body: str) -> bool:
        """Return whether a message with this body brings the event, and is sealed as one would be now."""
        return self.sealing.shown_message(body) == self.sealing.shown_message(self.message.body) and is_sealed_now(
            self.sealing.first, body
        )


def coded_schedule(registry: Registry, schedule: Schedule, settings: Settings) -> CodedSchedule:
    """Return a schedule in code as the queue should have it; its jobs are of the deployment's tenant (TENANT)."""
    schedule_id = f"{coded_prefix(settings)}{schedule.name}"
    ids = {"job_id": schedule_id, "session_id": coded_session_id(schedule.name), "tenant": settings.tenant}
    job = job_of(registry, schedule.agent_name, **ids, now_ms=0)
    about: dict[str, Any] = {"cron": schedule.cron, "timeZone": schedule.time_zone, "code": schedule.name}
    about |= {"overlap": schedule.overlap, "backfill": schedule.backfill}
    event = recurrence(schedule_id, job, {"text": schedule.task, "data": schedule.input_data or {}}, about)
    cron, message = f"CRON_TZ={schedule.time_zone} {schedule.cron}", message_of(settings, Delivery(event))
    return CodedSchedule(schedule_id, cron, message, event, schedule.backfill, sealing_in(settings))


def missed_message(coded: CodedSchedule, settings: Settings, at_ms: int) -> Outgoing:
    """Return the message that makes up for one time that the queue has missed."""
    return message_of(settings, Delivery(at_time(coded.event, at_ms)))


def unreachable_base(settings: Settings) -> str:
    """Return why the queue cannot reach the functions, with the way out; empty: nothing speaks against it."""
    here = [url for url in map(settings.endpoint_url, WEBHOOK_ENDPOINTS) if is_loopback(url)]
    if settings.queue == "redis" or is_loopback(settings.qstash_url) or not here:
        return ""
    return (
        f"{here[0]} is reached by this machine only, and the queue is {settings.qstash_url}: set "
        "WORKER_BASE_URL to the public address of the functions, or run `baton tunnel` for one"
    )


# An endpoint is put by its name, so that a new address replaces the old one instead of being a second (qstash.md 23).
ENDPOINT_NAME = "baton"
EVERY_HOUR = "0 * * * *"


@dataclass(frozen=True, slots=True)
class WantedSchedule:
    """A schedule as it should be. `coded`: one of the code, which people may pause."""

    id: str
    cron: str
    message: Outgoing
    coded: CodedSchedule | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything that a deployment needs; `prefixes`: what the names of all of it begin with."""

    prefixes: tuple[str, ...]
    topics: tuple[Topic, ...]
    schedules: tuple[WantedSchedule, ...]


def wanted_of(settings: Settings, events: Iterable[str] = (), coded: Iterable[CodedSchedule] | None = None) -> Wanted:
    """Return what the deployment with these settings needs.

    `settings`: the deployment's. `events`: the names of its app events. `coded`: its schedules in code; None: they are
    not known.
    """
    prefix = f"{settings.topic_prefix}."
    sweep = WantedSchedule(
        f"{prefix}sweep", EVERY_HOUR, message_to(settings, SWEEP_ENDPOINT, "")
    )  # an empty body is the backstop's
    core = (_topic(settings, settings.topic(kind), ENDPOINTS[kind]) for kind in EventType)
    own = (_topic(settings, f"{prefix}{topic_suffix(name)}", endpoint_of(name)) for name in events)
    in_code = (WantedSchedule(each.id, each.cron, each.message, each) for each in coded or ())
    prefixes = (prefix,) if coded is None else (prefix, coded_prefix(settings))
    return Wanted(prefixes, (*core, *own), (sweep, *in_code))


def _topic(settings: Settings, name: str, endpoint: str) -> Topic:
    there = TopicEndpoint(settings.endpoint_url(endpoint), ENDPOINT_NAME)
    # For messages of others, such as a test from the queue's console: ours carry their own options.
    defaults = {
        "Upstash-Retries": str(RETRIES),
        "Upstash-Retry-Delay": RetryWaits(settings.message_retry_delay_ms).expression,
        "Upstash-Timeout": f"{delivery_seconds(endpoint, settings.message_timeout_seconds)}s",
        "Upstash-Failure-Callback": settings.failure_callback_url,
    }
    return Topic(name, (there,), defaults)


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
            line = f"~ topic {topic}: {before} → {endpoint.url}" if before else f"+ topic {topic} → {endpoint.url}"
        case PutDefaults(topic):
            options = ", ".join(f"{name} {value}" for name, value in topic.defaults.items())
            line = f"~ topic {topic.name}: messages without options get {options}"
        case RemoveEndpoint(topic, endpoint):
            line = f"- topic {topic}: endpoint {endpoint.name or 'without a name'} → {endpoint.url or 'an address'}"
        case DeleteTopic(topic):
            line = f"- topic {topic}"
        case PutSchedule(schedule, why):
            line = f"schedule {schedule.id}: {schedule.cron} → {schedule.message.topic or schedule.message.url}"
            line = f"~ {line} ({why})" if why else f"+ {line}"
        case DeleteSchedule(schedule_id):
            line = f"- schedule {schedule_id}"
        case _:
            line = f"+ job of schedule {change.coded.id} for {rfc3339(change.at_ms)}, which was missed"
    return line


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
    ours = {schedule.id for schedule in wanted.schedules}
    gone = [name for name in schedules if name.startswith(wanted.prefixes) and name not in ours]
    return Difference(tuple(changes), (*_left_topics(wanted, topics), *map(DeleteSchedule, gone)))


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
