"""An account of the queue: looked at and changed through the ports. The adapters of operators' commands are built here.

The local stack registers topics and the sweep's schedule with its queue as `baton setup` does with the hosted one.
A queue that does not take them is no reason not to start: events go by direct URL unless PUBLISH_BY says otherwise.
Invariant: applying a change twice is as applying it once. Must not: decide what to change, or print.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

from baton.queue.account import QueueSetup, TopicEndpoint
from baton.queue.ports import Schedules
from baton.queue.qstash.schedules import QStashSchedules
from baton.queue.qstash.setup import QStashSetup
from baton.sdk.agents.loader import RegistryNotLoadedError, load_registry
from baton.sdk.clock import SystemClock
from baton.settings.settings import Settings, read_settings
from baton.worker.wiring import queue_in_store
from baton_events.emitter import sealing_in
from baton_events.errors import MessageNotFoundError, PublishError, QueueRefusedError, SettingsError, TopicNotFoundError
from baton_events.messages import Queue
from baton_events.publisher import SdkPublisher
from baton_local.setup.wanted import (
    Change,
    CodedSchedule,
    DeleteSchedule,
    DeleteTopic,
    Found,
    MakeUp,
    PutDefaults,
    PutEndpoint,
    PutSchedule,
    RemoveEndpoint,
    coded_schedule,
    difference,
    missed_message,
    wanted_of,
)


class Account:
    """One account. Each method raises PublishError and its kinds."""

    def __init__(
        self, setup: QueueSetup, schedules: Schedules, queue: Queue | None = None, settings: Settings | None = None
    ) -> None:
        self._setup, self._schedules, self._queue = setup, schedules, queue
        self._settings = settings or Settings(publish_by="topic")

    @classmethod
    def of(cls, settings: Settings) -> "Account":
        """Return the account that the settings name; nothing is opened before it is used."""
        if settings.queue == "redis":
            made = queue_in_store(settings)
            return cls(made.setup, made.schedules, made.queue, settings)
        return cls(QStashSetup(settings), QStashSchedules(settings), SdkPublisher(settings), settings)

    async def read(self) -> Found:
        return Found(await self._setup.topics(), await self._schedules.all())

    async def apply(self, change: Change) -> str:
        """Do one thing; what could not be done and does not matter is said, else it is empty."""
        match change:
            case PutEndpoint(topic, endpoint):
                return await self._put_endpoint(topic, endpoint)
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
            case MakeUp(coded, at_ms):
                assert self._queue is not None, "it is the account of settings"
                await self._queue.publish([missed_message(coded, self._settings, at_ms)])
            case _:
                assert_never(change)
        return ""

    async def _put_endpoint(self, topic: str, endpoint: TopicEndpoint) -> str:
        try:
            await self._setup.put_endpoint(topic, endpoint)
        except QueueRefusedError as error:  # a plan may have room for one topic only
            if self._settings.publish_by == "topic":
                raise
            return f"{error}; PUBLISH_BY=url does not use it"
        return ""

    async def _put_schedule(self, change: PutSchedule) -> None:
        schedule = change.schedule
        try:
            await self._schedules.put(schedule.id, schedule.cron, schedule.message)
        except QueueRefusedError as error:
            raise QueueRefusedError(f"schedule {schedule.id} ({schedule.cron!r}): {error}") from error
        await self._schedules.pause(schedule.id, paused=change.paused)

    async def close(self) -> None:
        if self._queue is not None:
            await self._queue.close()
        await self._setup.close()
        await self._schedules.close()


async def code_of(settings: Settings) -> tuple[tuple[str, ...], tuple[CodedSchedule, ...] | None]:
    """Return the app events that the deployment's handlers take, and its schedules; the samples have none.

    Schedules are None where BATON_APP cannot be imported from here. Raises RegistryNotLoadedError: it cannot be
    imported, and PUBLISH_BY=topic needs the topics of its events.
    """
    if settings.app == Settings().app:
        return (), ()
    sys.path.insert(0, str(Path.cwd()))  # as `baton dev` and uvicorn do
    try:
        registry = load_registry(settings.app)
    except RegistryNotLoadedError:
        if settings.publish_by == "topic":
            raise
        return (), None
    await sealing_in(settings).ready()  # a schedule's texts are sealed
    return registry.handlers.events, tuple(coded_schedule(registry, each, settings) for each in registry.schedules)


async def register(environment: Mapping[str, str]) -> str | None:
    """Register what the app with this environment needs; return None, or in one line why the queue did not take it.

    A schedule that is no longer in the code is deleted: nobody else has the local queue.
    """
    try:
        settings = read_settings(environment)
    except SettingsError:
        return None  # the app says so itself
    account = Account.of(settings)
    try:
        wanted, now_ms = wanted_of(settings, *await code_of(settings)), SystemClock().now_ms()
        found = difference(wanted, await account.read(), now_ms)
        gone = [change for change in found.left if isinstance(change, DeleteSchedule)]
        for change in (*found.changes, *gone):
            await account.apply(change)
    except RegistryNotLoadedError:
        return None  # so does it of this
    except PublishError as error:
        return f"the queue did not take its topics and the hourly sweep: {error}"
    finally:
        await account.close()
    return None
