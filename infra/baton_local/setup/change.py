"""One thing that setup does to an account of the queue: a closed union of frozen records, told for people. Pure."""

from dataclasses import dataclass

from baton.ports.queue_setup import Topic, TopicEndpoint
from baton_local.setup.wanted import WantedSchedule


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
    """Make a schedule, or change it; `why`: what is not as it should be, empty: it is not there."""

    schedule: WantedSchedule
    why: str = ""


@dataclass(frozen=True, slots=True)
class DeleteSchedule:
    """Delete a schedule that no code knows."""

    schedule_id: str


Change = PutEndpoint | PutDefaults | RemoveEndpoint | DeleteTopic | PutSchedule | DeleteSchedule


def told(change: Change) -> str:
    """One line for people: `+` is added, `~` changed, `-` taken away."""
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
        case PutSchedule(schedule, why):
            line = f"schedule {schedule.id}: {schedule.cron} → {schedule.message.url}"
            return f"~ {line} ({why})" if why else f"+ {line}"
        case DeleteSchedule(schedule_id):
            return f"- schedule {schedule_id}"
