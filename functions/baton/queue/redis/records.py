"""`QueueRecords` of the queue in the store: its messages, their log, and its dead letters.

The log is what each shard's stream still has: a thousand entries at least, of the last day. Invariant: what a message
hides is shown to nobody.
"""

from collections.abc import Sequence

from baton.queue.ports import DeadLetter, DeadLetters, LogEntry, LogPage, QueuedMessage
from baton.queue.redis.outcomes import Dead, dead_in, message_of_dead
from baton.queue.redis.publisher import Kept, RedisQueue, kept_in
from baton.queue.redis.shards import SHARDS, OnShards, Shards, dead_keys, shard_in, shard_keys
from baton.sdk.clock import Clock
from baton_events.errors import QueueRefusedError
from baton_events.messages import Outgoing
from baton_events.sealing import Sealing

_DAY_MS = 86_400_000
_AT_ONCE = 100
Place = tuple[int, str]  # time, and what orders those of one


class RedisRecords(OnShards):
    """Reads and manages the queue's messages."""

    def __init__(self, shards: Shards, queue: RedisQueue, clock: Clock, sealing: Sealing) -> None:
        self._shards, self._queue, self._clock, self._sealing = shards, queue, clock, sealing

    async def message(self, message_id: str) -> QueuedMessage | None:
        (text,) = await self._shards.run_commands(["HGET", shard_keys(shard_in(message_id))[2], message_id])
        return _message(message_id, kept_in(text)) if text and not message_id.endswith((":", ":log")) else None

    async def log(
        self, *, message_id: str = "", label: str = "", state: str = "", cursor: str = "", limit: int = 100
    ) -> LogPage:
        """Return log entries, the newest first."""
        before = _place_in(cursor)
        wanted = range(SHARDS) if not message_id else (shard_in(message_id),)
        count = () if message_id or label or state else ("COUNT", limit + 2)
        first, newest = self._clock.now_ms() - _DAY_MS, before[0] if before else "+"
        commands = [["XREVRANGE", shard_keys(each)[6], newest, first, *count] for each in wanted]
        answers = await self._shards.run_commands(*commands)
        found = list[tuple[Place, dict[str, str]]]()
        for shard, rows in zip(wanted, answers, strict=True):
            for row_id, flat in rows or ():
                ms, _, number = row_id.partition("-")
                fields = dict(zip(flat[::2], flat[1::2], strict=True))
                place = (int(ms), f"{number:0>9}.{shard:02}")
                if before is not None and place >= before:
                    continue
                if message_id in ("", fields["i"]) and state in ("", fields["s"]):
                    found.append((place, fields))
        await self._sealing.ready()
        entries = list[tuple[Place, LogEntry]]()
        for place, fields in sorted(found, key=lambda each: each[0], reverse=True):
            entry = self._entry(place, fields)
            if label in ("", entry.message.label):
                entries.append((place, entry))
            if len(entries) > limit:
                break
        page = entries[:limit]
        more = ".".join(map(str, page[-1][0])) if len(entries) > limit else ""
        return LogPage(tuple(entry for _, entry in page), more)

    async def dead_letters(
        self, *, message_id: str = "", label: str = "", url: str = "", cursor: str = ""
    ) -> DeadLetters:
        """Return up to a hundred dead letters, the newest first."""
        wanted = range(SHARDS) if not message_id else (shard_in(message_id),)
        commands = [("ZRANGE", dead_keys(each)[1], 0, -1, "WITHSCORES") for each in wanted]
        orders = await self._shards.run_commands(*commands)
        places, before = [(int(score), name) for pairs in orders for name, score in pairs], _place_in(cursor)
        places = sorted((each for each in places if before is None or each < before), reverse=True)
        found = list[tuple[Place, DeadLetter]]()
        await self._sealing.ready()
        while places and len(found) <= _AT_ONCE:
            some, places = places[:_AT_ONCE], places[_AT_ONCE:]
            for place, dead in zip(some, await self._dead([name for _, name in some]), strict=True):
                if dead is not None and _is_wanted(dead, message_id, label, url):
                    shown = _message(dead.message_id, dead.kept)
                    answer = self._sealing.shown_message(dead.answer)
                    found.append((place, DeadLetter(place[1], shown, dead.status, answer)))
        page = found[:_AT_ONCE]
        more = ".".join(map(str, page[-1][0])) if len(found) > _AT_ONCE else ""
        return DeadLetters(tuple(letter for _, letter in page), more)

    async def retry(self, dead_letter_ids: Sequence[str]) -> int:
        """Make each a new message; a second time within ten minutes it is the same one."""
        done = 0
        for name, dead in zip(dead_letter_ids, await self._dead(dead_letter_ids), strict=True):
            if dead is not None:
                await self._queue.publish_kept([dead.again(self._clock.now_ms())])
                done += await self.delete([name])
        return done

    async def delete(self, dead_letter_ids: Sequence[str]) -> int:
        """Delete dead letters; return the number of those that were there."""
        commands = list[list[str]]()
        for name in dead_letter_ids:
            texts, order = dead_keys(shard_in(message_of_dead(name)))
            commands += [["HDEL", texts, name], ["ZREM", order, name]]
        return sum((await self._shards.run_commands(*commands))[::2]) if commands else 0

    async def _dead(self, names: Sequence[str]) -> list[Dead | None]:
        commands = [["HGET", dead_keys(shard_in(message_of_dead(name)))[0], name] for name in names]
        return (
            [dead_in(text) if text else None for text in await self._shards.run_commands(*commands)] if commands else []
        )

    def _entry(self, place: Place, fields: dict[str, str]) -> LogEntry:
        kept = kept_in(fields["m"]) if fields["m"] else Kept(Outgoing(""), 0)
        answer = self._sealing.shown_message(fields.get("a", ""))
        next_ms, status = int(fields.get("n", 0)), int(fields.get("c") or 0)
        shown = _message(fields["i"], kept)
        return LogEntry(shown, fields["s"], place[0], next_ms, status, answer, fields.get("e", ""))


def _place_in(cursor: str) -> Place | None:
    ms, _, rest = cursor.partition(".")
    if cursor and not (ms.isascii() and ms.isdecimal() and rest):
        raise QueueRefusedError(f"{cursor[:80]!r} is no page of the queue's records")
    return (int(ms), rest) if cursor else None


def _is_wanted(dead: Dead, message_id: str, label: str, url: str) -> bool:
    message = dead.kept.message
    return message_id in ("", dead.message_id) and label in ("", message.label) and url in ("", message.url)


def _message(message_id: str, kept: Kept) -> QueuedMessage:
    shown = kept.shown
    return QueuedMessage(
        message_id,
        shown.url,
        shown.body,
        shown.label,
        shown.topic,
        kept.schedule_id,
        {"Content-Type": "application/json"} | shown.headers,
        kept.created_ms,
        shown.not_before_ms,
        shown.retries,
    )
