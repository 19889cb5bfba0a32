"""Deduplication: which message was accepted under a key, for a window from its acceptance (qstash.md 6).

Invariant: inside the window the first message of a key stays its answer, whatever became of that message.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from baton_local.qstash.core.options import Options


class DedupWindow:
    """Keys with the message accepted first; in order of expiry, since the window's length is constant."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[str, int]] = {}

    def find(self, key: str, now_ms: int) -> str | None:
        """The id of the message accepted under this key, if its window is still open."""
        entry = self._entries.get(key)
        return entry[0] if entry is not None and entry[1] > now_ms else None

    def remember(self, key: str, message_id: str, expires_ms: int) -> None:
        """Open a window; an expired one of the same key is replaced."""
        self._entries.pop(key, None)
        self._entries[key] = (message_id, expires_ms)

    def forget_expired(self, now_ms: int) -> None:
        """Drop windows that are over, oldest first."""
        while self._entries:
            key = next(iter(self._entries))
            if self._entries[key][1] > now_ms:
                return
            del self._entries[key]

    def __len__(self) -> int:
        return len(self._entries)


def dedup_key(options: Options, destination: str, body: bytes | None, endpoint_url: str | None) -> str | None:
    """The key of a publish, or None if it asked for none; an explicit id wins over the content."""
    if options.dedup_id is not None:
        key = f"id:{options.dedup_id}"
    elif options.dedup_by_content:
        key = f"content:{_content_digest(destination, options.header, body or b'')}"
    else:
        return None
    return key if endpoint_url is None else f"{key}:{endpoint_url}"  # a group deduplicates per endpoint


def _content_digest(destination: str, header: Mapping[str, Sequence[str]], body: bytes) -> str:
    digest = sha256(destination.encode())
    for name in sorted(header):
        digest.update(f"\0{name}\0{chr(0).join(header[name])}".encode())
    digest.update(b"\0\0" + body)
    return digest.hexdigest()
