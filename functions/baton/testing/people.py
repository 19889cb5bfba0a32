"""The world outside of a job: people who decide on its checkpoints, and systems that end its operations.

Invariant: each is asked once, as soon as the job waits, and acts through the product's own code. What the test's own
functions raise, and an answer that does not fit, is raised. Must not: know a process.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from baton.engine.transitions import CallStatus
from baton.engine.waits import APPROVALS, Decider
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import approvals_of
from baton.server.api.jobs.approvals import ApprovalBody, RejectionBody, approve_by, reject
from baton.server.api.problem import ApiError
from baton.store.records.jobs import Snapshot
from baton.testing.records import Approve, Checkpoint, Decide, Operation, Outcomes, Reject
from baton.worker.commands.completion_body import CompletionBody
from baton.worker.container import Container
from baton.worker.executors.continuing import completed

_OPERATOR = Principal("admin", "simulation")
_T = TypeVar("_T")
# Somebody was faster, or the store has forgotten the question: nothing that the test has done.
_TOO_LATE = (404, 409)


def _plain(name: str, answer: _T) -> _T:
    if inspect.iscoroutine(answer):
        answer.close()
        raise TypeError(f"{name} was not run, since it is asynchronous: give a plain function")
    return answer


class People:
    """Decides and completes, through a process of the API."""

    def __init__(
        self, api: Container, decide: Decide | None, outcomes: Outcomes | None, record: Callable[[str], None]
    ) -> None:
        self._api, self._decide, self._outcomes, self._record = api, decide, outcomes, record
        self._decided: set[str] = set()

    async def decide(self, snapshot: Snapshot) -> None:
        """Answer everything that a job waits for."""
        if self._decide is not None:
            await self._decide_on(snapshot, self._decide)
        if self._outcomes is not None:
            await self._complete(snapshot, self._outcomes)

    async def _decide_on(self, snapshot: Snapshot, decide: Decide) -> None:
        for view in approvals_of(snapshot, 0):
            if view["status"] != "pending" or not self._is_new(view["id"]):
                continue
            shown = (view["title"] or "", view["tool"] or "", view["arguments"] or {})
            decision = _plain("decide", decide(Checkpoint(view["id"], snapshot.job.id, *shown)))
            if not isinstance(decision, Approve | Reject):
                raise TypeError(
                    f"decide returned {decision!r} for {view['tool']!r}: return Approve() or Reject(reason)"
                )
            if isinstance(decision, Approve):
                # If several people must approve, each approval is another person's.
                by = f"{_OPERATOR.tenant} {len(view.get('approvals', ())) + 1}"
                body = ApprovalBody(arguments=decision.arguments)
                await self._sent(approve_by(self._api, Decider(by, is_operator=True), view["id"], body))
            else:
                await self._sent(reject(self._api, _OPERATOR, view["id"], RejectionBody(reason=decision.reason)))

    async def _sent(self, decision: Awaitable[object]) -> None:
        try:
            await decision
        except ApiError as error:
            if error.status not in _TOO_LATE:
                raise
            self._record(f"a decision is refused: {error}")

    async def _complete(self, snapshot: Snapshot, outcomes: Outcomes) -> None:
        for call in snapshot.calls:
            waits = call.status is CallStatus.WAITING and call.operation_id and call.tool not in APPROVALS
            if not waits or not self._is_new(call.operation_id):
                continue
            body = _plain(
                "outcomes", outcomes(Operation(call.operation_id, snapshot.job.id, call.tool, call.arguments))
            )
            if body is not None and not isinstance(body, Mapping):
                raise TypeError(f"outcomes returned {body!r} for {call.tool!r}: return the body of a webhook, or None")
            if body is not None:
                completion = CompletionBody.model_validate(body)
                await completed(self._api, call.operation_id, completion)

    def _is_new(self, name: str) -> bool:
        if name in self._decided:
            return False
        self._decided.add(name)
        return True
