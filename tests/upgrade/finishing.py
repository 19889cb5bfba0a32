"""Finishing what was saved, in the store in memory or on a real Redis: everything comes to its end.

What is in flight is delivered, and people do what they did.
"""

from dataclasses import replace
from typing import Any

from baton.wiring import real_ports
from tests.contract.store.redis_process import TOKEN, RedisProcess
from tests.fakes.clock import FakeClock
from tests.unit.baton.kit.stage import Stage
from tests.upgrade.in_flight import InFlight, ahead_of_redis
from tests.upgrade.in_memory import Loading
from tests.upgrade.installation import Installation, Request, settings_of
from tests.upgrade.saved import RawRedis, Saved, load_keys, shown, texts_of, written

HOUR_SECONDS = 3_600
# Of a job and of its calls, what must be the same whichever version finishes it.
_OF_A_JOB = ("jobType", "sessionId", "status", "result", "error", "turns")
_OF_A_CALL = ("tool", "arguments", "status", "result", "error")


async def finish(version: Installation, then: tuple[Request, ...]) -> None:
    await version.run(within_seconds=HOUR_SECONDS)
    for request in then:
        await version.request(request)
        await version.run(within_seconds=HOUR_SECONDS)
    await version.run()


async def ends_of(version: Installation) -> dict[str, Any]:
    ends: dict[str, Any] = {}
    listed = (await version.request(Request("GET", "/api/agent-jobs?limit=100", key="admin")))["jobs"]
    while listed:
        found = listed.pop()
        job = await version.request(Request("GET", f"/api/agent-jobs/{found['id']}", key="admin"))
        calls = {call["id"]: {name: call.get(name) for name in _OF_A_CALL} for call in job["toolCalls"]}
        ends[job["id"]] = {name: job[name] for name in _OF_A_JOB} | {"toolCalls": calls}
        below = await version.request(Request("GET", f"/api/agent-jobs?parentJobId={job['id']}&limit=100", key="admin"))
        listed += below["jobs"]
    return dict(sorted(ends.items()))


def runs_of(version: Installation) -> list[list[Any]]:
    """What tools did, in the order of its text, since parallel calls have none."""
    return sorted(([tool, arguments, key] for tool, arguments, key in version.kit.ran), key=str)


async def not_ended(version: Installation, saved: Saved) -> list[str]:
    found = []
    for job_id in saved.job_ids:
        path = f"/api/agent-jobs/{job_id}"
        if await version.status(Request("GET", path, key="admin")) != 410:
            job = await version.request(Request("GET", path, key="admin"))
            found += [f"{job_id}: {job['waitingFor']}"] if job["finishedAt"] is None else []
    return found


def in_memory(saved: Saved, continuation: str) -> Installation:
    settings = settings_of(continuation)
    stage = Stage(settings=settings)
    Loading(stage, saved.now_ms).load(saved.keys)
    queue, clock = InFlight(saved.messages, prefix="late"), FakeClock(saved.now_ms)
    return Installation(settings, stage.ports, queue, clock, "late0")


def on_redis(saved: Saved, continuation: str, process: RedisProcess, redis: RawRedis) -> Installation:
    load_keys(redis, saved.keys)
    settings = replace(settings_of(continuation), redis_url=process.url, redis_token=TOKEN)
    clock = FakeClock(saved.now_ms)
    queue = InFlight(saved.messages, prefix="late", ahead_ms=ahead_of_redis(clock))
    return Installation(settings_of(continuation), real_ports(settings), queue, clock, "late0")


async def finished(version: Installation, saved: Saved) -> None:
    """Finish it, and hold what it came to to what it came to before."""
    async with version.running():
        before = {job_id: await streams_of(version, job_id) for job_id in saved.job_ids}
        assert before == {job_id: _saved_streams(saved, job_id) for job_id in saved.job_ids}
        await finish(version, saved.then)
        assert await not_ended(version, saved) == []
        assert await ends_of(version) == saved.ends
        assert runs_of(version) == saved.ran
        for job_id, (parts, entries) in before.items():
            now_parts, now_entries = await streams_of(version, job_id)
            assert now_parts[: len(parts)] == parts, f"parts of {job_id} have changed"
            assert now_entries[: len(entries)] == entries, f"the transcript of {job_id} has changed"


async def streams_of(version: Installation, job_id: str) -> tuple[list[str], list[str]]:
    """What is only appended to: parts and transcript, as they are stored."""
    reader = version.container.ports.reader
    parts = list((await reader.parts(job_id, 0)).parts)
    return parts, [written(entry) for entry in await reader.transcript(job_id)]


def _saved_streams(saved: Saved, job_id: str) -> tuple[list[str], list[str]]:
    found = {name.split(":", 2)[2]: key["value"] for name, key in saved.keys.items() if name.endswith(f":{job_id}")}
    names = (f"parts:{job_id}", f"transcript:{job_id}")
    parts, transcript = ([written(shown(written(one))) for one in texts_of(found.get(name, []))] for name in names)
    return parts, transcript
