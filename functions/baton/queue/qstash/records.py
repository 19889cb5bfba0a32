"""`QueueRecords` through the official SDK, so it reads the hosted queue and the local one alike."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from qstash.dlq import DlqFilter, DlqMessage
from qstash.log import Log, LogFilter, LogState
from qstash.message import Message

from baton.queue.ports import DeadLetter, DeadLetters, LogEntry, LogPage, QueuedMessage
from baton.queue.qstash.client import QStashClient
from baton.settings.settings import Settings
from baton_events.emitter import sealing_in
from baton_events.errors import MessageNotFoundError
from baton_events.sealing import Sealing

_AT_ONCE = 100  # the queue's most for one request about dead letters
_ID = re.compile(r"[A-Za-z0-9_=-]{1,200}")  # another text would be another address


class QStashRecords:
    """The queue's records over one SDK client."""

    def __init__(self, settings: Settings) -> None:
        self._client, self._sealing = QStashClient(settings), sealing_in(settings)

    async def message(self, message_id: str) -> QueuedMessage | None:
        if not _ID.fullmatch(message_id):
            return None
        try:
            return _message(await self._client.request(self._client.sdk.message.get(message_id)))
        except MessageNotFoundError:
            return None

    async def log(
        self, *, message_id: str = "", label: str = "", state: str = "", cursor: str = "", limit: int = 100
    ) -> LogPage:
        """Return log entries, the newest first."""
        wanted: LogFilter = {}
        if message_id:
            wanted["message_id"] = message_id
        if label:
            wanted["label"] = label
        if state:
            wanted["state"] = LogState(state)
        page = await self._client.request(
            self._client.sdk.log.list(cursor=cursor or None, count=limit, filter=wanted or None)
        )
        await self._sealing.ready()
        return LogPage(tuple(_entry(log, self._sealing) for log in page.logs), page.cursor or "")

    async def dead_letters(
        self, *, message_id: str = "", label: str = "", url: str = "", cursor: str = ""
    ) -> DeadLetters:
        wanted: DlqFilter = {"label": label} if label else {}
        if url:
            wanted["url"] = url
        if message_id:
            wanted["message_id"] = message_id
        page = await self._client.request(self._client.sdk.dlq.list(cursor=cursor or None, filter=wanted or None))
        await self._sealing.ready()
        return DeadLetters(tuple(_dead(letter, self._sealing) for letter in page.messages), page.cursor or "")

    async def retry(self, dead_letter_ids: Sequence[str]) -> int:
        """Make each a new message. The SDK has no method for it, so its client sends the request."""
        done = 0
        for ids in _hundreds(dead_letter_ids):
            path = f"/v2/dlq/retry?{urlencode([('dlqIds', each) for each in ids])}"
            answer = await self._client.request(self._client.sdk.http.request(path=path, method="POST"))
            done += len(answer.get("responses", []))
        return done

    async def delete(self, dead_letter_ids: Sequence[str]) -> int:
        done = 0
        for ids in _hundreds(dead_letter_ids):
            done += await self._client.request(self._client.sdk.dlq.delete_many(list(ids)))
        return done

    async def close(self) -> None:
        """Close connections; a later use opens them again."""
        await self._client.close()


def _hundreds(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]


def _message(found: Message) -> QueuedMessage:
    return QueuedMessage(
        id=found.message_id,
        url=found.url,
        body=found.body or _decoded(found.body_base64),
        label=found.label or "",
        topic=found.url_group or "",
        schedule_id=found.schedule_id or "",
        headers=_headers(found.headers),
        created_ms=found.created_at,
        not_before_ms=found.not_before,
        retries=found.max_retries,
    )


def _entry(log: Log, sealing: Sealing) -> LogEntry:
    message = QueuedMessage(
        id=log.message_id,
        url=log.url,
        body=_decoded(log.body_base64),
        label=log.label or "",
        topic=log.url_group or "",
        schedule_id=log.schedule_id or "",
        headers=_headers(log.headers),
        retries=log.max_retries or 0,
    )
    return LogEntry(
        message=message,
        state=log.state.value,
        at_ms=log.time,
        next_ms=log.next_delivery_time or 0,
        status=log.response_status or 0,
        answer=sealing.shown_message(_decoded(log.response_body)),
        error=log.error or "",
    )


def _dead(letter: DlqMessage, sealing: Sealing) -> DeadLetter:
    answer = sealing.shown_message(letter.response_body or _decoded(letter.response_body_base64))
    return DeadLetter(letter.dlq_id, _message(letter), letter.response_status, answer)


def _headers(found: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: ", ".join(values) for name, values in (found or {}).items()}


def _decoded(text: str | None) -> str:
    try:
        return base64.b64decode(text or "", validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return text or ""
