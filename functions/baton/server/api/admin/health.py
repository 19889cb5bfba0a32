"""Health for load balancers, and `GET /api/metrics` for Prometheus (CONTRACT).

Health needs no key and shows only whether the process is up, the reason, and how the store is reached. Invariant: one
scrape's reads are bounded. A queue that does not answer leaves out its own figure alone. A store that does not answer
is an error, so that silence is never read as zero.
"""

import asyncio
import logging

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.all_jobs.slots import SlotTable
from baton.engine.waits import LIMIT_APPROVAL, USER
from baton.engine.work_items import ItemKind
from baton.server.api.jobs.context import Context
from baton.worker.container import Container
from baton_events.errors import ObjectStoreError, PublishError, StoreError

_log = logging.getLogger("baton.api")
_OBJECTS_SECONDS = 2


async def healthz(context: Context, _request: Request) -> Response:
    """Answer `GET /healthz` with 200 while the process needs no restart, else 503 and the reason."""
    fault = context.container.running_calls.fault()
    return JSONResponse({"status": "unhealthy", "reason": fault}, 503) if fault else JSONResponse({"status": "ok"})


async def readyz(context: Context, _request: Request) -> Response:
    """Answer `GET /readyz` with 200 and how the store is reached, once the agents are loaded; else 503."""
    container = context.container
    _ = container.registry  # a registry that cannot be loaded is not ready
    try:
        await container.ports.reader.ping()
    except StoreError as error:
        _log.warning("not ready: %s", error)
        return JSONResponse({"status": f"the store {error.detail}"}, 503)
    ready = {"status": "ready", "store": "RESP" if container.settings.resp_url else "REST"}
    return JSONResponse(ready | await _of_objects(container))


async def _of_objects(container: Container) -> dict[str, str]:
    """Return how the object store is; one that is away holds up only jobs with large payloads."""
    if (objects := container.ports.objects) is None:
        return {}
    try:
        async with asyncio.timeout(_OBJECTS_SECONDS):
            await objects.has()
    except (ObjectStoreError, TimeoutError) as error:
        _log.warning("the object store: %r", error)
        return {"objectStore": "does not answer"}
    return {"objectStore": "ready"}


# At most this many jobs are searched for pending approvals.
READ_LIMIT = 500


async def show_metrics(context: Context, _request: Request) -> Response:
    """Answer 200 with the text of one scrape, over all tenants."""
    from baton.server.api.admin import metrics  # noqa: PLC0415 - of an extra

    ports = context.container.ports
    counted = asyncio.gather(ports.counters.sums(), ports.tool_statistics.counters(), ports.admission_control.ends())
    stands = asyncio.gather(
        ports.admission_control.state(),
        ports.admission_control.live(),
        ports.operation_stream.expected(ports.clock.now_ms()),
        _dead_messages(context),
    )
    (sums, tools, ends), (state, live, operations, dead) = await asyncio.gather(counted, stands)
    waiting = sum(entry.want == "none" for entry in live.values())
    pending = len(await pending_approvals(context.container, live, READ_LIMIT))
    measured = metrics.Measured(sums, tools, ends, state, waiting, pending, operations, dead)
    headers = {"content-type": metrics.CONTENT_TYPE, "cache-control": "no-store"}
    return Response(metrics.exposition(measured), headers=headers)


async def pending_approvals(container: Container, live: SlotTable, most_jobs: int) -> list[str]:
    """Return the job of each approval that waits for an operator, the first to expire first, of so many live jobs."""
    # Those that want no slot first: others have rarely asked for a decision.
    names = sorted(live, key=lambda name: live[name].want != "none")
    jobs, now_ms = await container.ports.reader.jobs(names[:most_jobs]), container.ports.clock.now_ms()
    waits = ((item, one.job.id) for one in jobs.values() for item in one.items if item.kind is ItemKind.WAIT)
    asked = ((item, name) for item, name in waits if item.approval_of_call or item.tool == LIMIT_APPROVAL)
    due = [(item.not_before_ms, name, item.call_id) for item, name in asked if item.memo.get("by") != USER]
    pending = [one for one in due if one[0] > now_ms]
    stored = await asyncio.gather(*(container.ports.reader.result(*one) for _, *one in pending))
    # One that is decided waits no more, though its job has not read the decision yet.
    undecided = [one for one, (*_, decision) in zip(pending, stored, strict=True) if not decision]
    return [job_id for _, job_id, _ in sorted(undecided)]


async def _dead_messages(context: Context) -> int | None:
    try:
        return len((await context.container.ports.queue_records.dead_letters()).letters)
    except PublishError as error:
        _log.warning("metrics without the dead letter queue: %s", error)
        return None
