"""The queue's schedules in memory."""

from dataclasses import dataclass, field

from msgspec.structs import replace

from baton.queue.ports import QueueSchedule
from baton_events.errors import MessageNotFoundError, QueueRefusedError
from baton_events.messages import Outgoing

_FIELDS = 5


@dataclass
class FakeSchedules:
    """`Schedules` in memory; nothing ticks by itself."""

    known: dict[str, QueueSchedule] = field(default_factory=dict[str, QueueSchedule])

    async def all(self) -> tuple[QueueSchedule, ...]:
        return tuple(self.known[name] for name in sorted(self.known))

    async def find(self, schedule_id: str) -> QueueSchedule | None:
        return self.known.get(schedule_id)

    async def put(self, schedule_id: str, cron: str, message: Outgoing) -> None:
        if len(cron.rsplit("CRON_TZ=", maxsplit=1)[-1].split()) - ("CRON_TZ=" in cron) != _FIELDS:
            raise QueueRefusedError(f"the queue refused the message: {cron!r} is no cron expression")
        self.known[schedule_id] = QueueSchedule(
            schedule_id, message.topic or message.url, cron, message.body, message.failure_callback
        )

    async def pause(self, schedule_id: str, *, paused: bool) -> None:
        if schedule_id not in self.known:
            raise MessageNotFoundError(f"there is no schedule {schedule_id!r}")
        self.known[schedule_id] = replace(self.known[schedule_id], paused=paused)

    async def delete(self, schedule_id: str) -> None:
        self.known.pop(schedule_id, None)

    async def close(self) -> None:
        """Nothing is open."""
