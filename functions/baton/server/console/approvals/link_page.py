"""The page of a link: one approval, for a person without a login.

Invariant: only a submitted form decides, never the loading of a page, which programs that preview links also do. The
page neither shows nor does anything that the link does not allow. It links to no other page, and sends its address to
none.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from baton.server.api.audit import Audit
from baton.server.api.auth import Principal, source_of, too_many
from baton.server.api.jobs.approval_links import read_link
from baton.server.api.jobs.approvals import approve_by, reject_by
from baton.server.api.problem import ApiError
from baton.server.api.route import without_body
from baton.server.console.approvals.about import About, read_about
from baton.server.console.approvals.deciding import Draft, approved, draft_of, rejected
from baton.server.console.approvals.schema_form import ROOT
from baton.server.console.form import Form, read_form
from baton.server.console.gate import refused
from baton.server.console.pages import page
from baton.worker.container import Container
from baton.worker.runtime.approval_notices import LINK_PATH, Link
from baton.worker.runtime.webhook import SourceBudget

_PER_MINUTE = 60
_CONFLICT = 409
_HEADERS = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"}


class LinkPage:
    """Shows the approval of a link, and decides."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._audit = Audit(container)
        self._sources = SourceBudget(container.ports.clock, _PER_MINUTE)

    def routes(self) -> list[Route]:
        path = f"{LINK_PATH}{{token}}"
        return [
            Route(path, self._answering(self._show), methods=["GET"]),
            Route(f"{path}/approve", self._answering(self._approve), methods=["POST"]),
            Route(f"{path}/reject", self._answering(self._reject), methods=["POST"]),
        ]

    def _answering(
        self, shows: Callable[[Request, Link], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                self._admit(request)
                response = await shows(request, read_link(self._container, request.path_params["token"]))
            except Exception as error:  # noqa: BLE001 - further out, the answer would be no page
                response = refused(None, error)
            response.headers.update(_HEADERS)
            return without_body(response) if request.method == "HEAD" else response

        return answer

    def _admit(self, request: Request) -> None:
        """Count a request. Raises ApiError: 429."""
        if seconds := self._sources.wait_seconds(source_of(request)):
            raise too_many("too many requests from here", seconds)
        self._sources.spend(source_of(request))

    async def _show(self, request: Request, link: Link) -> Response:
        about = await read_about(self._container, link.checkpoint)
        return self._page(request, link, about, draft_of(about))

    async def _approve(self, request: Request, link: Link) -> Response:
        about = await read_about(self._container, link.checkpoint)
        form = _allowed(link, "approve", await read_form(request), edits=about.is_question)
        deciding = approved(
            self._container, about, form, lambda name, body: approve_by(self._container, link.decider, name, body)
        )
        return await self._decided(request, link, about, deciding)

    async def _reject(self, request: Request, link: Link) -> Response:
        form = _allowed(link, "reject", await read_form(request))
        about = await read_about(self._container, link.checkpoint)
        deciding = rejected(about, form, lambda name, body: reject_by(self._container, link.decider, name, body))
        return await self._decided(request, link, about, deciding)

    async def _decided(self, request: Request, link: Link, about: About, deciding: Awaitable[Draft | None]) -> Response:
        """Build the page after a form: with the outcome, also where another decision came first."""
        status, faults = 200, dict[str, str]()
        try:
            draft = await deciding
        except ApiError as error:
            if error.status != _CONFLICT:
                raise
            draft, status, faults = None, error.status, {"": str(error)}
        if draft is not None:
            return self._page(request, link, about, draft)
        about = await read_about(self._container, link.checkpoint)
        who = Principal("client", about.tenant, "link", link.by)
        verb = request.url.path.rpartition("/")[2]
        await self._audit.record(who, f"POST {LINK_PATH}{{token}}/{verb}", about.approval["id"], status)
        return self._page(request, link, about, replace(draft_of(about), faults=faults), status)

    def _page(self, request: Request, link: Link, about: About, draft: Draft, status: int = 200) -> Response:
        return page(
            "link.html",
            draft.status or status,
            about=about,
            approval=about.approval,
            draft=draft,
            base=f"{LINK_PATH}{request.path_params['token']}",
            now_ms=self._container.ports.clock.now_ms(),
            link=link,
            who=link.by,
        )


def _allowed(link: Link, verb: str, form: Form, *, edits: bool = False) -> Form:
    """Reduce the form to the fields that the link allows. `edits`: whether approving fills them in.

    Raises ApiError: 403.
    """
    if verb not in link.may:
        raise ApiError(403, f"this link does not allow to {verb}")
    return (
        form
        if link.edit or edits
        else {name: values for name, values in form.items() if name.partition(".")[0] != ROOT}
    )
