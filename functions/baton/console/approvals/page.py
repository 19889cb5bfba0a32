"""Approvals: what jobs wait for from people, and deciding on it."""

from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from baton.api.jobs.approvals import Approvals, ListQuery
from baton.api.problem import invalid
from baton.console.approvals.about import About, AboutApprovals, sentence_of
from baton.console.approvals.deciding import Deciding, Draft, draft_of
from baton.console.approvals.difference import changes
from baton.console.gate import Visit
from baton.container import Container

HOME = "/console/approvals"
STATUSES = ("pending", "approved", "rejected", "expired", "cancelled")


class ApprovalsPage:
    """Shows approvals, and decides."""

    def __init__(self, container: Container, approvals: Approvals) -> None:
        self._approvals = approvals
        self._about = AboutApprovals(container, approvals)
        self._deciding = Deciding(approvals)

    async def show(self, visit: Visit) -> Response:
        """Those that wait, unless others are asked for."""
        status = visit.query("status") or "pending"
        try:
            query = ListQuery.model_validate({"status": status, "cursor": visit.query("cursor")})
        except ValidationError as error:
            raise invalid(error, "query") from error
        page = await self._approvals.listed(visit.principal, query)
        rows = [(view, page.agents[view["jobId"]]) for view in page.checkpoints]
        approvals = [{**view, "agent": agent, "sentence": sentence_of(view, agent)} for view, agent in rows]
        shown: dict[str, Any] = {"approvals": approvals, "cursor": page.cursor}
        shown |= {"chosen": status, "statuses": STATUSES}
        return visit.page("approvals.html", **shown)

    async def one(self, visit: Visit) -> Response:
        """One approval, with the forms while it waits."""
        about = await self._find(visit)
        return await self._one(visit, about, draft_of(about))

    async def approve(self, visit: Visit) -> Response:
        """Approve, with other arguments where they were edited and confirmed."""
        about = await self._find(visit)
        draft = await self._deciding.approve(
            about, visit.form, lambda name, body: self._approvals.approve(visit.principal, name, body)
        )
        return await self._one(visit, about, draft) if draft else visit.go(_path(about), "Approved.")

    async def reject(self, visit: Visit) -> Response:
        """Reject, with a reason."""
        about = await self._find(visit)
        draft = await self._deciding.reject(
            about, visit.form, lambda name, body: self._approvals.reject(visit.principal, name, body)
        )
        return await self._one(visit, about, draft) if draft else visit.go(_path(about), "Rejected.")

    async def _one(self, visit: Visit, about: About, draft: Draft) -> Response:
        edited = about.approval["editedArguments"]
        edits = list(changes(about.asked, edited)) if edited is not None else []
        earlier = await self._about.earlier(about)
        shown = {"about": about, "approval": about.approval, "draft": draft, "edits": edits, "earlier": earlier}
        return visit.page("approval.html", draft.status, now_ms=visit.now_ms, base=_path(about), **shown)

    async def _find(self, visit: Visit) -> About:
        return await self._about.read(visit.request.path_params["checkpoint_id"])


def _path(about: About) -> str:
    return f"{HOME}/{about.approval['id']}"
