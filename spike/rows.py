"""The product's stack with either store, as rows that a measurement asks for jobs."""

import asyncio
import json
import re
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp

from infra.local_redis.data_dir import DataDir
from tests.bench.peers import work
from tests.bench.peers.baton_row import QUICK_RECOVERY, SETTINGS, Baton
from tests.bench.peers.job_ends import _STAMP, JobEnds, Wire
from tests.e2e.meters import Meters


class SpikeEnds(JobEnds):
    """The same, where a tree's statuses expire last."""

    @classmethod
    async def of(cls, socket_path: Path) -> "SpikeEnds":
        events, reads = await Wire.to(socket_path), await Wire.to(socket_path)
        reads.send("CONFIG", "SET", "notify-keyspace-events", "Kg")
        await reads.answer()
        events.send("PSUBSCRIBE", "__keyspace@0__:baton:{*}:jobs:")
        await events.answer()
        return cls(events, reads)

    async def _listen(self) -> None:
        found = re.compile(rb"baton:\{([^}]+)\}:jobs:$")
        while True:
            told = await self._events.answer()
            match told:
                case [b"pmessage", _, bytes() as channel, b"expire"]:
                    if job := found.search(channel):
                        future = self._future(job[1].decode())
                        if not future.done():
                            future.set_result(None)
                case _:
                    pass

    async def of_job(self, job_id: str) -> list[int]:
        await self._future(job_id)
        del self._waiting[job_id]
        async with self._reading:
            self._reads.send("HVALS", f"baton:{{{job_id}}}:data:{job_id}")
            texts = await self._reads.answer()
        return sorted({int(stamp) for text in texts or () for stamp in _STAMP.findall(text)})  # type: ignore[union-attr]


    async def calls(self, job_id: str) -> list[int]:
        async with self._reading:
            self._reads.send("HGETALL", f"baton:{{{job_id}}}:data:{job_id}")
            flat = await self._reads.answer() or []
        records = [json.loads(text) for name, text in zip(flat[::2], flat[1::2], strict=True) if name.startswith(b"r:")]
        return [record[4]["n"] for record in records if record[0] is not None]


class Row(Baton):
    """One stack."""

    def __init__(self, store: str, mode: str, transport: str = "httpx") -> None:
        super().__init__()
        self.store, self.chosen = store, {"CONTINUATION": mode, "HTTP_TRANSPORT": transport}
        self.name = f"{store}-{mode}"
        self.notes = self.folder / "stats"

    async def setup(self) -> None:
        data = self.folder / "data"
        own = {**SETTINGS, **self.chosen, **(QUICK_RECOVERY if self.crashing else {})}
        if self.store == "spike":
            own |= {"SPIKE_STORE": "1", "SPIKE_STATS": str(self.notes)}
        command = [str(Path(sys.executable).with_name("baton")), "dev", "--data", str(data), "--port", "0"]
        self.spawn("stack", [*command, "--app", "spike.agents:registry"], variables=own)
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self.closing.append(self._http.close)
        self.described = await self._ready()
        self._labels = {pid: name for name, pid in self.described["processes"].items()}
        self.socket_path = DataDir(data / "redis").socket_path
        self._ends = await (SpikeEnds if self.store == "spike" else JobEnds).of(self.socket_path)
        self.closing.append(self._ends.close)
        self._ids = {}
        self.meters = Meters(data, self.described)

    async def one(self, variant: str, job: str, limit: float = 45.0) -> list[int]:
        return await asyncio.wait_for(self.run_job(variant, job), limit)

    def server(self) -> dict[str, tuple[int, int]]:
        """Calls and microseconds of each command, by the server."""
        found: dict[str, tuple[int, int]] = {}
        for line in info(self.socket_path, "commandstats"):
            if line.startswith("cmdstat_"):
                name, _, rest = line[8:].partition(":")
                values = dict(each.split("=") for each in rest.split(","))
                found[name] = int(values["calls"]), int(values["usec"])
        return found

    def stats(self) -> dict[str, int]:
        """What the spike's store has noted."""
        counts: dict[str, int] = {}
        if self.notes.exists():
            for line in self.notes.read_text().splitlines():
                counts[line] = counts.get(line, 0) + 1
        return counts


def info(path: Path, section: str) -> list[str]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(path))
        connection.sendall(f"INFO {section}\r\n".encode())
        with connection.makefile("rb") as lines:
            length = int(lines.readline()[1:])
            return lines.read(length).decode().splitlines()


def steps_of(variant: str) -> int:
    return {"seq": 11, "long": 401, "long-unread": 401}.get(variant) or int(variant[3:]) + 2


def vars_of(reading: Any) -> dict[str, int]:
    return {name: getattr(reading, name) for name in ("messages", "requests", "commands", "size_bytes")}


__all__ = ["Row", "steps_of", "vars_of", "work"]
