"""Calls about pending decisions of people. Written once for both clients."""

from collections.abc import AsyncGenerator, Sequence
from typing import Literal

import msgspec

from baton.client.job_calls import Calls, id_of, job_path
from baton.client.requests import Call
from baton.client.results import Checkpoint, Job, Json, Link

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

        Raises:
            ConflictError: it was decided before, or its question has changed.
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
        expires_in_seconds: int | None = None,
    ) -> Link:
        """Make a link by which a person without a key decides an approval, with other arguments if it may `edit`.

        `name`: that person's, as the decision has it. Needs an admin key, unless the deployment lets clients do it.
        """
        body = {"name": name, "may": may, "edit": edit, "expiresInSeconds": expires_in_seconds}
        call = Call("POST", f"{_CHECKPOINTS}/{id_of(checkpoint)}/links", body, repeatable=True)
        return await self._requests.fetch_record(call, Link)


def _digest(checkpoint: Checkpoint | str) -> str | None:
    return checkpoint.digest if isinstance(checkpoint, Checkpoint) else None
