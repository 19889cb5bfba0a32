"""Workspaces outside, such as a container: made once a job, found again by their handle, and released after its end.

A capability that supplies a workspace and has `destroy(ref)`, as those of the harness, has its workspaces released.
Invariant: a workspace is recorded at once after it was made, or destroyed in the piece that has made it. Must not:
touch a workspace that the caller has given.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self, cast

import pydantic_ai as ai
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.usage import RunUsage
from pydantic_ai.workspaces import Workspace, WorkspaceError, WorkspaceRef

from baton.sdk.agents.runner import UNDO, JobInfo, OwnWorkspaces, Recorded
from baton.sdk.libraries.hook_contexts import in_step
from baton.sdk.libraries.library_runner import OfJob
from baton.sdk.models.model import ModelError
from baton.sdk.pydantic_ai.run_objects import parts
from baton.sdk.pydantic_ai.run_state import Run
from baton_events.values.text import text_of


class Workspaces(OwnWorkspaces):
    """Those of one agent's jobs. `given`: called with the job, returns what `agent.run` takes; None: nothing is."""

    def __init__(
        self, agent: ai.Agent[Any, Any], deps: Callable[[JobInfo], Awaitable[Any]], given: OfJob | None
    ) -> None:
        self._agent, self._deps, self.given = agent, deps, given
        found = parts(agent.root_capability) if given is None else ()
        self._makers: list[Any] = [one for one in found if _makes(one)]

    @property
    def are_made(self) -> bool:
        """Whether a job may make one, which is released after it."""
        return bool(self._makers)

    def of(self, workspace: str) -> Any:
        """Return what a piece's run works in: that of the handle, or a new one; None: whatever `agent.run` takes."""
        if not self.are_made:
            return None
        return _ref_of(workspace) if workspace else "new"

    def piece(self, recorded: Recorded) -> "WorkspaceOfPiece":
        """Return what a piece of the job's run does with its workspace."""
        return WorkspaceOfPiece(self, recorded.job, recorded.workspace)

    async def undo(self, job: JobInfo, ref: WorkspaceRef) -> None:
        """Destroy a workspace that no record names; one that is named by the job stays, until that has ended."""
        with suppress(Exception):  # nobody knows of it any more: it ends by its provider's limit
            if ref != await self._named(job):
                await self._destroy(job, ref)

    async def destroy(self, job: JobInfo, workspace: str, *, runs_again: bool) -> None:
        """Destroy the workspace of a job's run, and one that is named by the job, unless it runs again."""
        ref, named = _ref_of(workspace) if workspace else None, await self._named(job)
        if ref is not None and ref != named:
            await self._destroy(job, ref)
        if named is not None and not runs_again:
            await self._destroy(job, named)

    async def _destroy(self, job: JobInfo, ref: WorkspaceRef) -> None:
        if maker := await self._maker(job, ref):
            await maker.destroy(ref)

    async def may_destroy(self, job: JobInfo, ref: WorkspaceRef) -> bool:
        """Return whether one of the agent's capabilities makes such a workspace."""
        return await self._maker(job, ref) is not None

    async def _maker(self, job: JobInfo, ref: WorkspaceRef) -> Any:
        context = await self._context(job)
        return next((one for one in self._makers if one.get_workspace(context, ref=ref) is not None), None)

    async def _named(self, job: JobInfo) -> WorkspaceRef | None:
        """Return the workspace that has its name before it is made; None: its provider names it."""
        context = await self._context(job)
        with in_step(job.job_id, job.job_id, repeated=False):
            offered = [one.get_workspace(context, ref=None) for one in self._makers]
        new = next((one for one in offered if one is not None), None)
        return cast("WorkspaceRef | None", getattr(new, "ref", None))

    async def _context(self, job: JobInfo) -> ai.RunContext[Any]:
        return ai.RunContext(deps=await self._deps(job), model=cast("Any", self._agent.model), usage=RunUsage())


class WorkspaceOfPiece:
    """A run's workspace in one piece: made before calls, destroyed where the piece does not keep its handle.

    `run`: once it is open. `known`: the recorded handle.
    """

    run: Run | None = None

    def __init__(self, workspaces: Workspaces, job: JobInfo, known: str) -> None:
        self._workspaces, self._job, self._known = workspaces, job, known
        self._is_kept = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if not self._is_kept and (ref := self._new()):
            await self._workspaces.undo(self._job, ref)

    async def make(self) -> None:
        """Make the workspace for the calls that come, which may run at once.

        Raises ModelError: its provider does not make it.
        """
        unknown = self._unknown()
        if unknown is None:
            return
        try:
            await unknown.working_dir()
        except Exception as error:
            kind, retryable = type(error).__name__, not isinstance(error, WorkspaceError)
            raise ModelError(f"no workspace: {text_of(error)}", retryable=retryable, type=kind) from error

    async def new_handle(self) -> str:
        """Return the handle of a workspace that is new, which is kept; empty: there is none."""
        ref = self._new()
        if ref is None or not await self._workspaces.may_destroy(self._job, ref):
            return ""
        self._is_kept = True
        UNDO.get({})[self._job.job_id] = lambda: self._workspaces.undo(self._job, ref)
        return json.dumps([ref.provider, ref.id])

    def _new(self) -> WorkspaceRef | None:
        unknown = self._unknown()
        return unknown.ref if unknown else None

    def _unknown(self) -> Workspace | None:
        """Return the run's workspace if it is one of a job's own that no record names yet."""
        if self._known or self.run is None or not self._workspaces.are_made:
            return None
        workspace = self.run.ctx.deps.workspace
        return workspace if workspace.attached else None


def _makes(one: Any) -> bool:
    """Return whether it is a capability that makes workspaces, and can destroy them."""
    supplies = getattr(type(one), "get_workspace", None) is not AbstractCapability.get_workspace
    return isinstance(one, AbstractCapability) and supplies and callable(getattr(one, "destroy", None))


def _ref_of(workspace: str) -> WorkspaceRef:
    provider, name = json.loads(workspace)
    return WorkspaceRef(provider=provider, id=name)
