"""`/api/agent/updates?workflowId=`: a job's parts over a WebSocket, one JSON part a message, until the job's end.

Only where the host speaks WebSocket (uvicorn): a plain request is refused, as on Lambda. Invariant: a closed connection
changes nothing of the job, and ends its reader.
"""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from baton.engine.state import Job
from baton.server.api.auth import Keys, Principal
from baton.server.api.guard import Guard
from baton.server.api.jobs.job import no_job
from baton.server.api.problem import ApiError, on_error
from baton.server.api.stream import StreamReader, position_of
from baton.server.api.stream_token import Permit, check_capacity, must_cover
from baton.store.records.jobs import StoredParts
from baton.worker.commands.audience import Audience
from baton.worker.container import Container
from baton_events.errors import BatonError

PATH = "/api/agent/updates"
# Closes a connection that ends before the job: the client comes back with `lastMessageId`.
_TRY_AGAIN = 1013


async def updates_over_http(_request: Request) -> Response:
    """Refuse a plain HTTP request for the updates, and name the alternative."""
    detail = (
        f"{PATH} is a WebSocket, which this request, or its host, is not (Lambda has none): follow the job at"
        " /api/agent-jobs/{id}/stream"
    )
    raise ApiError(426, detail, headers={"Upgrade": "websocket", "Connection": "Upgrade"})


def update_routes(container: Container, keys: Keys, guard: Guard) -> list[WebSocketRoute]:
    return [WebSocketRoute(PATH, Updates(container, keys, guard).follow)]


class Updates:
    def __init__(self, container: Container, keys: Keys, guard: Guard) -> None:
        self._container, self._keys = container, keys
        self._reader, self._archive = container.ports.reader, container.ports.archive
        self._guard = guard

    async def follow(self, socket: WebSocket) -> None:
        """Send one job's parts; refuse as for a request: 401, 403, 404."""
        try:
            job_id, after = socket.query_params.get("workflowId", ""), position_of(socket)
            principal, first = await self._first(socket, job_id, after)
            check_capacity(self._container, principal)
        except BatonError as error:
            sent = Request({**socket.scope, "type": "http", "method": "GET"})
            await socket.send_denial_response(await on_error(sent, error))
            return
        await socket.accept()
        permit = Permit(self._container, self._keys, socket, principal)
        reader = StreamReader(self._container, permit, job_id, after)
        with reader.reading():
            sending = asyncio.create_task(self._send(socket, reader, permit.audience, first))
            leaving = asyncio.create_task(_left(socket))
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
            for task in (sending, leaving):
                task.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _first(self, socket: WebSocket, job_id: str, after: int) -> tuple[Principal, StoredParts]:
        principal = await self._guard.follower(socket)
        first = await self._reader.parts(job_id, after)
        job: Job | None = first.job
        if job is None:
            raise await no_job(self._archive, principal, job_id)
        if not principal.may_see(job.tenant):
            raise ApiError(403, f"job {job_id!r} belongs to another tenant")
        must_cover(socket, job.tenant, job.id, job.session_id)
        return principal, first

    async def _send(self, socket: WebSocket, reader: StreamReader, audience: Audience, stored: StoredParts) -> None:
        try:
            while stored.job is not None and not reader.stopped:
                for number, part in enumerate(stored.parts, stored.first):
                    reader.after = number
                    if mine := audience.shown_part(stored.job.id, part):
                        await socket.send_text(mine)
                if stored.job.ended:
                    await socket.close()
                    return
                stored = await reader.next(stored)
        except BatonError:
            pass
        except (WebSocketDisconnect, RuntimeError):
            return  # it is already closed
        await socket.close(_TRY_AGAIN)


async def _left(socket: WebSocket) -> None:
    """Wait until the client has closed the connection; messages from it are ignored."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
