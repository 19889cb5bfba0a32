"""The texts of messages, sealed while the queue has them: what routes a message, and what people find it by, is plain.

`sealed` stands in place of the texts: of a command in its event's payload, of an app event, of a refusal that the queue
keeps as an answer. Invariant: a body without it is read as it is. Must not: wait for a codec; callers await `ready`.
"""

import json
from collections.abc import Callable
from typing import Any

from baton_events.values.text import is_storable

# Of commands, of app events, and of refusals.
_TEXTS = ("task", "data", "outcome", "text", "deadLetter", "detail")
_FIELD = "sealed"
# Of a new job: it is of a plain text, so a guess would match it.
_DIGEST = "request_digest"


def sealed_message(seal: Callable[[str, str, str], str], body: str) -> str:
    """Return the body of a message, or of an answer to the queue, as the queue gets it.

    `seal`: takes a text, its tenant, and the id of its message.
    """
    document = json.loads(body)
    holder = _holder(document)
    texts = {name: holder.pop(name) for name in _TEXTS if name in holder}
    if (job := holder.get("job")) and _DIGEST in job:
        texts[_DIGEST] = job.pop(_DIGEST)
    if not texts:
        return body
    tenant = holder.get("tenant") or holder.get("job", {}).get("tenant", "")
    # Escapes would make most languages' texts two to three times as large; a lone half of a pair needs one.
    text = json.dumps(texts, ensure_ascii=False, separators=(",", ":"))
    text = text if is_storable(text) else json.dumps(texts, separators=(",", ":"))
    holder[_FIELD] = seal(text, tenant, document.get("id", ""))
    return json.dumps(document, separators=(",", ":"))


def opened_message(opened: Callable[[str, str], str], body: bytes) -> bytes:
    """Return the body of a message, or of an answer, as it was. Raises UnreadablePayloadError: its key is not there."""
    if f'"{_FIELD}":'.encode() not in body:
        return body
    try:
        document = json.loads(body)
        holder = _holder(document)
        sealed, name = holder.pop(_FIELD), document.get("id", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return body  # of somebody else
    if not isinstance(sealed, str) or not sealed.startswith("sealed:"):
        return body
    holder |= json.loads(opened(sealed, name))
    if _DIGEST in holder:
        holder["job"][_DIGEST] = holder.pop(_DIGEST)
    return json.dumps(document, separators=(",", ":")).encode()


def is_sealed_now(first: str, body: str) -> bool:
    """Return whether a body is as it would be sent now: sealed by the first key, or plain where it is empty."""
    return (f'"{_FIELD}":"sealed:{first}:' in body) if first else f'"{_FIELD}":' not in body


def _holder(document: Any) -> dict[str, Any]:
    payload = document.get("payload")
    found: dict[str, Any] = document if payload is None else payload.get("command") or {}
    return found
