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
Place = tuple[int, int, int]  # time, number, shard


class RedisRecords(OnShards):
    """Reads and manages the queue's messages."""

    def __init__(self, shards: Shards, queue: RedisQueue, clock: Clock, sealing: Sealing) -> None:
        self._shards, self._queue, self._clock, self._sealing = shards, queue, clock, sealing

    async def message(self, message_id: str) -> QueuedMessage | None:
        """Return a message that the queue still has."""
        (text,) = await self._shards.run_commands(["HGET", shard_keys(shard_in(message_id))[2], message_id])
        return _message(message_id, kept_in(text)) if text and not message_id.endswith((":", ":log")) else None

    async def log(
        self, *, message_id: str = "", label: str = "", state: str = "", cursor: str = "", limit: int = 100
    ) -> LogPage:
        """Return log entries, the newest first."""
        before = _place_in(cursor) if cursor else None
        wanted = range(SHARDS) if not message_id else (shard_in(message_id),)
        count = () if message_id or label or state else ("COUNT", limit + 2)
        first, newest = self._clock.now_ms() - _DAY_MS, f"{before[0]}-{before[1]}" if before else "+"
        answers = await self._shards.run_commands(
            *(["XREVRANGE", shard_keys(each)[6], newest, first, *count] for each in wanted)
        )
        found = list[tuple[Place, dict[str, str]]]()
        for shard, rows in zip(wanted, answers, strict=True):
            for row_id, flat in rows or ():
                ms, _, number = row_id.partition("-")
                fields = dict(zip(flat[::2], flat[1::2], strict=True))
                place = (int(ms), int(number), shard)
                if (
                    (before is None or place < before)
                    and message_id in ("", fields["i"])
                    and state in ("", fields["s"])
                ):
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
        return LogPage(
            tuple(entry for _, entry in page), ".".join(map(str, page[-1][0])) if len(entries) > limit else ""
        )

    async def dead_letters(
        self, *, message_id: str = "", label: str = "", url: str = "", cursor: str = ""
    ) -> DeadLetters:
        """Return up to a hundred dead letters, the newest first."""
        wanted = range(SHARDS) if not message_id else (shard_in(message_id),)
        orders = await self._shards.run_commands(
            *(("ZRANGE", dead_keys(each)[1], 0, -1, "WITHSCORES") for each in wanted)
        )
        places = list[tuple[int, str]]()
        for pairs in orders:
            flat = [each for pair in pairs for each in pair] if pairs and not isinstance(pairs[0], str) else pairs
            places += zip(map(_whole, flat[1::2]), flat[::2], strict=True)
        places = sorted((each for each in places if not cursor or each < _after(cursor)), reverse=True)
        found = list[tuple[str, DeadLetter]]()
        while places and len(found) <= _AT_ONCE:
            some, places = places[:_AT_ONCE], places[_AT_ONCE:]
            for (ms, name), dead in zip(some, await self._dead([name for _, name in some]), strict=True):
                if dead is not None and _is_wanted(dead, message_id, label, url):
                    found.append((f"{ms}.{name}", self._letter(name, dead)))
        page = found[:_AT_ONCE]
        return DeadLetters(tuple(letter for _, letter in page), page[-1][0] if len(found) > _AT_ONCE else "")

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

    def _letter(self, name: str, dead: Dead) -> DeadLetter:
        answer = self._sealing.shown_message(dead.answer)
        return DeadLetter(name, _message(dead.message_id, dead.kept), dead.status, answer)

    def _entry(self, place: Place, fields: dict[str, str]) -> LogEntry:
        kept = kept_in(fields["m"]) if fields["m"] else Kept(Outgoing(""), 0)
        answer = self._sealing.shown_message(fields.get("a", ""))
        next_ms, status = int(fields.get("n", 0)), int(fields.get("c") or 0)
        shown = _message(fields["i"], kept)
        return LogEntry(shown, fields["s"], place[0], next_ms, status, answer, fields.get("e", ""))


def _place_in(cursor: str) -> Place:
    try:
        ms, number, shard = map(int, cursor.split("."))
    except ValueError as error:
        raise QueueRefusedError(f"{cursor[:80]!r} is no page of the log") from error
    return ms, number, shard


def _whole(score: str | float) -> int:
    return int(float(score))


def _after(cursor: str) -> tuple[int, str]:
    ms, _, name = cursor.partition(".")
    if not ms.isdecimal():
        raise QueueRefusedError(f"{cursor[:80]!r} is no page of dead letters")
    return int(ms), name


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
