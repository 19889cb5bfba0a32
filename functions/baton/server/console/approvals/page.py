"""Approvals: the pages that list decisions which jobs wait for, and that decide."""

from functools import partial

from starlette.responses import Response

from baton.server.api.jobs.approval_links import LinkBody, made_link
from baton.server.api.jobs.approvals import ListQuery, approvals_listed
from baton.server.api.jobs.approvals import approve as approve_checkpoint
from baton.server.api.jobs.approvals import reject as reject_checkpoint
from baton.server.api.problem import ApiError, parsed_query
from baton.server.console.approvals.about import About, earlier_decisions, read_about
from baton.server.console.approvals.deciding import Draft, approved, changes, draft_of, rejected
from baton.server.console.form import field, whole_number
from baton.server.console.gate import Visit

HOME = "/console/approvals"
_HOURS, _MOST_HOURS = 24, 720
STATUSES = ("pending", "approved", "rejected", "expired", "cancelled")


async def show(visit: Visit) -> Response:
    """List approvals: pending ones, unless the query has another status."""
    status = visit.query("status") or "pending"
    asked = {"status": status, "cursor": visit.query("cursor")} | ({"limit": 100} if status == "pending" else {})
    page = await approvals_listed(visit.container, visit.principal, parsed_query(ListQuery, asked))
    approvals = [{**view, **page.jobs[view["jobId"]]} for view in page.checkpoints]
    if status == "pending":
        approvals.sort(key=lambda view: view["expiresAt"] or "~")
    return visit.page("approvals.html", approvals=approvals, cursor=page.cursor, chosen=status, statuses=STATUSES)


async def one(visit: Visit) -> Response:
    """Show one approval, with the forms while it is pending; that of a link may have been refused."""
    about = await _find(visit)
    return await _one(visit, about, draft_of(about))


async def approve(visit: Visit) -> Response:
    """Approve, with other arguments where they were edited and confirmed."""
    about = await _find(visit)
    decide = partial(approve_checkpoint, visit.container, visit.principal)
    draft = await approved(visit.container, about, visit.form, decide)
    done = "Answered." if about.fills_in else "Approved."
    return await _one(visit, about, draft) if draft else visit.go(_path(about), done)


async def reject(visit: Visit) -> Response:
    about = await _find(visit)
    draft = await rejected(about, visit.form, partial(reject_checkpoint, visit.container, visit.principal))
    done = "Declined." if about.fills_in else "Rejected."
    return await _one(visit, about, draft) if draft else visit.go(_path(about), done)


async def link(visit: Visit) -> Response:
    """Make a link for a person without an account; it is shown once."""
    about = await _find(visit)
    name, edit = field(visit.form, "name"), "edit" in visit.form
    given = {"name": name, "expiresInSeconds": _seconds(field(visit.form, "hours")), "edit": edit}
    body = parsed_query(LinkBody, given, "form")
    url, _ = await made_link(visit.container, visit.principal, about.approval["id"], body)
    return await _one(visit, about, draft_of(about), url)


async def _one(visit: Visit, about: About, draft: Draft, url: str = "") -> Response:
    edited, form = about.approval["editedArguments"], visit.form
    given = {"name": field(form, "name"), "hours": field(form, "hours") or _HOURS, "edit": "edit" in form}
    faults = {name.replace("expiresInSeconds", "hours"): text for name, text in visit.faults.items()}
    return visit.page(
        "approval.html",
        draft.status,
        about=about,
        approval=about.approval,
        draft=draft,
        edits=list(changes(about.asked, edited)) if edited is not None else [],
        earlier=await earlier_decisions(visit.container, about),
        link=given | {"faults": faults, "url": url},
        now_ms=visit.now_ms,
        who=visit.principal.name,
        base=_path(about),
    )


async def _find(visit: Visit) -> About:
    return await read_about(visit.container, visit.request.path_params["checkpoint_id"])


def _seconds(hours: str) -> int:
    """Convert a form's hours to seconds. Raises ApiError: 422."""
    number = whole_number(hours)
    if not isinstance(number, int) or not 1 <= number <= _MOST_HOURS:
        fault = f"write a whole number from 1 to {_MOST_HOURS}, got {hours[:20]!r}"
        raise ApiError(422, fault, [("hours", fault)])
    return number * 3600


def _path(about: About) -> str:
    return f"{HOME}/{about.approval['id']}"
