"""A delivery as the queue sends it: its headers, and the callback about a message that the queue gave up on.

Pure. Source: qstash.md 7-11. Must not: know when anything is delivered.
"""

import base64
import json

from msgspec import Struct

from baton.testing.asgi import Answer
from baton_events.messages import Outgoing


class Failed(Struct, frozen=True):
    """A message on which the queue gave up, with the last answer; None: there was none."""

    message_id: str
    url: str
    outgoing: Outgoing
    retried: int
    answer: Answer | None


def delivery_headers(outgoing: Outgoing, message_id: str, retried: int, signature: str) -> dict[str, str]:
    """Build the headers of one delivery, the frequently read ones first, since readers compare in order."""
    return {
        "upstash-signature": signature,
        "upstash-message-id": message_id,
        "upstash-retried": str(retried),
        "content-type": "application/json",
        **outgoing.headers,
    }


def callback_of(failed: Failed, now_ms: int, retries: int, timeout_seconds: int) -> Outgoing:
    """Build the message that reports the failure."""
    outgoing, answer = failed.outgoing, failed.answer
    failed_message = {
        "status": answer.status if answer else 0,
        "header": {},
        "body": base64.b64encode(answer.body if answer else b"connection closed").decode(),
        "retried": failed.retried,
        "maxRetries": outgoing.retries,
        "sourceMessageId": failed.message_id,
        "url": failed.url,
        "method": "POST",
        "sourceHeader": {name: [value] for name, value in outgoing.headers.items()},
        "sourceBody": base64.b64encode(outgoing.body.encode()).decode(),
        "notBefore": outgoing.not_before_ms,
        "createdAt": now_ms,
        "dlqId": f"dlq_{failed.message_id}",
    }
    return Outgoing(
        body=json.dumps(failed_message),
        url=outgoing.failure_callback,
        retries=retries,
        flow=outgoing.callback_flow,
        timeout_seconds=timeout_seconds,
    )
