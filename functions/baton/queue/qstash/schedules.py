"""`Schedules` through the official SDK."""

import contextlib

from qstash.schedule import Schedule

from baton.queue.ports import QueueSchedule
from baton.queue.qstash.client import QStashClient
from baton.settings.settings import Settings
from baton_events.errors import MessageNotFoundError
from baton_events.messages import Outgoing
from baton_events.publisher import flow_control


class QStashSchedules:
    """The queue's schedules over one SDK client."""

    def __init__(self, settings: Settings) -> None:
        self._client = QStashClient(settings)

    async def all(self) -> tuple[QueueSchedule, ...]:
        found = await self._client.request(self._client.sdk.schedule.list())
        return tuple(sorted((_schedule(each) for each in found), key=lambda each: each.id))

    async def find(self, schedule_id: str) -> QueueSchedule | None:
        try:
            return _schedule(await self._client.request(self._client.sdk.schedule.get(schedule_id)))
        except MessageNotFoundError:
            return None

    async def put(self, schedule_id: str, cron: str, message: Outgoing) -> None:
        request = self._client.sdk.schedule.create(
            destination=message.topic or message.url,
            cron=cron,
            body=message.body,
            content_type="application/json",
            method="POST",
            headers=dict(message.headers),
            retries=message.retries,
            retry_delay=message.waits.expression,
            flow_control=flow_control(message.flow),
            failure_callback=message.failure_callback or None,
            timeout=message.timeout_seconds,
            schedule_id=schedule_id,
            label=message.label or None,
        )
        await self._client.request(request)

    async def pause(self, schedule_id: str, *, paused: bool) -> None:
        schedule = self._client.sdk.schedule
        await self._client.request(schedule.pause(schedule_id) if paused else schedule.resume(schedule_id))

    async def delete(self, schedule_id: str) -> None:
        """Delete a schedule; an unknown one is no error."""
        with contextlib.suppress(MessageNotFoundError):
            await self._client.request(self._client.sdk.schedule.delete(schedule_id))

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        await self._client.close()


def _schedule(found: Schedule) -> QueueSchedule:
    return QueueSchedule(
        id=found.schedule_id,
        destination=found.destination,
        cron=found.cron,
        body=found.body or "",
        failure_callback=found.failure_callback or "",
        paused=bool(found.paused),
        created_ms=found.created_at,
        next_ms=found.next_schedule_time or 0,
        last_ms=found.last_schedule_time or 0,
        last={message_id: state.value for message_id, state in (found.last_schedule_states or {}).items()},
        error=found.error or "",
    )
