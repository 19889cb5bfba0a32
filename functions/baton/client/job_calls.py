"""Calls about jobs, and about decisions that wait: submit, read, follow, change, fork, compare, score, approve.

Written once for both clients.
"""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

import msgspec

from baton.client.requests import Call, Requests, in_path, job_stream, once, seconds_sent
from baton.client.results import Checkpoint, Diff, Job, Json, Link, Part, Score

_JOBS = "/api/agent-jobs"
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.1, 5.0
WhenBusy = Literal["queue", "reject", "interrupt", "steer", "rollback"]
Row = TypeVar("Row")


def id_of(one: Any) -> str:
    """Return the id of a record, or the id itself, encoded for a path."""
    return in_path(one if isinstance(one, str) else one.id)


def job_path(job: Job | str, rest: str = "") -> str:
    return f"{_JOBS}/{id_of(job)}{rest}"


class Calls:
    """The base of all calls."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def request(
        self, method: str, path: str, *, body: Any = None, query: Json | None = None, idempotency_key: str = ""
    ) -> Any:
        """Send a request without a method of its own here; return its JSON, or None where there is none.

        It is retried if it reads, or has an idempotency key.
        """
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        repeatable = method == "GET" or bool(headers)
        call = Call(method, path, body, query or {}, headers, repeatable=repeatable, whole=True)
        return await self._requests.fetch_record(call, object)

    async def _get(self, path: str, kind: type[Row], **query: Any) -> Row:
        return await self._requests.fetch_record(Call("GET", path, query=query, repeatable=True), kind)

    async def _rows(self, path: str, name: str, kind: type[Row], **query: Any) -> AsyncGenerator[Row, None]:
        cursor: str | None = None
        while True:
            page = await self._get(path, Json, **query, cursor=cursor)
            for row in page[name]:
                yield msgspec.convert(row, kind)
            cursor = page.get("cursor")
            if cursor is None:
                return


class JobCalls(Calls):
    """Jobs, from their submission to their end."""

    async def submit(  # noqa: PLR0913 - one for each field of a submission
        self,
        agent: str,
        task: str = "",
        *,
        input_data: Json | None = None,
        session: str | None = None,
        priority: int | None = None,
        tags: Sequence[str] = (),
        subject_id: str | None = None,
        delay_seconds: float | timedelta | None = None,
        start_at: datetime | None = None,
        when_busy: WhenBusy | None = None,
        callback_url: str | None = None,
        idempotency_key: str = "",
        once_for: str | None = None,
        once_for_seconds: float | timedelta | None = None,
    ) -> Job:
        """Submit a job; with the same idempotency key it is the same one.

        `once_for`: while a job that was submitted under this text lives, and `once_for_seconds` after its end, it is
        that one.

        `subject_id`: the person whose data it has, for `erase_subject`.

        A repeated request makes no second job, with a key of yours or without. `when_busy="steer"` returns the running
        job of the session, which gets the task.
        """
        body = {
            "jobType": agent,
            "taskDescription": task or None,
            "inputData": input_data,
            "sessionId": session,
            "priority": priority,
            "tags": tags or None,
            "subjectId": subject_id,
            "delaySeconds": seconds_sent(delay_seconds, "delay_seconds"),
            "startAt": start_at,
            "whenBusy": when_busy,
            "callbackUrl": callback_url,
            "onceFor": once_for,
            "onceForSeconds": seconds_sent(once_for_seconds, "once_for_seconds"),
        }
        headers = {} if once_for is not None and not idempotency_key else once(idempotency_key)
        call = Call("POST", _JOBS, body, headers=headers, repeatable=True)
        answer = await self._requests.fetch_record(call, Json)
        return msgspec.convert(answer, Job) if "id" in answer else await self._get(job_path(answer["jobId"]), Job)

    async def get(self, job: Job | str, *, steps: bool = False) -> Job:
        """Return a job as it is now. `steps`: with the usage of each of its steps."""
        return await self._get(job_path(job), Job, steps=steps or None)

    async def jobs(  # noqa: PLR0913 - one for each field of a query
        self,
        *,
        status: str | None = None,
        agent: str | None = None,
        session: str | None = None,
        tags: Sequence[str] = (),
        search: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        parent: Job | str | None = None,
        tenant: str | None = None,
        page_size: int = 100,
    ) -> AsyncGenerator[Job, None]:
        """Yield all jobs that match, newest first; pages are read as they are needed.

        `status`: one, or several with commas between them. `tags`: the job has all of them. `search`: its task, answer
        or error has all these words. `tenant`: for admin keys.
        """
        query = {
            "status": status,
            "jobType": agent,
            "sessionId": session,
            "tag": tags or None,
            "q": search,
            "createdAfter": created_after and created_after.isoformat(),
            "createdBefore": created_before and created_before.isoformat(),
            "parentJobId": parent.id if isinstance(parent, Job) else parent,
            "tenant": tenant,
            "limit": page_size,
        }
        async for job in self._rows(_JOBS, "jobs", Job, **query):
            yield job

    async def wait(self, job: Job | str, timeout_seconds: float | timedelta | None = None) -> Job:
        """Return a job once it has ended, whatever its status; polls with growing pauses of at most five seconds.

        Raises TimeoutError: it has not ended in time, and continues.
        """
        limit_seconds = seconds_sent(timeout_seconds, "timeout_seconds")
        pause_seconds, left_seconds = _FIRST_PAUSE_SECONDS, float("inf") if limit_seconds is None else limit_seconds
        while not (found := await self.get(job)).has_ended:
            if left_seconds <= 0:
                raise TimeoutError(f"job {found.id} is {found.status} after {limit_seconds} s: {found.waiting_for}")
            pause_seconds = min(pause_seconds, left_seconds)
            await self._requests.exchange.sleep(pause_seconds)
            left_seconds -= pause_seconds
            pause_seconds = min(pause_seconds * 1.5, _LONGEST_PAUSE_SECONDS)
        return found

    async def stream(self, job: Job | str, after: str | None = None) -> AsyncGenerator[Part, None]:
        """Yield the parts of a job as they come, each once and in order, to its end, across lost connections.

        `after`: the `position` of the last known part, for a process that continues.
        """
        async for part in self._requests.parts(job_stream(job if isinstance(job, str) else job.id), after):
            yield part

    async def cancel(self, job: Job | str, *, force: bool = False) -> Job:
        """Cancel a job, and those that it has started. A workflow cleans up first, unless `force` is set."""
        body = {"action": "cancel", "force": force}
        return await self._requests.fetch_record(Call("PATCH", job_path(job), body, repeatable=True), Job)

    async def retry(self, job: Job | str, start: Literal["failure", "start"] = "failure") -> Job:
        """Retry an ended job, from the failed step or from its start."""
        return await self._requests.fetch_record(Call("PATCH", job_path(job), {"action": "retry", "from": start}), Job)

    async def delete(self, job: Job | str) -> None:
        """Delete the data of an ended job."""
        await self._requests.response(Call("DELETE", job_path(job)))


class RunCalls(Calls):
    """A job's records, its scores, and forks."""

    async def fork(
        self,
        job: Job | str,
        turn: int,
        *,
        edits: Json | None = None,
        tools_run: Literal["recorded", "again"] | None = None,
        idempotency_key: str = "",
    ) -> Job:
        """Submit a job that takes over an ended one's turns before `turn`, with edits, and calls its model again."""
        body = {"turn": turn, "edits": edits, "toolsRun": tools_run}
        headers = once(idempotency_key)
        return await self._requests.fetch_record(
            Call("POST", job_path(job, "/fork"), body, headers=headers, repeatable=True), Job
        )

    async def diff(self, job: Job | str, other: Job | str) -> Diff:
        """Compare two jobs turn by turn."""
        return await self._get(job_path(job, f"/diff/{id_of(other)}"), Diff)

    async def result(self, job: Job | str, call_id: str) -> Any:
        """Return one tool call's result; for those that are too large for their job (`result_ref`)."""
        return (await self._get(job_path(job, f"/results/{id_of(call_id)}"), Json))["result"]

    async def recording(self, job: Job | str) -> str:
        """Return an ended job with all answers of its models and tools, for `baton replay` and `baton gate`."""
        return (await self._requests.response(Call("GET", job_path(job, "/recording"), repeatable=True))).text

    async def model_messages(self, job: Job | str) -> list[Json]:
        """Return the messages of a job whose agent is a library's, in that library's own JSON."""
        found: list[Json] = (await self._get(job_path(job, "/model-messages"), Json))["messages"]
        return found

    async def score(self, job: Job | str, name: str, value: float, comment: str = "") -> Score:
        """Score a job, while it runs or later; a value may be a bool. A score of the same name is replaced."""
        body = {"name": name, "value": value, "comment": comment}
        return await self._requests.fetch_record(Call("POST", job_path(job, "/scores"), body, repeatable=True), Score)


_CHECKPOINTS = "/api/admin/agent-checkpoints"


class ApprovalCalls(Calls):
    """Checkpoints of jobs, and the decisions about them."""

    async def checkpoints(self, job: Job | str) -> list[Checkpoint]:
        """Return the marks that a job's tools have set, and its decisions, pending or taken."""
        return msgspec.convert((await self._get(job_path(job, "/checkpoints"), Json))["checkpoints"], list[Checkpoint])

    async def approvals(self, status: str | None = None) -> AsyncGenerator[Checkpoint, None]:
        """Yield the approvals of all jobs: pending ones, or those of that status; needs an admin key."""
        async for checkpoint in self._rows(_CHECKPOINTS, "checkpoints", Checkpoint, status=status, limit=100):
            yield checkpoint

    async def approve(
        self, checkpoint: Checkpoint | str, *, arguments: Json | None = None, comment: str = ""
    ) -> Checkpoint:
        """Approve, with other arguments if given; needs an admin key.

        A `Checkpoint` is approved as it was read: if its question has changed since, nothing is decided.

        Raises ConflictError: it was decided before, or its question has changed.
        """
        body = {"arguments": arguments, "comment": comment or None, "digest": _digest(checkpoint)}
        return await self._requests.fetch_record(Call("POST", f"{_CHECKPOINTS}/{id_of(checkpoint)}", body), Checkpoint)

    async def reject(self, checkpoint: Checkpoint | str, reason: str = "") -> Checkpoint:
        """Reject, as a rule with a reason, which the model reads; needs an admin key. Raises as `approve`."""
        body = {"reason": reason, "digest": _digest(checkpoint)}
        return await self._requests.fetch_record(
            Call("DELETE", f"{_CHECKPOINTS}/{id_of(checkpoint)}", body), Checkpoint
        )

    async def approval_link(
        self,
        checkpoint: Checkpoint | str,
        *,
        name: str = "",
        may: Sequence[Literal["approve", "reject"]] = ("approve", "reject"),
        edit: bool = False,
        expires_in_seconds: float | timedelta | None = None,
    ) -> Link:
        """Make a link by which a person without a key decides an approval, with other arguments if it may `edit`.

        `name`: that person's, as the decision has it. Needs an admin key, unless the deployment lets clients do it.
        """
        seconds = seconds_sent(expires_in_seconds, "expires_in_seconds")
        body = {"name": name, "may": may, "edit": edit, "expiresInSeconds": seconds}
        call = Call("POST", f"{_CHECKPOINTS}/{id_of(checkpoint)}/links", body, repeatable=True)
        return await self._requests.fetch_record(call, Link)


def _digest(checkpoint: Checkpoint | str) -> str | None:
    return checkpoint.digest if isinstance(checkpoint, Checkpoint) else None
