"""Replaying messages over HTTP, for operators: one that was delivered or given up, or whatever a job still expects.

Must not: do anything twice; recovery/replaying.py says how a message stands, and sends only what can do something.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.api.problem import ApiError
from baton.container import Container
from baton.ports import LogEntry, QueuedMessage, QueueRecords
from baton.recovery.replaying import SENDABLE, Replaying


class MessagesApi:
    """Endpoints of messages."""

    def __init__(self, container: Container) -> None:
        ports = container.ports
        self._ports = ports
        self._replaying = Replaying(ports.reader, container.emitter, ports.clock, ports.randomness, container.settings)

    async def replay(self, request: Request) -> Response:
        """`POST /api/admin/messages/{id}/replay` → 200: how it stood, and whether it was sent once more."""
        message_id = request.path_params["message_id"]
        message, _ = await message_and_log(self._ports.queue_records, message_id)
        looked = await self._replaying.replay(message)
        job_id = looked.event.job_id if looked.event else None
        answer = {"messageId": message_id, "standing": looked.state, "sent": looked.state in SENDABLE}
        return JSONResponse({**answer, "jobId": job_id, "expected": looked.expected})

    async def redrive(self, request: Request) -> Response:
        """`POST /api/admin/agent-jobs/{id}/drive` → 200: how many of its steps were sent once more."""
        job_id = request.path_params["job_id"]
        if not await self._ports.reader.jobs([job_id]):
            raise ApiError(404, f"there is no job {job_id!r}")
        return JSONResponse({"jobId": job_id, "driven": await self._replaying.redrive(job_id)})


async def message_and_log(
    records: QueueRecords, message_id: str, limit: int = 100
) -> tuple[QueuedMessage, tuple[LogEntry, ...]]:
    """A message that the queue has, or whose log it still keeps, and its log.

    Raises:
        ApiError: 404, the queue does not know it any more.
    """
    entries = (await records.log(message_id=message_id, limit=limit)).entries
    message = await records.message(message_id)
    if message is None and entries:
        message = entries[-1].message
    if message is None:
        raise ApiError(404, f"the queue does not know message {message_id!r} any more: logs are kept some days")
    return message, entries
