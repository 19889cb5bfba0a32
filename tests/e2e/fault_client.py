"""A client of the API that looks at jobs until they have ended, while the stack may be away."""

import json
from collections.abc import Iterable
from typing import Any

import httpx

from tests.e2e.dev_stack import wait_for
from tests.e2e.fault_load import Submission
from tests.e2e.fault_stack import FaultStack

END_STATES = ("completed", "failed", "cancelled")
RECOVERY_SECONDS = 300.0


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

        wait_for(all_over, "the end of every job", RECOVERY_SECONDS)
        return ended

    def recorded_calls(self, submissions: Iterable[Submission]) -> int:
        jobs = filter(None, map(self.job, submissions))
        return sum(call["status"] == "completed" for job in jobs for call in job["toolCalls"])

    def parts(self, submission: Submission) -> list[dict[str, Any]]:
        """The whole stream of an ended job; its numbers are dense, from 1, and it says that it is complete."""
        *events, done = self._request("GET", submission, f"/{submission.job_id}/stream").text.split("\n\n")[:-1]
        assert done == "data: [DONE]"
        pairs = [event.split("\n", 1) for event in events]
        numbers = [int(head.rpartition("-")[2]) for head, _ in pairs]
        assert numbers == list(range(1, len(pairs) + 1)), numbers
        return [json.loads(data.removeprefix("data: ")) for _, data in pairs]

    def _request(self, method: str, submission: Submission, path: str, **options: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.stack.keys[submission.tenant]}", **options.pop("headers", {})}
        return self._http.request(method, f"/api/agent-jobs{path}", headers=headers, **options)
