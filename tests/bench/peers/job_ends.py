"""Tells when Baton's jobs have ended, and when their steps were done, by looking at the store from beside.

The server tells of each key that is given a time to live, which is what a job's last COMMIT does; nothing is polled,
and the stack does no work for it. Only for the benchmark: a program of a user's follows a job's stream.
"""

import asyncio
import contextlib
import json
import re
from pathlib import Path

_STAMP = re.compile(rb"ts=(\d+);")
_ENDS = "__keyspace@0__:baton:{*}:state"
_JOB = re.compile(rb"baton:\{([^}]+)\}:state$")


class Wire:
    """One connection to the server: commands with their answers in order. `size_bytes`: of both, so far."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.size_bytes = 0

    @classmethod
    async def to(cls, socket_path: Path) -> "Wire":
        return cls(*await asyncio.open_unix_connection(str(socket_path)))

    def send(self, *command: str) -> None:
        parts = [part.encode() for part in command]
        text = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
        self.size_bytes += len(text)
        self._writer.write(text)

    async def answer(self) -> bytes | int | list[object] | None:
        """The next answer.

        Raises:
            ConnectionError: the server refused the command, or is gone.
        """
        line = await self._reader.readline()
        kind, rest = line[:1], line[1:-2]
        self.size_bytes += len(line)
        if kind == b"$":
            size = int(rest)
            self.size_bytes += max(0, size + 2)
            return None if size < 0 else (await self._reader.readexactly(size + 2))[:-2]
        if kind == b"*":
            return [await self.answer() for _ in range(int(rest))]
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        raise ConnectionError(f"the server answered {line!r}")

    def close(self) -> None:
        self._writer.close()


class JobEnds:
    """Waits for jobs; ask for each job before it ends."""

    def __init__(self, events: Wire, reads: Wire) -> None:
        self._events = events
        self._reads = reads
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._reading = asyncio.Lock()
        self._task = asyncio.create_task(self._listen())

    @classmethod
    async def of(cls, socket_path: Path) -> "JobEnds":
        events, reads = await Wire.to(socket_path), await Wire.to(socket_path)
        reads.send("CONFIG", "SET", "notify-keyspace-events", "Kg")
        await reads.answer()
        events.send("PSUBSCRIBE", _ENDS)
        await events.answer()
        return cls(events, reads)

    async def _listen(self) -> None:
        while True:
            answers = await self._events.answer()
            match answers:
                case [b"pmessage", _, bytes() as channel, b"expire"]:
                    if found := _JOB.search(channel):
                        self._future(found[1].decode()).set_result(None)
                case _:
                    pass

    def _future(self, job_id: str) -> "asyncio.Future[None]":
        return self._waiting.setdefault(job_id, asyncio.get_running_loop().create_future())

    @property
    def size_bytes(self) -> int:
        """What looking has taken of the server: no job needs it."""
        return self._events.size_bytes + self._reads.size_bytes

    async def of_job(self, job_id: str) -> list[int]:
        """Wait for a job's end; when each of its steps was done."""
        await self._future(job_id)
        del self._waiting[job_id]
        async with self._reading:
            self._reads.send("HVALS", f"baton:{{{job_id}}}:calls:{job_id}")
            answer = await self._reads.answer()
        found = [text for text in answer if isinstance(text, bytes)] if isinstance(answer, list) else []
        return sorted({int(stamp) for text in found for stamp in _STAMP.findall(text)})

    async def calls(self, job_id: str) -> list[int]:
        """The numbers of a job's tool calls whose results are recorded."""
        async with self._reading:
            self._reads.send("HVALS", f"baton:{{{job_id}}}:calls:{job_id}")
            texts = await self._reads.answer()
        records = [json.loads(text) for text in texts if isinstance(text, bytes)] if isinstance(texts, list) else []
        return [record["arguments"]["n"] for record in records if record.get("status") == "completed"]

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._events.close()
        self._reads.close()
