"""Links by which a person without a key decides one approval.

A link carries its permissions and its end, and is signed with the console's secret, so nothing is stored and every
process of the deployment can read it. Invariant: a link opens one approval and nothing else. Any decision on the
approval uses it up; it ends with its time, with the approval, and when a key or token of the settings is changed.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from baton.engine.waits import may_decide
from baton.server.api.auth import Principal
from baton.server.api.jobs.approval_list import view_of
from baton.server.api.jobs.approvals import question_of
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError, limited_body, parsed
from baton.worker.commands.approve import OperatorsAloneError
from baton.worker.container import Container
from baton.worker.runtime.approval_notices import Link, SignedLinks
from baton_events.timestamps import rfc3339

May = Literal["approve", "reject"]
_MONTH_SECONDS, _WEEK_SECONDS = 30 * 86_400, 7 * 86_400


class LinkBody(BaseModel):
    """A link to decide one approval. `name`: who gets it, as the decision names them. `edit`: arguments, too."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    expiresInSeconds: Annotated[int, Field(ge=60, le=_MONTH_SECONDS)] = _WEEK_SECONDS  # noqa: N815 - as on the wire
    name: Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f]*$")] = ""
    may: Annotated[tuple[May, ...], Field(min_length=1, max_length=2)] = ("approve", "reject")
    edit: bool = False


async def made_link(container: Container, principal: Principal, checkpoint_id: str, body: LinkBody) -> tuple[str, int]:
    """Make a link; return it and its end, in milliseconds: the approval's end at the latest.

    Raises ApiError: 404 unknown, 403 not allowed, or by no link, or another tenant's, 409 decided, 503 there is no
    secret or address.
    """
    if principal.role != "admin" and not container.settings.approval_links:
        raise ApiError(403, "a link decides, which needs an admin key; APPROVAL_LINKS=true lets client keys make links")
    snapshot, question = await question_of(container, checkpoint_id)
    if not principal.may_see(snapshot.job.tenant):
        raise ApiError(403, f"checkpoint {checkpoint_id!r} is another tenant's")
    if may_decide(question) == "operator":
        raise ApiError(403, f"checkpoint {checkpoint_id!r} has no links: {OperatorsAloneError()}")
    view = view_of(question, snapshot, container.ports.clock.now_ms())
    if view["status"] != "pending":
        raise ApiError(409, f"checkpoint {checkpoint_id!r} needs no link any more: it is {view['status']}")
    until_ms = min(container.ports.clock.now_ms() + body.expiresInSeconds * 1000, question.arguments["untilMs"])
    person = principal.decider.person  # a client may name a link for anybody, so it counts for the client
    url = SignedLinks(container.settings).url(
        Link(checkpoint_id, body.name.strip(), body.may, body.edit, until_ms, person)
    )
    if not url:
        what = "WORKER_BASE_URL and QSTASH_TOKEN, or a token of the store"
        raise ApiError(503, f"links need {what}, which are not set")
    return url, until_ms


def read_link(container: Container, token: str) -> Link:
    """Parse a link into what it allows. Raises ApiError: 404, it is none; 410, its time is up."""
    link = SignedLinks(container.settings).read(token)
    if link is None:
        raise ApiError(404, "this link is not valid: check that it is complete, or ask for another one")
    if link.until_ms <= container.ports.clock.now_ms():
        raise ApiError(410, "the time of this link is up: ask for another one")
    return link


async def make_link(context: Context, request: Request) -> Response:
    """Answer `POST /api/admin/agent-checkpoints/{id}/links` with 201 and the link."""
    principal = await context.keys.authenticate(request)
    raw = await limited_body(request)
    body = parsed(LinkBody, raw) if raw.strip() else LinkBody()
    url, until_ms = await made_link(context.container, principal, request.path_params["checkpoint_id"], body)
    return JSONResponse({"url": url, "expiresAt": rfc3339(until_ms)}, 201)
