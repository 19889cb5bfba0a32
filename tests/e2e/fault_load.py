"""Jobs submitted while the stack is hurt, and what became of each submission.

Each has an Idempotency-Key, so its job's id is known before anything is answered, and it can be asked for later. One
that `insists` is repeated until it is accepted, as a careful client does; the others are sent once.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from baton_events.ids import job_id_from_key
from tests.e2e.fault_stack import FaultStack

CLIENT_SECONDS = 15.0
AGAIN_SECONDS = 0.5
INSISTS_SECONDS = 300.0
WORKERS = 6


@dataclass(frozen=True, slots=True)
class Submission:
    key: str
    tenant: str
    agent: str
    session: str | None = None
    at_seconds: float = 0.0
    insists: bool = False
    delay_seconds: int = 0

    @property
    def job_id(self) -> str:
        return job_id_from_key(self.tenant, self.key)

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"jobType": self.agent, "delaySeconds": self.delay_seconds}
        return body if self.session is None else {**body, "sessionId": self.session}


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a submission: the status codes of its tries; 0: no answer."""

    submission: Submission
    statuses: tuple[int, ...]

    @property
    def accepted(self) -> bool:
        return self.statuses[-1] == httpx.codes.ACCEPTED


class Load:
    def __init__(self, stack: FaultStack, submissions: Sequence[Submission]) -> None:
        self._stack = stack
        self._url = stack.described["app_url"]
        self._client = httpx.Client(timeout=CLIENT_SECONDS)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="load")
        self._began = time.monotonic()
        self._futures = [self._pool.submit(self._send, submission) for submission in submissions]

    def finish(self) -> list[Sent]:
        try:
            return [future.result() for future in self._futures]
        finally:
            self._pool.shutdown()
            self._client.close()

    def _send(self, submission: Submission) -> Sent:
        time.sleep(max(0.0, self._began + submission.at_seconds - time.monotonic()))
        give_up_at = time.monotonic() + (INSISTS_SECONDS if submission.insists else 0.0)
        statuses = [self.post(submission)]
        while statuses[-1] != httpx.codes.ACCEPTED and time.monotonic() < give_up_at:
            time.sleep(AGAIN_SECONDS)
            statuses.append(self.post(submission))
        return Sent(submission, tuple(statuses))

    def post(self, submission: Submission) -> int:
        """Send it once; the status of the answer, 0 for none."""
        headers = {
            "authorization": f"Bearer {self._stack.keys[submission.tenant]}",
            "idempotency-key": submission.key,
        }
        try:
            return self._client.post(f"{self._url}/api/agent-jobs", headers=headers, json=submission.body()).status_code
        except httpx.HTTPError:
            return 0
