"""A client of the API that looks at jobs until they have ended, while the stack may be away; and jobs to submit.

Each has an Idempotency-Key, so its job's id is known before anything is answered, and it can be asked for later. One
that `insists` is repeated until it is accepted, as a careful client does; the others are sent once.
"""

import json
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from baton_events.ids import job_id_from_key
from tests.e2e.dev_stack import END_STATES, RECOVERY_SECONDS, wait_for
from tests.e2e.fault_stack import FaultStack

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


class FaultClient:
    def __init__(self, stack: FaultStack) -> None:
        self.stack = stack
        self._http = httpx.Client(base_url=stack.described["app_url"], timeout=60)

    def close(self) -> None:
        self._http.close()

    def submit(self, *submissions: Submission) -> list[int]:
        """Submit jobs, one after the other; the status of each answer."""
        return [
            self._request("POST", one, "", headers={"idempotency-key": one.key}, json=one.body()).status_code
            for one in submissions
        ]

    def cancel(self, submission: Submission) -> int:
        return self._request("PATCH", submission, f"/{submission.job_id}", json={"action": "cancel"}).status_code

    def job(self, submission: Submission) -> dict[str, Any] | None:
        """The job; None when there is none, or while the stack does not answer."""
        try:
            answer = self._request("GET", submission, f"/{submission.job_id}")
        except httpx.HTTPError:
            return None
        if answer.status_code != httpx.codes.OK:
            assert answer.status_code in (404, 503), answer.text
            return None
        job: dict[str, Any] = answer.json()
        return job

    def ended(self, submissions: Iterable[Submission]) -> dict[Submission, dict[str, Any]]:
        wanted, ended = list(submissions), dict[Submission, dict[str, Any]]()

        def all_over() -> bool:
            for one in wanted:
                if one not in ended and (job := self.job(one)) and job["status"] in END_STATES:
                    ended[one] = job
            return len(ended) == len(wanted)

        try:
            wait_for(all_over, "the end of every job", RECOVERY_SECONDS)
        except AssertionError as error:
            error.add_note(f"open: {[(one.job_id, self.job(one)) for one in wanted if one not in ended]}")
            raise
        return ended

    def recorded_calls(self, submissions: Iterable[Submission]) -> int:
        jobs = filter(None, map(self.job, submissions))
        return sum(call["status"] == "completed" for job in jobs for call in job["toolCalls"])

    def parts(self, submission: Submission) -> list[dict[str, Any]]:
        """The whole stream of an ended job; its numbers are dense, from 1, and it says that it is complete."""
        headers = {"authorization": f"Bearer {self.stack.described['admin_key']}"}  # who gets each part
        answer = self._request("GET", submission, f"/{submission.job_id}/stream", headers=headers)
        *events, done = answer.text.split("\n\n")[:-1]
        assert done == "data: [DONE]"
        pairs = [event.split("\n", 1) for event in events]
        numbers = [int(head.rpartition("-")[2]) for head, _ in pairs]
        assert numbers == list(range(1, len(pairs) + 1)), numbers
        return [json.loads(data.removeprefix("data: ")) for _, data in pairs]

    def _request(self, method: str, submission: Submission, path: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.stack.keys[submission.tenant]}", **options.pop("headers", {})}
        return self._http.request(method, f"/api/agent-jobs{path}", headers=headers, **options)


class Load:
    """Submits jobs in the background, each at its time."""

    def __init__(self, client: FaultClient, submissions: Sequence[Submission]) -> None:
        self._client = client
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="load")
        self._began = time.monotonic()
        self._futures = [self._pool.submit(self._send, submission) for submission in submissions]

    def finish(self) -> list[Sent]:
        try:
            return [future.result() for future in self._futures]
        finally:
            self._pool.shutdown()

    def _send(self, submission: Submission) -> Sent:
        time.sleep(max(0.0, self._began + submission.at_seconds - time.monotonic()))
        give_up_at = time.monotonic() + (INSISTS_SECONDS if submission.insists else 0.0)
        statuses = [self._post(submission)]
        while statuses[-1] != httpx.codes.ACCEPTED and time.monotonic() < give_up_at:
            time.sleep(AGAIN_SECONDS)
            statuses.append(self._post(submission))
        return Sent(submission, tuple(statuses))

    def _post(self, submission: Submission) -> int:
        try:
            return self._client.submit(submission)[0]
        except httpx.HTTPError:
            return 0
