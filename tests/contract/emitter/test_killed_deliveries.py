"""Pumps on a real Valkey that are killed while they deliver and others publish: what was accepted comes to its end."""

import asyncio
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from msgspec.structs import replace

from baton.queue.redis.in_store import QueueInStore
from baton.queue.redis.shards import SHARDS, shard_keys
from baton.sdk.clock import SystemClock
from baton.settings.settings import Settings
from baton.testing.dice import Dice
from baton.worker.recovery.undelivered import all_dead_letters
from baton.worker.wiring import queue_in_store
from baton_events.messages import Flow, Outgoing, RetryWaits
from tests.bench.peers.environment import environment
from tests.contract.qstash.destination import Destination, Received, Reply
from tests.contract.store.redis_process import RedisProcess

KILLS, PUMPS, LONGEST_LIFE_SECONDS = 20, 2, 1.5
LEASES_SECONDS, CLOCK_MS, PAUSE_SECONDS, WORK_SECONDS = 240, 50, 0.1, 0.5
FLAKY_FAILURES, DELAY_MS = 2, 1_000
FAST = RetryWaits(50, 1)
PATHS = ("/plain", "/flaky", "/later", "/failing", "/twice")


class Arrivals:
    """How often each attempt of a message has come; `early`: those that came before they were due."""

    def __init__(self, destination: Destination) -> None:
        self.attempts: dict[str, Counter[int]] = defaultdict(Counter)
        self.early = list[str]()
        self.ids_of_body: dict[bytes, set[str]] = defaultdict(set)
        for path in (*PATHS, "/failed"):
            destination.replies[path] = self.answer

    def answer(self, request: Received) -> Reply:
        """Answer `/failing` with a failure for ever, `/flaky` at first."""
        name, retried = request.headers["upstash-message-id"], int(request.headers["upstash-retried"])
        self.attempts[name][retried] += 1
        self.ids_of_body[request.body].add(name)
        if request.path == "/later" and int(request.body) > SystemClock().now_ms() + CLOCK_MS:
            self.early.append(name)
        time.sleep(WORK_SECONDS * (request.path == "/plain"))  # some are under way whenever a pump is killed
        failures = {"/failing": retried + 1, "/flaky": FLAKY_FAILURES}.get(request.path, 0)
        return Reply(500 if retried < failures else 200)


class Pumps:
    def __init__(self, settings: Settings) -> None:
        own = {"QUEUE": "redis", "REDIS_URL": settings.resp_url, "WORKER_BASE_URL": settings.worker_base_url}
        self._environment = {**environment(), **own}
        self.running = [self.start() for _ in range(PUMPS)]

    def start(self) -> subprocess.Popen[bytes]:
        command = [str(Path(sys.executable).with_name("baton")), "pump"]
        return subprocess.Popen(command, env=self._environment, stdout=subprocess.PIPE)

    def kill(self, which: int) -> None:
        """Kill one, once it delivers; another takes its place."""
        stdout = self.running[which].stdout
        assert stdout is not None
        assert b"delivers from" in stdout.readline()
        self.end(which)
        self.running[which] = self.start()

    def end(self, which: int) -> None:
        with self.running[which] as process:
            process.kill()


async def publish(queue: QueueInStore, destination: Destination, accepted: dict[str, list[str]]) -> None:
    number = len(accepted["/twice"])
    one = Outgoing(f"{number}", waits=FAST, retries=FLAKY_FAILURES, flow=Flow(f"flow-{number % 3}", 2))
    kinds = [replace(one, url=destination.url("/plain"), flow=Flow()), replace(one, url=destination.url("/flaky"))]
    due_ms = SystemClock().now_ms() + DELAY_MS
    kinds.append(replace(one, body=f"{due_ms}", url=destination.url("/later"), not_before_ms=due_ms))
    kinds.append(replace(one, url=destination.url("/failing"), failure_callback=destination.url("/failed")))
    twice = replace(one, body=f"twice-{number}", url=destination.url("/twice"), deduplication_id=f"{number}")
    ids = await queue.queue.publish([*kinds, twice, twice])
    assert ids[-1] == ids[-2]
    for path, name in zip(PATHS, ids, strict=False):
        accepted[path].append(name)


@pytest.mark.long
@pytest.mark.e2e
async def test_nothing_is_lost_though_pumps_are_killed_twenty_times(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    redis = RedisProcess(tmp_path)
    request.addfinalizer(redis.stop)
    address = redis.over("resp").settings().resp_url
    settings = Settings(queue="redis", resp_url=address, worker_base_url="http://127.0.0.1:9")
    made = queue_in_store(settings)
    accepted, dice = {path: list[str]() for path in PATHS}, Dice(1)
    with Destination() as destination:
        arrivals, pumps = Arrivals(destination), Pumps(settings)
        try:
            for number in range(KILLS):
                killing = asyncio.create_task(asyncio.to_thread(pumps.kill, number % PUMPS))
                while not killing.done():
                    await publish(made, destination, accepted)
                    await asyncio.sleep(PAUSE_SECONDS)
                await killing
                await asyncio.sleep(LONGEST_LIFE_SECONDS * dice.roll(number))
            names = {name for each in accepted.values() for name in each}
            last = dict.fromkeys(names, 0) | dict.fromkeys((*accepted["/flaky"], *accepted["/failing"]), 2)
            left, kept = names, 1
            for _ in range(10 * LEASES_SECONDS):
                kept = sum(redis.request_all(*(["HLEN", shard_keys(shard)[2]] for shard in range(SHARDS))))
                left = {name for name, attempt in last.items() if not arrivals.attempts[name][attempt]}
                if not left and not kept:
                    break
                await asyncio.sleep(0.1)
            letters, _ = await all_dead_letters(made.records, most_pages=1_000)
        finally:
            for which in range(PUMPS):
                pumps.end(which)
            await made.queue.close()
    assert (left, kept, arrivals.early) == (set(), 0, [])
    assert Counter(letter.message.id for letter in letters) == Counter(accepted["/failing"]), (
        "each is a dead letter, once"
    )
    assert all(len(arrivals.ids_of_body[f"twice-{n}".encode()]) == 1 for n in range(len(accepted["/twice"])))
    assert all(arrivals.attempts[name].keys() == {0, 1, 2} for name in (*accepted["/flaky"], *accepted["/failing"]))
