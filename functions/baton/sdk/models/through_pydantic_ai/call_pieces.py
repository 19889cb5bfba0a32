"""Pieces of streamed calls, each put to the call that it is of: servers do not number calls as they ought to.

Some give all calls of an answer one index (Ollama, Gemini's Chat Completions, many gateways), and some repeat a call's
name in each piece (NVIDIA NIM). The library joins by index, and would call `addadd`. Invariant: a piece with a name
begins another call where the call before it is whole. Must not: judge what a call says.
"""

import json
from typing import Any

from msgspec import Struct, field


class _Begun(Struct):
    """A call so far. `key`: of its pieces, for the library."""

    key: Any
    id: str
    name: str
    pieces: list[str] = field(default_factory=list)

    def is_followed_by(self, call_id: str, name: str, arguments: Any) -> bool:
        """Return whether a piece with a name begins another call."""
        has_other_id, sent = bool(call_id and self.id and call_id != self.id), "".join(self.pieces).strip()
        if not sent:
            return has_other_id
        return _is_whole(sent) and (has_other_id or name != self.name or bool(arguments))


class CallPieces:
    """Stands before the library's own method that takes a piece of a call in."""

    def __init__(self, manager: Any) -> None:
        self._take, self._begun = manager.handle_tool_call_delta, dict[Any, _Begun]()
        manager.handle_tool_call_delta = self.take

    def take(
        self, *, vendor_part_id: Any, tool_name: Any = None, args: Any = None, tool_call_id: Any = None, **more: Any
    ) -> Any:
        """Take a piece, under the key of its call, with its name once. `vendor_part_id`: what the server calls it."""
        begun = self._begun.get(vendor_part_id)
        if vendor_part_id is not None and isinstance(tool_name, str) and tool_name:
            if begun is None or begun.is_followed_by(tool_call_id, tool_name, args):
                key = vendor_part_id if begun is None else (begun.key, len(self._begun), "another")
                begun = self._begun[vendor_part_id] = _Begun(key, tool_call_id, tool_name)
            elif begun.name == tool_name:
                tool_name = None
        if begun is not None and args:
            begun.pieces.append(args if isinstance(args, str) else json.dumps(args))
        key = vendor_part_id if begun is None else begun.key
        return self._take(vendor_part_id=key, tool_name=tool_name, args=args, tool_call_id=tool_call_id, **more)


def _is_whole(arguments: str) -> bool:
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True
