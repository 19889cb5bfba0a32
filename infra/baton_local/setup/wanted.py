"""What a deployment needs in its account of the queue: topics with endpoints, and schedules: the sweep's, the code's.

Also whether a queue can reach the deployment at all, as far as the addresses tell. Invariant: everything that it makes
is known by a name that begins with the deployment's prefix and a dot, so that two deployments on one account, each with
its own QSTASH_TOPIC_PREFIX, do not meet. It follows from code and settings alone, so the queue's can be compared with
it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

from baton.queue.account import Topic, TopicEndpoint
from baton.sdk.agents.registry import Registry
from baton.sdk.agents.schedule import Schedule
from baton.settings.settings import Settings
from baton.worker.commands.schedule import at_time, coded_prefix, coded_session_id, recurrence
from baton.worker.runtime.new_jobs import job_of
from baton_events.app_event import endpoint_of, topic_suffix
from baton_events.emitter import message_of, message_to, sealing_in
from baton_events.messages import RETRIES, Outgoing, RetryWaits, delivery_seconds
from baton_events.schema import ENDPOINTS, SWEEP_ENDPOINT, WEBHOOK_ENDPOINTS, AgentLoopInit, EventType
from baton_events.sealed_messages import is_sealed_now
from baton_events.sealing import Sealing
from baton_events.setting import is_loopback


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
    cron = f"CRON_TZ={schedule.time_zone} {schedule.cron}"
    return CodedSchedule(schedule_id, cron, message_of(settings, event), event, schedule.backfill, sealing_in(settings))


def missed_message(coded: CodedSchedule, settings: Settings, at_ms: int) -> Outgoing:
    """Return the message that makes up for one time that the queue has missed."""
    return message_of(settings, at_time(coded.event, at_ms))


def unreachable_base(settings: Settings) -> str:
    """Return why the queue cannot reach the functions, with the way out; empty: nothing speaks against it."""
    here = [url for url in map(settings.endpoint_url, WEBHOOK_ENDPOINTS) if is_loopback(url)]
    if is_loopback(settings.qstash_url) or not here:
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
    sweep = WantedSchedule(f"{prefix}sweep", EVERY_HOUR, _sweep(settings))
    core = (_topic(settings, settings.topic(kind), ENDPOINTS[kind]) for kind in EventType)
    own = (_topic(settings, f"{prefix}{topic_suffix(name)}", endpoint_of(name)) for name in events)
    in_code = (WantedSchedule(each.id, each.cron, each.message, each) for each in coded or ())
    prefixes = (prefix,) if coded is None else (prefix, coded_prefix(settings))
    return Wanted(prefixes, (*core, *own), (sweep, *in_code))


def _topic(settings: Settings, name: str, endpoint: str) -> Topic:
    there = TopicEndpoint(settings.endpoint_url(endpoint), ENDPOINT_NAME)
    return Topic(name, (there,), _defaults(settings, endpoint))


def _defaults(settings: Settings, endpoint: str) -> dict[str, str]:
    """Return defaults for messages of others, such as a test from the queue's console: ours carry their own."""
    return {
        "Upstash-Retries": str(RETRIES),
        "Upstash-Retry-Delay": RetryWaits(settings.message_retry_delay_ms).expression,
        "Upstash-Timeout": f"{delivery_seconds(endpoint, settings.message_timeout_seconds)}s",
        "Upstash-Failure-Callback": settings.failure_callback_url,
    }


def _sweep(settings: Settings) -> Outgoing:
    return message_to(settings, SWEEP_ENDPOINT, "")  # an empty body is the backstop's
