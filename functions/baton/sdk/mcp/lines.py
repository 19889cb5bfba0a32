"""The lines that an MCP server on this machine writes, bounded while they arrive: an encoding, as the SDK takes one.

Invariant: a line has at most `HTTP_LIMIT_BYTES`. Of a longer one only both ends are kept, and it becomes an error for
its request, so that no other call is disturbed. Must not: read what a line says but for its id.
"""

import codecs
import json
import re

from baton_events.bounded import HTTP_LIMIT_BYTES, too_large_message

ENCODING = "baton-lines"
_END_BYTES = 200
_ID = rb'"id"\s*:\s*(\d+|"[^"\\]{1,100}")'
_FIRST = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?' + _ID)
_LAST = re.compile(_ID + rb'\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$')


class _Lines(codecs.IncrementalDecoder):
    def __init__(self, errors: str = "strict") -> None:
        super().__init__(errors)
        self._line, self._dropped = bytearray(), False

    def decode(self, data: bytes, final: bool = False) -> str:  # type: ignore[override]  # noqa: FBT001, FBT002, ARG002
        """Return the lines that end here."""
        done = list[str]()
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._add(end)
            done.append(self._taken())
        self._add(rest)
        return "".join(done)

    def _add(self, piece: bytes) -> None:
        self._line += piece
        if self._dropped or len(self._line) > HTTP_LIMIT_BYTES:
            self._dropped = True
            if len(self._line) > 2 * _END_BYTES:
                del self._line[_END_BYTES:-_END_BYTES]

    def _taken(self) -> str:
        line, self._line = bytes(self._line), bytearray()
        if not self._dropped:
            return f"{line.decode(errors='replace')}\n"
        self._dropped = False
        found = _FIRST.match(line) or _LAST.search(line)
        error = {"code": -32_603, "message": too_large_message(HTTP_LIMIT_BYTES)}
        return json.dumps({"jsonrpc": "2.0", "id": json.loads(found[1]), "error": error}) + "\n" if found else "\n"


def _found(name: str) -> codecs.CodecInfo | None:
    if name != ENCODING.replace("-", "_"):
        return None
    return codecs.CodecInfo(codecs.utf_8_encode, codecs.utf_8_decode, incrementaldecoder=_Lines, name=ENCODING)


codecs.register(_found)
