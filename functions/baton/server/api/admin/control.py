"""For operators: the admission of jobs, how each tool is used, and replaying messages of the queue (CONTRACT).

A message may be one that was delivered or given up, or any that a job still expects. Must not: do anything twice;
worker/recovery/replay_message.py checks a message's state, and sends only one that still has an effect.
"""

import logging
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.queue.ports import LogEntry, QueuedMessage, QueueRecords
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, Code, limited_body, parsed
from baton.store.records.all_jobs import AdmissionState
from baton.worker.admission.slot_client import arm_sweep, notify_granted
from baton.worker.container import Container
from baton.worker.recovery.replay_message import SENDABLE, Replaying
from baton_events.errors import PublishError, StoreError
from baton_events.timestamps import rfc3339

_log = logging.getLogger("baton.api")


async def replay(context: Context, request: Request) -> Response:
    """Answer `POST /api/admin/messages/{id}/replay` with 200: a message's state, and whether it was sent again.

    With a job's id: how many of the job's steps were sent once more.
    """
    target = request.path_params["message_id"]
    replaying = replaying_of(context.container)
    if target.startswith("job_"):
        if not await context.container.ports.reader.jobs([target]):
            raise ApiError(404, f"there is no job {target!r}", code=Code.TASK_NOT_FOUND)
        return JSONResponse({"jobId": target, "driven": await replaying.replay_job(target)})
    message, _ = await message_and_log(context.container.ports.queue_records, target)
    checked = await replaying.replay(message)
    job_id = checked.event.job_id if checked.event else None
    answer = {"messageId": target, "standing": checked.state, "sent": checked.state in SENDABLE}
    return JSONResponse({**answer, "jobId": job_id, "expected": checked.expected})


def replaying_of(container: Container) -> Replaying:
    ports = container.ports
    return Replaying(
        ports.reader, ports.queue_records, container.emitter, ports.clock, ports.randomness, container.settings
    )


async def message_and_log(
    records: QueueRecords, message_id: str, limit: int = 100
) -> tuple[QueuedMessage, tuple[LogEntry, ...]]:
    """Find a message that the queue has, or whose log it still keeps, and its log.

    Raises ApiError: 404, the queue does not know it any more.
    """
    entries = (await records.log(message_id=message_id, limit=limit)).entries
    message = await records.message(message_id)
    if message is None and entries:
        message = entries[-1].message
    if message is None:
        raise ApiError(404, f"the queue does not know message {message_id!r} any more: logs are kept some days")
    return message, entries


async def show_tools(context: Context, _request: Request) -> Response:
    return JSONResponse({"tools": await tool_counters(context)})


async def tool_counters(context: Context) -> list[dict[str, Any]]:
    """Return the counters of every registered tool and of removed tools that were used, over all tenants."""
    capabilities = {item.name: sorted(item.capabilities) for item in context.container.registry.tools}
    found, unused = await context.container.ports.tool_statistics.counters(), (0, 0, None, None)
    used = {each.tool: (each.calls, each.failures, each.p50_ms, each.p95_ms) for each in found}
    names, counted = sorted({*capabilities, *used}), ("calls", "failures", "p50Ms", "p95Ms")
    return [
        {"name": name, "capabilities": capabilities.get(name, [])}
        | dict(zip(counted, used.get(name, unused), strict=True))
        for name in names
    ]


class WorkerBody(BaseModel):
    """How the worker is to run; null: as the setting says. A field that is left out changes nothing.

    `pollInterval` and `enableSentry` are taken and change nothing: nothing polls, and Sentry is a setting.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)

    max_concurrent_jobs: Annotated[int, Field(strict=True, ge=1, le=100_000)] | None = None
    poll_interval: Annotated[int, Field(strict=True, ge=0)] | None = None
    enable_sentry: Annotated[bool, Field(strict=True)] | None = None


async def stop_admission(container: Container) -> AdmissionState:
    """Admit no job any more; return the new state.

    It takes nothing away: a job that holds a slot goes on to its end. A failover of the store may forget a stop or a
    start that was made less than 20 s before it: the state then shows so.
    """
    control = container.ports.admission_control
    await control.stop(container.ports.clock.now_ms())
    return await control.state()


async def start_admission(container: Container, slots: int | None = None) -> AdmissionState:
    """Admit jobs again: free slots are given at once, and their jobs are notified; return the new state.

    `slots`: how many there are from now on, 0: the setting; None: as many as before.
    A crash before they are notified leaves that to the next start, the next sweep, or the hourly backstop.

    Raises PublishError: the queue did not take their notices; starting again sends them.
    """
    control, now_ms = container.ports.admission_control, container.ports.clock.now_ms()
    started = await control.start(now_ms, slots)
    if started.sweep_at_ms:
        await arm_sweep(container.emitter, started.sweep_at_ms)
    cause = f"start-{container.ports.randomness.token()}"
    await notify_granted(container.emitter, started.granted, now_ms, cause)
    return await control.state()


async def show_worker(context: Context, _request: Request) -> Response:
    """Answer 200 with the admission's state now and in the last hours."""
    ports = context.container.ports
    samples = await ports.admission_control.samples(ports.clock.now_ms())
    state = await ports.admission_control.state()
    history = [
        {"activeJobs": each.active, "pendingJobs": each.pending, "maxConcurrentJobs": each.slots}
        | {"at": rfc3339(each.at_ms)}
        for each in samples
    ]
    return JSONResponse(worker_view(state) | {"history": history})


async def start_worker(context: Context, request: Request) -> Response:
    """Start the admission and answer 200 with its state: jobs get slots from now on. It may be repeated."""
    body = parsed(WorkerBody, await limited_body(request) or b"{}")
    slots = (body.max_concurrent_jobs or 0) if "max_concurrent_jobs" in body.model_fields_set else None
    return JSONResponse(worker_view(await start_admission(context.container, slots)))


async def start_with_the_app(container: Container) -> None:
    """Start the admission, or log why not: the app serves without the store, too."""
    try:
        await start_admission(container)
    except (StoreError, PublishError) as error:
        _log.warning("ENABLE_AGENT_WORKER: the admission may still be stopped: %s", error)


async def stop_worker(context: Context, _request: Request) -> Response:
    """Stop the admission and answer 200: no job gets a slot from now on; a job that holds one continues."""
    return JSONResponse(worker_view(await stop_admission(context.container)))


def worker_view(state: AdmissionState) -> dict[str, Any]:
    return {
        "running": not state.stopped_ms,
        "stoppedAt": rfc3339(state.stopped_ms) if state.stopped_ms else None,
        "activeJobs": state.active,
        "pendingJobs": state.pending,
        "maxConcurrentJobs": state.slots,
        "maxJobsPerTenant": state.of_tenant,
        "lastSweepAt": rfc3339(state.swept_ms) if state.swept_ms else None,
    }
