"""Schedules in the store: any pump publishes what is due, and the time that it is due for makes it one message.

Invariant: a schedule's next time is put forward only after its message is there, so that a pump which dies in between
makes none too few; the message is deduplicated, so that none is too many. Times missed while no pump ran are one.
"""

import logging
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from msgspec import Struct
from msgspec.json import Decoder, encode
from msgspec.structs import replace

from baton.queue.ports import QueueSchedule
from baton.queue.redis.publisher import Kept, RedisQueue
from baton.queue.redis.shards import SCHEDULE_ORDER, SCHEDULES, OnShards, Shards
from baton.sdk.clock import Clock
from baton_events.errors import MessageNotFoundError, QueueRefusedError, TopicNotFoundError
from baton_events.messages import Outgoing
from baton_events.timestamps import zone_of

_log = logging.getLogger("baton.pump")

_NAMED_ZONE, _FIELDS = ("CRON_TZ=", "TZ="), 5
_AT_ONCE = 100


class Planned(Struct, frozen=True, omit_defaults=True):
    """A schedule as it is kept. `last_id`: of the message that it made last; `error`: why the last time made none."""

    cron: str
    message: Outgoing
    created_ms: int
    next_ms: int
    last_ms: int = 0
    last_id: str = ""
    paused: bool = False
    error: str = ""


_planned_in = Decoder(Planned).decode


class RedisSchedules(OnShards):
    """`Schedules` of the queue in the store."""

    def __init__(self, shards: Shards, queue: RedisQueue, clock: Clock) -> None:
        self._shards, self._queue, self._clock = shards, queue, clock

    async def all(self) -> tuple[QueueSchedule, ...]:
        (flat,) = await self._shards.run_commands(["HGETALL", SCHEDULES])
        return tuple(_shown(name, _planned_in(text)) for name, text in sorted(dict(flat or {}).items()))

    async def find(self, schedule_id: str) -> QueueSchedule | None:
        found = await self._planned(schedule_id)
        return None if found is None else _shown(schedule_id, found)

    async def put(self, schedule_id: str, cron: str, message: Outgoing) -> None:
        """Make a schedule, or change it. Raises QueueRefusedError: it is no cron expression."""
        now_ms, before = self._clock.now_ms(), await self._planned(schedule_id)
        before = before or Planned(cron, message, now_ms, 0)
        later_ms = next_ms(cron, now_ms)
        await self._keep(schedule_id, replace(before, cron=cron, message=message, next_ms=later_ms, error=""))

    async def pause(self, schedule_id: str, *, paused: bool) -> None:
        """Pause a schedule, or resume it: what it would have made meanwhile is not made up for."""
        found = await self._planned(schedule_id)
        if found is None:
            raise MessageNotFoundError(f"the queue has no schedule {schedule_id!r}")
        later_ms = next_ms(found.cron, self._clock.now_ms())
        await self._keep(schedule_id, replace(found, paused=paused, next_ms=later_ms))

    async def delete(self, schedule_id: str) -> None:
        """Delete a schedule; an unknown one is no error."""
        await self._shards.run_commands(["HDEL", SCHEDULES, schedule_id], ["ZREM", SCHEDULE_ORDER, schedule_id])

    async def fire(self) -> None:
        """Publish what is due. One that the queue refuses waits for its next time, and holds no other up."""
        now_ms = self._clock.now_ms()
        (due,) = await self._shards.run_commands(
            ["ZRANGE", SCHEDULE_ORDER, "-inf", now_ms, "BYSCORE", "LIMIT", 0, _AT_ONCE]
        )
        for name in due:
            found = await self._planned(name)
            if found is None or found.paused or found.next_ms > now_ms:
                continue  # people have changed it meanwhile
            message = replace(found.message, deduplication_id=f"{name}@{found.next_ms}")
            after = replace(found, error="")
            try:
                after = replace(after, next_ms=next_ms(found.cron, now_ms))  # one that knows no such zone leaves it
                (made,) = await self._queue.publish_kept([Kept(message, now_ms, schedule_id=name)])
                after = replace(after, last_ms=now_ms, last_id=made)
            except (TopicNotFoundError, QueueRefusedError) as error:
                after = replace(after, error=str(error))
                if after.error != found.error:
                    _log.warning("schedule %s makes no message: %s", name, error)
            if after != found and await self._planned(name) == found:
                await self._keep(name, after)

    async def _planned(self, schedule_id: str) -> Planned | None:
        (text,) = await self._shards.run_commands(["HGET", SCHEDULES, schedule_id])
        return _planned_in(text) if text else None

    async def _keep(self, schedule_id: str, planned: Planned) -> None:
        due = ["ZREM", SCHEDULE_ORDER, schedule_id] if planned.paused else []
        due = due or ["ZADD", SCHEDULE_ORDER, str(planned.next_ms), schedule_id]
        await self._shards.run_commands(["HSET", SCHEDULES, schedule_id, encode(planned).decode()], due)


@lru_cache(1_024)
def _parsed(cron: str) -> tuple[str, tzinfo]:
    first, *rest = cron.split(maxsplit=1)
    prefix = next((each for each in _NAMED_ZONE if first.startswith(each)), "")
    expression, zone = ("".join(rest), zone_of(first.removeprefix(prefix))) if prefix else (cron, UTC)
    if len(expression.split()) != _FIELDS:
        raise ValueError(f"it has {len(expression.split())} fields instead of {_FIELDS}")
    return expression, zone


def next_ms(cron: str, after_ms: int) -> int:
    """Return the first time of a cron expression after another time. Raises QueueRefusedError: it is none."""
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - of an extra

    try:
        expression, zone = _parsed(cron)
        start = datetime.fromtimestamp(after_ms / 1000, zone)
        times = (int(each.timestamp() * 1000) for each in CronSim(expression, start))
        return next(each for each in times if each > after_ms)  # of an hour that comes twice it names the first
    except (CronSimError, ValueError, StopIteration) as error:
        reason = str(error) or type(error).__name__
        raise QueueRefusedError(
            f"{cron[:80]!r} is no cron expression ({reason}): write five fields, with CRON_TZ=ZONE before them"
        ) from error


def _shown(name: str, found: Planned) -> QueueSchedule:
    message = found.message
    return QueueSchedule(
        name,
        message.topic or message.url,
        found.cron,
        message.body,
        message.failure_callback,
        found.paused,
        found.created_ms,
        0 if found.paused else found.next_ms,
        found.last_ms,
        {found.last_id: ""} if found.last_id else {},
        found.error,
    )
