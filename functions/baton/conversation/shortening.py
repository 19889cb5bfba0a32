"""Large tool results, told in short: their beginning, their end, and how much was left out between.

Invariant: pure; what a turn's model said and asked for stays whole, and every call keeps a result.
"""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from baton.conversation.conversation import Turn, size_bytes
from baton_events.ids import canonical_json

# A result is never cut below this: less tells nothing.
LEAST_RESULT_BYTES = 256
_NOTE_BYTES = 96
_BEGINNING = 2 / 3


def shorten(turn: Turn, limit_bytes: int) -> Turn:
    """The turn with its largest results shortened, so that it has about `limit_bytes` or little more."""
    if turn.size_bytes <= limit_bytes or not turn.results:
        return turn
    room_bytes = limit_bytes - (turn.size_bytes - turn.results_bytes)
    cap_bytes = max(LEAST_RESULT_BYTES, _cap([size_bytes(result) for result in turn.results.values()], room_bytes))
    return replace(turn, results={name: _shortened(result, cap_bytes) for name, result in turn.results.items()})


def cut(text: str, limit_bytes: int) -> str:
    """The text's beginning and end, with a note between them; itself where it is short enough."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= limit_bytes:
        return text
    kept_bytes = max(0, limit_bytes - _NOTE_BYTES)
    begin_bytes = int(kept_bytes * _BEGINNING)
    end_at = len(encoded) - (kept_bytes - begin_bytes)
    beginning = encoded[:begin_bytes].decode(errors="ignore")
    end = encoded[end_at:].decode(errors="ignore")
    return f"{beginning}\n[… {end_at - begin_bytes} of {len(encoded)} bytes are left out here …]\n{end}"


def _cap(sizes: Sequence[int], room_bytes: int) -> int:
    """The largest size that all may have so that together they fit: small ones leave their room to large ones."""
    left_bytes = max(0, room_bytes)
    for position, size in enumerate(sorted(sizes)):
        share_bytes = left_bytes // (len(sizes) - position)
        if size > share_bytes:
            return share_bytes
        left_bytes -= size
    return max(sizes)


def _shortened(result: dict[str, Any], limit_bytes: int) -> dict[str, Any]:
    if size_bytes(result) <= limit_bytes:
        return result
    if "ok" in result:
        value = result["ok"]
        return {"ok": cut(value if isinstance(value, str) else canonical_json(value), limit_bytes)}
    error = result.get("error") or {}
    return {"error": {**error, "message": cut(str(error.get("message", "")), limit_bytes)}}
