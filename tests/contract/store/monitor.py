"""What the server really ran, from MONITOR on its own socket: each script's declared keys, and the calls made in it.

Invariant: reads only; a marker command tells where to stop.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.contract.store.redis_process import RedisProcess

_LINE = re.compile(r"\+[\d.]+ \[\d+ (?P<source>[^\]]*)\] (?P<command>.*)")
_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BUFFER_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class ScriptRun:
    """One EVAL: its declared keys, and the first argument of each call in it (all of ours name one key there)."""

    declared: list[str]
    touched: list[str] = field(default_factory=list[str])


class Monitor:
    """The lines since it was opened."""

    def __init__(self, process: RedisProcess, reader: asyncio.StreamReader) -> None:
        self._process = process
        self._reader = reader

    async def runs(self) -> list[ScriptRun]:
        """The scripts that ran since the last look."""
        await asyncio.to_thread(self._process.request, "ECHO", "monitor-marker")
        found: list[ScriptRun] = []
        while True:
            line = (await self._reader.readline()).decode("utf-8", "replace")
            matched = _LINE.match(line)
            if matched is None:
                continue
            words = _ARGUMENT.findall(matched["command"])
            if words == ["ECHO", "monitor-marker"]:
                return found
            if matched["source"] == "lua":
                found[-1].touched.append(words[1])
            elif words[0].upper() in ("EVAL", "EVALSHA"):
                found.append(ScriptRun(words[3 : 3 + int(words[2])]))


@asynccontextmanager
async def monitor(process: RedisProcess) -> AsyncIterator[Monitor]:
    reader, writer = await asyncio.open_unix_connection(str(process.socket_path), limit=_BUFFER_BYTES)
    try:
        writer.write(b"MONITOR\r\n")
        assert await reader.readline() == b"+OK\r\n"
        yield Monitor(process, reader)
    finally:
        writer.close()
        await writer.wait_closed()
