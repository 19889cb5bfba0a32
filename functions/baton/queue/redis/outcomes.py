"""What becomes of one attempt to deliver a message, and what follows from it (qstash.md 10, 11, 13). Pure."""

import base64
import json
from typing import Any

from msgspec import Struct
from msgspec.json import Decoder
from msgspec.structs import replace

from baton.queue.redis.publisher import Kept
from baton.store.transport.http import Answered
from baton_events.messages import ANSWER_RETRIES, CALLBACK_SECONDS, CALLBACK_WAITS, FUNCTION_TIMEOUT_SECONDS, Outgoing
from baton_events.values.waits import named_seconds

SUCCESS, _GIVES_UP, _NON_RETRYABLE = range(200, 300), 489, "upstash-nonretryable-error"
_LONGEST_WAIT_SECONDS = 86_400
_SHOWN_CHARS = 2_000


class Attempt(Struct, frozen=True):
    """The answer, or why there was none; `wait_ms`: what it asks for before the next attempt."""

    status: int = 0
    headers: dict[str, list[str]] = {}
    body: bytes = b""
    error: str = ""
    wait_ms: int | None = None

    @property
    def is_final(self) -> bool:
        return self.status == _GIVES_UP and "true" in self.headers.get(_NON_RETRYABLE, ())

    def shown(self, kept: Kept) -> tuple[int, str, str]:
        """Return what the log has: status, answer, error."""
        is_hidden = kept.hidden or bool(kept.message.callback)
        answer = "" if is_hidden else self.body[: 4 * _SHOWN_CHARS].decode("utf-8", "replace")[:_SHOWN_CHARS]
        return self.status, answer, self.error


class Dead(Struct, frozen=True):
    """A dead letter as it is kept: its message, when it was given up, and the last answer."""

    message_id: str
    kept: Kept
    status: int = 0
    answer: str = ""

    def again(self, now_ms: int) -> Kept:
        """Return the message with fresh retries; twice within ten minutes it is one."""
        again = replace(self.kept.message, not_before_ms=0, deduplication_id=f"again.{self.message_id}")
        return replace(self.kept, message=again, created_ms=now_ms)


dead_in = Decoder(Dead).decode


def answered(answer: Answered, now_ms: int) -> Attempt:
    headers = dict[str, list[str]]()
    for name, text in answer.headers:
        headers.setdefault(name.decode("latin-1").lower(), []).append(text.decode("latin-1"))
    seconds = named_seconds(headers.get("retry-after", [""])[0], now_ms)
    is_asked = seconds is not None and seconds <= _LONGEST_WAIT_SECONDS
    wait_ms = round(1000 * max(0.0, seconds or 0.0)) if is_asked else None
    return Attempt(answer.status, headers, b"".join(answer.body), wait_ms=wait_ms)


def brought_to(message_id: str, kept: Kept, retried: int, attempt: Attempt) -> Kept:
    """Return the message that brings an answer to the message's callback."""
    message = kept.message
    about = Outgoing(
        _report(message_id, kept, retried, attempt),
        url=message.callback,
        deduplication_id=f"answer.{message_id}.{retried}",
        label=message.label,
        failure_callback=message.failure_callback,
        retries=ANSWER_RETRIES,
        waits=message.waits,
        timeout_seconds=FUNCTION_TIMEOUT_SECONDS,
        flow=message.callback_flow,
        lane=message.lane,
    )
    return Kept(about, kept.created_ms, hidden=True)


def failure_report(message_id: str, kept: Kept, retried: int, attempt: Attempt) -> Kept:
    """Return the message that tells the failure callback of a message that is given up."""
    message = kept.message
    about = Outgoing(
        _report(message_id, kept, retried, attempt, dlqId=dead_id(message_id)),
        url=message.failure_callback,
        deduplication_id=f"failed.{message_id}",
        retries=message.retries,
        waits=CALLBACK_WAITS,
        timeout_seconds=CALLBACK_SECONDS,
        flow=message.callback_flow,
        lane=message.lane,
    )
    return Kept(about, kept.created_ms, hidden=kept.hidden)


def dead_id(message_id: str) -> str:
    return f"dlq_{message_id.removeprefix('msg_')}"


def message_of_dead(letter_id: str) -> str:
    return f"msg_{letter_id.removeprefix('dlq_')}"


def _report(message_id: str, kept: Kept, retried: int, attempt: Attempt, **more: Any) -> str:
    message, answer = kept.message, attempt.body if attempt.status else attempt.error.encode()
    written = {
        "status": attempt.status,
        "header": attempt.headers,
        "body": base64.b64encode(answer).decode(),
        "retried": retried,
        "maxRetries": message.retries,
        "sourceMessageId": message_id,
        "url": message.url,
        "method": "POST",
        "sourceHeader": {} if message.callback else {name: [text] for name, text in message.headers.items()},
        "sourceBody": base64.b64encode(b"" if message.callback else message.body.encode()).decode(),
        "createdAt": kept.created_ms,
    }
    given = {name: text for name, text in (("topicName", message.topic), ("scheduleId", kept.schedule_id)) if text}
    return json.dumps(written | given | more)
