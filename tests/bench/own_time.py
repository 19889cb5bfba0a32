"""What our own code takes of a step: `python -m tests.bench.own_time [--profile]`.

A job of five tool calls, continued in place: the edge's parsing, the pipeline, the core, the store's encoding and
decoding, the agent's loop, all as in production, but the store's answers are played back and nothing is published. So
no socket, SDK or server is in it, and the model and the tool do next to nothing. Microseconds of processor time a step
(a model turn or a tool call; eleven in all), best and median of the rounds.
"""

import argparse
import asyncio
import cProfile
import json
import pstats
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.queue.dispatch import Delivered
from baton.settings.settings import Settings
from baton.store.redis.admission import Admission
from baton.store.redis.app_events import AppEvents
from baton.store.redis.connection import RedisConnection
from baton.store.redis.listing import Listing
from baton.store.redis.operation_stream import OperationStream
from baton.store.redis.store import Store
from baton.store.redis.totals import Counters, ToolStatistics
from baton.worker.container import Container
from baton.worker.handlers.agent_loop import SPEC
from baton.worker.runtime.pipeline import Pipeline
from baton_events.schema import EventType
from tests.bench.peers import work
from tests.bench.played_store import PlayedConnection, RecordingConnection
from tests.contract.store.redis_process import TOKEN, RedisProcess
from tests.unit.baton.kit.stage import BASE, Stage

STEPS = work.steps_of("seq")
JOBS_A_ROUND, ROUNDS, COUNTED_JOBS = 50, 9, 5
SHOWN = 35
RETENTION_MS = 60_000


@tool
async def lookup(q: str, n: int) -> str:
    """Look something up."""
    return work.TOOL_TEXT


class Reading(ScriptedModel):
    """A script whose model is told all that was said before, as a real one is."""

    reads_history = True


def _registry(at_once: int) -> Registry:
    """`at_once`: the calls of the job's only turn that has any; 0: the job of the benchmark, one call a turn."""
    calls = [Call("lookup", work.arguments(number)) for number in range(at_once or work.calls_wanted("seq"))]
    turns = [calls] if at_once else [[call] for call in calls]
    return Registry([Agent("seq", model=Reading([*turns, work.ANSWER]), tools=[lookup])])


def _stage(settings: Settings, connection: RedisConnection, at_once: int) -> Stage:
    """The product over the store's real adapters; the rest is in memory."""
    registry = _registry(at_once)
    stage = Stage(settings=settings, registry=registry)
    stage.container = Container(
        settings,
        replace(
            stage.ports,
            store=Store(connection, RETENTION_MS),
            admission=Admission(connection, settings.max_concurrent_jobs, RETENTION_MS),
            counters=Counters(connection),
            listing=Listing(connection),
            tool_statistics=ToolStatistics(connection),
            app_events=AppEvents(
                connection, settings.job_retention_seconds * 1000, settings.event_retention_seconds * 1000
            ),
            operation_stream=OperationStream(connection, 1_000, "operations:completed", "baton"),
            randomness=OneName(),
        ),
        registry,
    )
    return stage


class OneName:
    """`Randomness` of a played-back job: its invocation has the name that the answers were recorded for."""

    def token(self) -> str:
        return "token0000000000000000001"


class OwnTime:
    def __init__(self, settings: Settings, delivered: Delivered, connection: PlayedConnection, at_once: int) -> None:
        self._connection = connection
        self._delivered = delivered
        self._pipeline: Pipeline = _stage(settings, connection, at_once).pipeline(EventType.LOOP_INIT)

    @classmethod
    async def recorded(cls, settings: Settings, at_once: int) -> "OwnTime":
        connection = RecordingConnection(settings)
        event = await _stage(settings, connection, at_once).submit("seq")
        del connection.answers[:]
        delivered = Delivered("m1", 0, event)
        # By a process that knows nothing of the job, as each of those is for which it is played back.
        outcome = await _stage(settings, connection, at_once).container.pipeline(SPEC).handle(delivered)
        await connection.close()
        if outcome.label != "done" or outcome.dispatched:
            raise RuntimeError(f"the job was not done in place: {outcome}")
        return cls(settings, delivered, PlayedConnection(settings, connection.answers), at_once)

    async def run(self, jobs: int) -> None:
        for _ in range(jobs):
            self._connection.rewind()
            await self._pipeline.handle(self._delivered)

    @property
    def answered(self) -> int:
        return self._connection.answered

    @property
    def recorded_answers(self) -> int:
        return len(self._connection.answers)

    async def calls(self) -> float:
        """Calls of Python and C functions that a job takes, by cProfile; a coroutine's each time that it goes on."""
        await self.run(2)
        profiler = cProfile.Profile()
        profiler.enable()
        await self.run(COUNTED_JOBS)
        profiler.disable()
        return sum(entry.callcount for entry in profiler.getstats()) / COUNTED_JOBS

    async def a_step_us(self, jobs: int) -> float:
        began = time.process_time()
        await self.run(jobs)
        return (time.process_time() - began) * 1e6 / (jobs * STEPS)


async def recorded_job(at_once: int = 0) -> OwnTime:
    with tempfile.TemporaryDirectory() as folder:
        process = RedisProcess(Path(folder) / "redis")
        try:
            settings = Settings(
                worker_base_url=BASE,
                qstash_token="token",
                max_concurrent_jobs=3,
                redis_url=process.url,
                redis_token=TOKEN,
                continuation="inline",
            )
            return await OwnTime.recorded(settings, at_once)
        finally:
            process.stop()


async def _main(*, profile: bool) -> None:
    job = await recorded_job()
    await job.run(JOBS_A_ROUND)
    rounds = [await job.a_step_us(JOBS_A_ROUND) for _ in range(ROUNDS)]
    best, median = round(min(rounds), 1), round(statistics.median(rounds), 1)
    sys.stdout.write(json.dumps({"test": "own", "best_us_a_step": best, "median_us_a_step": median}) + "\n")
    if profile:
        profiler = cProfile.Profile(time.process_time)  # not of the wall clock: others work here, too
        profiler.enable()
        await job.run(JOBS_A_ROUND)
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(SHOWN)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="and which functions, by cProfile (which slows them)")
    asyncio.run(_main(profile=parser.parse_args().profile))
