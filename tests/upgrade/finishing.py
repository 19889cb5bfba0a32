"""Finishing what was saved: what is in flight is delivered, people do what they did, everything comes to its end."""

from typing import Any

from tests.upgrade.installation import Installation, Request
from tests.upgrade.saved import Saved

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
