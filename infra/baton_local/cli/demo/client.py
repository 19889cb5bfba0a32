"""The product's public API as the demo uses it: submit a job, follow it and the jobs that its tool calls start.

Only what any client has: HTTP and a client key, and an operator's key, to approve what jobs need. Invariants: the app
may die in between: a request is then repeated (a submission under the same key). Every part of every job is given once,
each job's in order: a stream resumes after the last part that was seen (`Last-Event-ID`).
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from baton_local.cli.job_stream import SseLines
from baton_local.dev.stack_error import StackError

RECONNECT_SECONDS = 0.2
ATTEMPTS = 100
STREAM_END = "[DONE]"
SHOWN_BODY_CHARS = 300

Part = dict[str, Any]


class JobClient:
    """One client of the API."""

    def __init__(self, http: httpx.AsyncClient, app_url: str, client_key: str, admin_key: str = "") -> None:
        self._http = http
        self._decisions_url = f"{app_url}/api/admin/agent-checkpoints"
        self._operator = {"Authorization": f"Bearer {admin_key}"}
        self._jobs_url = f"{app_url}/api/agent-jobs"
        self._headers = {"Authorization": f"Bearer {client_key}"}

    async def submit(self, job_type: str, task: str, session: str = "", data: dict[str, Any] | None = None) -> str:
        """Submit a job and return its id; without a session it has one of its own."""
        body: dict[str, Any] = {"jobType": job_type, "taskDescription": task}
        body |= {"sessionId": session} if session else {}
        body |= {"inputData": data} if data else {}
        return str((await self._json("POST", self._jobs_url, body, {"Idempotency-Key": secrets.token_hex(8)}))["id"])

    async def approve(self, checkpoint_id: str) -> None:
        """Approve what a job asks, as an operator; one that was decided meanwhile is left as it is."""
        url = f"{self._decisions_url}/{checkpoint_id}"
        response = await self._patiently("POST", url, {"comment": "by the demo"}, self._operator)
        if not response.is_success and response.status_code != httpx.codes.CONFLICT:
            raise _refused(response)

    async def job(self, job_id: str) -> dict[str, Any]:
        """Return the job as it is now."""
        return await self._json("GET", f"{self._jobs_url}/{job_id}")

    async def parts(self, job_id: str) -> AsyncIterator[Part]:
        """Give the job's parts as they come, to the end of its stream."""
        last_id = ""
        while True:
            try:
                async for event in self._stream(job_id, last_id):
                    if event.data == STREAM_END:
                        return
                    last_id = event.id or last_id
                    yield json.loads(event.data)
            except httpx.TransportError:
                pass  # the app went away; it is started again
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _stream(self, job_id: str, last_id: str) -> AsyncIterator[Any]:
        headers = {**self._headers, **({"Last-Event-ID": last_id} if last_id else {})}
        lines = SseLines()
        async with self._http.stream("GET", f"{self._jobs_url}/{job_id}/stream", headers=headers) as response:
            if response.is_server_error:
                return  # as good as gone: come again
            if response.is_client_error:
                await response.aread()
                raise _refused(response)
            async for line in response.aiter_lines():
                event = lines.decode(line)
                if event is not None:
                    yield event

    async def _json(
        self, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        response = await self._patiently(method, url, body, {**self._headers, **(headers or {})})
        if not response.is_success:
            raise _refused(response)
        answer: dict[str, Any] = response.json()
        return answer

    async def _patiently(self, method: str, url: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        """Ask until somebody answers who is no server in trouble, for as long as an app takes to be started again."""
        for _ in range(ATTEMPTS - 1):
            try:
                response = await self._http.request(method, url, json=body, headers=headers)
            except httpx.TransportError:
                response = None  # the app went away; it is started again
            if response is not None and not response.is_server_error:
                return response
            await asyncio.sleep(RECONNECT_SECONDS)
        return await self._http.request(method, url, json=body, headers=headers)


def _refused(response: httpx.Response) -> StackError:
    request = response.request
    return StackError(
        f"{request.method} {request.url} was answered with {response.status_code}: {response.text[:SHOWN_BODY_CHARS]}"
    )


@dataclass(frozen=True)
class Member:
    """A job: how deep below the first one, and the tool that started it."""

    job_id: str
    depth: int = 0
    name: str = ""


Show = Callable[[Member, Part], None]


async def follow(client: JobClient, member: Member, show: Show) -> None:
    """Show the parts of a job and of all jobs below it."""
    children: dict[str, asyncio.Task[None]] = {}
    try:
        async for part in client.parts(member.job_id):
            show(member, part)
            child = _started(part, member)
            if child is not None and child.job_id not in children:
                children[child.job_id] = asyncio.create_task(follow(client, child, show))
        await asyncio.gather(*children.values())
    finally:
        for task in children.values():
            task.cancel()
        await asyncio.gather(*children.values(), return_exceptions=True)


def _started(part: Part, parent: Member) -> Member | None:
    data = part.get("data")
    if part.get("type") != "data-operation" or not isinstance(data, dict) or not data.get("jobId"):
        return None
    return Member(data["jobId"], parent.depth + 1, str(data.get("tool", "")))
