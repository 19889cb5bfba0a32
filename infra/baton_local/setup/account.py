"""An account of the queue: looked at and changed through the ports. The adapters of operators' commands are built here.

Invariant: applying a change twice is as applying it once. Must not: decide what to change, or print.
"""

from typing import assert_never

from baton.adapters.queue_setup import QStashSetup
from baton.adapters.schedules import QStashSchedules
from baton.configuration.settings import Settings
from baton.ports import Schedules
from baton.ports.queue_setup import QueueSetup
from baton_events.errors import MessageNotFoundError, QueueRefusedError, TopicNotFoundError
from baton_local.setup.change import (
    Change,
    DeleteSchedule,
    DeleteTopic,
    PutDefaults,
    PutEndpoint,
    PutSchedule,
    RemoveEndpoint,
)
from baton_local.setup.difference import Found


class Account:
    """One account. Each method raises PublishError and its kinds."""

    def __init__(self, setup: QueueSetup, schedules: Schedules, *, needs_topics: bool = True) -> None:
        self._setup = setup
        self._schedules = schedules
        self._needs_topics = needs_topics

    @classmethod
    def of(cls, settings: Settings) -> "Account":
        """The account that the settings name; nothing is opened before it is used."""
        needs_topics = settings.publish_by == "topic"
        return cls(QStashSetup(settings), QStashSchedules(settings), needs_topics=needs_topics)

    async def look(self) -> Found:
        """What it has."""
        return Found(await self._setup.topics(), await self._schedules.all())

    async def apply(self, change: Change) -> str:
        """Do one thing; what could not be done and does not matter is said, else it is empty."""
        match change:
            case PutEndpoint(topic, endpoint):
                try:
                    await self._setup.put_endpoint(topic, endpoint)
                except QueueRefusedError as error:  # a plan may have room for one topic only
                    if self._needs_topics:
                        raise
                    return f"{error}; PUBLISH_BY=url does not use it"
            case PutDefaults(topic):
                try:
                    await self._setup.put_defaults(topic.name, topic.defaults)
                except (TopicNotFoundError, MessageNotFoundError):
                    return "this queue takes no defaults for topics; every message of Baton has its own options"
            case RemoveEndpoint(topic, endpoint):
                await self._setup.remove_endpoints(topic, [endpoint])
            case DeleteTopic(topic):
                await self._setup.delete_topic(topic)
            case PutSchedule():
                await self._put_schedule(change)
            case DeleteSchedule(schedule_id):
                await self._schedules.delete(schedule_id)
            case _:
                assert_never(change)
        return ""

    async def _put_schedule(self, change: PutSchedule) -> None:
        schedule = change.schedule
        await self._schedules.put(schedule.id, schedule.cron, schedule.message)
        await self._schedules.pause(schedule.id, paused=False)

    async def close(self) -> None:
        """Close connections."""
        await self._setup.close()
        await self._schedules.close()
