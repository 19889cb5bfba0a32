"""How long the list of jobs takes with very many jobs in it: pages, filters and searches, of the API and the console.

    python -m tests.bench.job_list [--jobs 100000] [--days 7] [--rounds 9]

Ended jobs are in the local Redis, over REST: spread evenly over so many days, with their rows,
texts and states, written past the product. One process asks the app in this very process; nothing goes over a network
but from the app to the store. A row shows the median time, and what one such request asks of the store.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from msgspec import structs

from baton.engine.all_jobs.job_list import Row
from baton.engine.all_jobs.job_texts import outcome_text, task_text, with_texts
from baton.engine.all_jobs.shelves import entries_of, place_of
from baton.engine.commit.codec import dump
from baton.engine.state import Job
from baton.engine.transcript import task_entry
from baton.engine.transitions import JobStatus
from baton.store.redis import keys
from tests.contract.store.redis_process import RedisProcess
from tests.contract.store.side import connection_to, side_over
from tests.contract.store_cluster.raw_client import RawClient
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of

DAY_MS, BATCH = 86_400_000, 1_000
ITEMS = ("lamp", "lens", "rope", "chart", "bell")
API, CONSOLE = "/api/agent-jobs?tenant=acme", "/console/jobs?tenant=acme"
ASKED = {
    "API: newest 20": API,
    "API: newest 100": f"{API}&limit=100",
    "API: page of the middle": f"{API}&createdBefore={{middle}}",
    "API: status=failed (1 of 100)": f"{API}&status=failed",
    "API: tag (1 of 1,000)": f"{API}&tag=rare",
    "API: session of 20 jobs": f"{API}&sessionId=session_7",
    "API: search, in every fifth job": f"{API}&q=lens",
    "API: search, in 1 of 1,000": f"{API}&q=broken",
    "API: search, in 10 jobs": f"{API}&q=kraken",
    "API: search, in no job": f"{API}&q=unicorn",
    "API: search and failed": f"{API}&q=lens&status=failed",
    "console: jobs": CONSOLE,
    "console: search, in 10 jobs": f"{CONSOLE}&q=kraken",
    "console: sessions": "/console/sessions",
    "console: a conversation": "/console/sessions/session_7?tenant=acme",
}


@dataclass(frozen=True, slots=True)
class Made:
    job: Job
    task: dict[str, Any]

    @property
    def members(self) -> set[str]:
        job = self.job
        begun = Row(
            job.id,
            job.created_at_ms,
            job.tenant,
            job.session_id,
            job.agent,
            tags=job.tags,
            text=task_text(job, self.task),
        )
        ended = structs.replace(begun, status=str(job.status), text=outcome_text(job))
        return {*with_texts(begun), *with_texts(ended)}


def jobs(count: int, days: float, now_ms: int) -> Iterator[Made]:
    """So many jobs, the newest last."""
    for number in range(count):
        created_ms = now_ms - int((count - number) * days * DAY_MS / count)
        rare = " It is broken." if number % 1_000 == 0 else " The kraken has it." if number % (count // 10) == 7 else ""
        task = {"text": f"Customer {number} asks where the {ITEMS[number % 5]} of order {number * 7} is.{rare}"}
        job = Job(
            f"job_{number:024x}",
            f"session_{number // 20}",
            "acme",
            "answers",
            created_ms,
            status=JobStatus.FAILED if number % 100 == 1 else JobStatus.COMPLETED,
            result={"answer": f"Order {number * 7} is on its way, and comes tomorrow before noon."},
            started_at_ms=created_ms + 5,
            finished_at_ms=created_ms + 900,
            tags=("rare",) if number % 1_000 == 3 else (),
        )
        yield Made(job, task)


def write_to(socket_path: Path, made: list[Made]) -> None:
    with closing(RawClient(socket_path)) as client:
        for start in range(0, len(made), BATCH):
            commands = list[tuple[str | int, ...]]()
            for one in made[start : start + BATCH]:
                job, places = one.job, [(member, place_of(member)) for member in one.members]
                commands += [("ZADD", keys.list_key(place.key), 0, member) for member, place in places]
                catalogued = entries_of(place for _, place in places)
                commands += [("ZADD", keys.SLOT_ORDER, 0, f"{keys.SLOT_SHELVES}{each}") for each in catalogued]
                commands.append(("HSET", keys.state_key(job.id), f"job:{job.id}", dump(job)))
                commands.append(("HSET", keys.calls_key(job.id), f"{keys.ENTRY}0", task_entry(one.task)))
            client.write(commands)


@asynccontextmanager
async def on_redis(made: list[Made]) -> AsyncIterator[tuple[Operator, RedisProcess]]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        process = RedisProcess(Path(folder) / "data")
        connection = connection_to(process)
        try:
            write_to(process.socket_path, made)
            side, stage = side_over(connection), Stage(settings=with_keys())
            stage.ports = replace(
                stage.ports, listing=side.listing, reader=side.reader, admission_control=side.admission_control
            )
            stage.restart()
            async with operator_of(stage) as operator:
                yield operator, process
        finally:
            await connection.close()
            process.stop()


async def measured(operator: Operator, process: RedisProcess, path: str, rounds: int) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {ADMIN}"} if path.startswith("/api") else {}

    async def answer() -> tuple[float, str]:
        began = time.perf_counter()
        response = await operator.http.get(path, headers=headers)
        assert response.status_code == 200, (path, response.text)
        return (time.perf_counter() - began) * 1_000, response.text

    before = process.counted()
    _, text = await answer()
    counted = process.counted().since(before)
    found: dict[str, Any] = {"requests": counted.requests, "commands": counted.commands}
    took_ms = [(await answer())[0] for _ in range(rounds)]
    found |= {"ms": round(statistics.median(took_ms), 1), "slowest_ms": round(max(took_ms), 1)}
    if path.startswith("/api"):
        read = json.loads(text)
        found |= {"rows": len(read["jobs"]), "more": "cursor" in read}
    return found


async def main(chosen: argparse.Namespace) -> None:
    now_ms = Stage().clock.now_ms()
    made = list(jobs(chosen.jobs, chosen.days, now_ms))
    middle = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((now_ms - chosen.days * DAY_MS / 2) / 1_000))
    async with on_redis(made) as (operator, process):
        for asked, path in ASKED.items():
            found = await measured(operator, process, path.format(middle=middle), chosen.rounds)
            sys.stdout.write(json.dumps({"asked": asked, **found}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="the list of jobs with very many jobs in it")
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--rounds", type=int, default=9)
    asyncio.run(main(parser.parse_args()))
