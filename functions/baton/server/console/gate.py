"""The gate before every page: a session or the login page, a form's token or 403, and errors as pages.

Invariant: no page's code runs without a login, and no page changes anything for a form that was not made for this very
session. A page never sees a request without its `Visit`.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from baton.server.api.admin.health import pending_approvals
from baton.server.api.audit import Audit
from baton.server.api.auth import COOKIE, SESSION_SECONDS, Principal, Session, Signer, from_here, source_of
from baton.server.api.jobs.context import Context
from baton.server.api.problem import ApiError
from baton.server.api.route import PathRoute, without_body
from baton.server.console.form import Form, read_form
from baton.server.console.pages import HEADERS, page
from baton.worker.container import Container
from baton_events.errors import BatonError, PublishError, StoreError, UnreadablePayloadError

_COUNTED_JOBS, _LASTING_MS, _PATIENCE_SECONDS = 100, 30_000, 2.0


class Counts:
    """What waits for somebody, for the menu: counts, as texts by the paths of their pages.

    `paused`: of checks of all jobs. `asked`: the job of each approval, the first to expire first. Invariant: a process
    reads them at most every half minute, and its reads are bounded. What does not answer leaves out its own count
    alone, and no page waits for it longer than two seconds.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._read_ms, self._known = 0, dict[str, str]()
        self._reading = asyncio.Lock()  # who comes meanwhile gets the same, and not nothing
        self.asked: Sequence[str] = ()

    async def read(self, now_ms: int, changed_ms: int) -> Mapping[str, str]:
        """Return the counts, read after `changed_ms`, the operator's last change; one that is none is `0`."""
        async with self._reading:
            if now_ms - self._read_ms >= _LASTING_MS or self._read_ms <= changed_ms:
                self._read_ms = now_ms
                reads = {"approvals": self._approvals(), "dead-letters": self._dead_letters(), "paused": self._paused()}
                found = dict(zip(reads, await asyncio.gather(*reads.values(), return_exceptions=True), strict=True))
                self._known = {name: text for name, text in found.items() if isinstance(text, str)}
        return self._known

    async def _approvals(self) -> str:
        live = await self._container.ports.admission_control.live()
        waiting = sum(entry.want == "none" for entry in live.values())
        self.asked = await pending_approvals(self._container, live, _COUNTED_JOBS)
        return f"{len(self.asked)}{'+' if waiting > _COUNTED_JOBS else ''}"

    async def _dead_letters(self) -> str:
        page = await asyncio.wait_for(self._container.ports.queue_records.dead_letters(), _PATIENCE_SECONDS)
        return f"{len(page.letters)}{'+' if page.cursor else ''}"

    async def _paused(self) -> str:
        every = await asyncio.wait_for(self._container.ports.schedules.all(), _PATIENCE_SECONDS)
        return str(sum(each.paused and each.destination.endswith("/sweep") for each in every))


_log = logging.getLogger("baton.console")

NOTICE_COOKIE, CHANGED_COOKIE = f"{COOKIE}_said", f"{COOKIE}_changed"  # when, in any of the app's processes
FORM_TOKEN = "csrf"  # noqa: S105 - the name of a field
SUBJECT = "subjectId"  # the field with a person's id, of whom nothing is kept
_NOTICE_SECONDS = 60
_SEE_OTHER = 303
_LONGEST_WAY_BACK = 1_000  # proxies refuse headers of some kilobytes
HOME, LOGIN = "/console", "/console/login"
PLACES = (
    ("", "Overview"),
    ("jobs", "Jobs"),
    ("approvals", "Approvals"),
    ("dead-letters", "Undelivered"),
    ("sessions", "Conversations"),
    ("agents", "Agents"),
    ("schedules", "Schedules"),
    ("messages", "Queue messages"),
    ("usage", "Usage"),
    ("budgets", "Budgets"),
    ("audit", "Audit"),
)


@dataclass(frozen=True)
class Visit:
    """One request of a logged-in operator.

    `notice`: the message that the previous page left for this one. `counts`: those in the menu, by the page's path.
    `asked`: the job of each pending approval, as of `Counts`. `faults`: of a form that was refused, by its fields.
    `came`: what came of it.
    """

    context: Context
    request: Request
    session: Session
    principal: Principal
    signer: Signer
    now_ms: int
    form: Form = field(default_factory=Form)
    notice: str = ""
    counts: Mapping[str, str] = field(default_factory=dict[str, str])
    asked: Sequence[str] = ()
    faults: Mapping[str, str] = field(default_factory=dict[str, str])
    status: int = 200
    came: list[str] = field(default_factory=list[str])

    @property
    def container(self) -> Container:
        return self.context.container

    @property
    def places(self) -> list[tuple[str, str, str]]:
        """The links in the head of every page: address, name, and count, if there is one."""
        shown = {name: text for name, text in self.counts.items() if text != "0"}
        return [(f"{HOME}/{path}".rstrip("/"), name, shown.get(path, "")) for path, name in PLACES]

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "").strip()

    def page(self, template: str, status: int = 0, **values: object) -> Response:
        values = {"visit": self, "token": self.signer.form_token(self.session), "faults": self.faults, **values}
        shown = page(template, status or self.status, **values)
        if self.notice:
            shown.delete_cookie(NOTICE_COOKIE, path="/console")
        return shown

    def go(self, path: str, notice: str = "") -> Response:
        response = RedirectResponse(path, _SEE_OTHER, HEADERS)
        if notice:
            self.came.append(notice)
            text = self.signer.signed("said", {"text": notice, "session": self.session.id})
            set_cookie(self.request, response, NOTICE_COOKIE, text, _NOTICE_SECONDS)
        return response


Page = Callable[[Visit], Awaitable[Response]]


def form(does: Page, again: Page) -> Page:
    """Return what does a form, and where a field is at fault shows its page once more, with the input."""

    async def act(visit: Visit) -> Response:
        try:
            return await does(visit)
        except ApiError as error:
            if not error.faults:
                raise
            return await again(replace(visit, faults=dict(error.faults), status=error.status))

    return act


class Gate:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._audit, self._counts = Audit(context.container), Counts(context.container)
        self.signer = Signer(context.container.settings)

    def get(self, path: str, shows: Page) -> Route:
        return PathRoute(path, self._guarded(shows, changes=False), methods=["GET"])

    def post(self, path: str, does: Page) -> Route:
        return PathRoute(path, self._guarded(does, changes=True), methods=["POST"])

    def forms(self, path: str, **does: Page) -> Route:
        """Make the route of a page's forms: what each does is named at the end of the path."""

        async def act(visit: Visit) -> Response:
            action = visit.request.path_params["action"]
            if action not in does:
                raise ApiError(404, f"there is no form {action!r}; there are {', '.join(does)}")
            return await does[action](visit)

        return self.post(f"{path}/{{action}}", act)

    async def visit(self, request: Request) -> Visit | None:
        """Return the visit of a logged-in operator whose key is still valid; None otherwise.

        Raises ApiError, StoreError: the key could not be checked.
        """
        now_ms = self._context.container.ports.clock.now_ms()
        session = self.signer.session(request.cookies.get(COOKIE, ""), now_ms)
        principal = await self._context.keys.of_digest(session.key, source_of(request)) if session else None
        if session is None or principal is None or principal.role != "admin":
            return None
        notice = self.signer.read("said", request.cookies.get(NOTICE_COOKIE, "")) or {}
        text = notice.get("text", "") if notice.get("session") == session.id else ""
        return Visit(self._context, request, session, principal, self.signer, now_ms, notice=text)

    def _guarded(self, handler: Page, *, changes: bool) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            visit: Visit | None = None
            try:
                visit = await self.visit(request)
                if visit is None:
                    return to_login(request)
                if changes:
                    form = await read_form(request)
                    _check(visit, form)
                    visit = replace(visit, form=form, notice="")
                else:
                    changed = self.signer.read("changed", request.cookies.get(CHANGED_COOKIE, "")) or {}
                    counts = await self._counts.read(visit.now_ms, changed.get("ms", 0))
                    visit = replace(visit, counts=counts, asked=self._counts.asked)
                response = await handler(visit)
            except Exception as error:  # noqa: BLE001 - further out, the answer would be no page
                response = refused(visit, error)
            if changes and visit is not None:
                if response.status_code == _SEE_OTHER:
                    stamp = self.signer.signed("changed", {"ms": visit.now_ms})
                    set_cookie(request, response, CHANGED_COOKIE, stamp, _NOTICE_SECONDS)
                fields = {name: values for name, values in visit.form.items() if name not in (FORM_TOKEN, SUBJECT)}
                body = json.dumps(fields | ({"answer": visit.came} if visit.came else {})).encode()
                path = request.url.path
                await self._audit.record(visit.principal, f"POST {path}", path, response.status_code, body)
            return without_body(response) if request.method == "HEAD" else response

        return answer


def set_cookie(request: Request, response: Response, name: str, text: str, seconds: int = SESSION_SECONDS) -> None:
    """Set a cookie of this host's console, which no script can read; only over https where the page came over it.

    The session's cookie is also sent to the API, which the console's pages may call.
    """
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip()
    secure = "https" in (request.url.scheme, forwarded)
    path = "/" if name == COOKIE else "/console"
    response.set_cookie(name, text, seconds, path=path, httponly=True, samesite="lax", secure=secure)


def to_login(request: Request) -> Response:
    """Redirect to the login, which leads back here if this was a page."""
    path = quote(request.scope["path"]) + (f"?{request.url.query}" if request.url.query else "")
    leads_back = request.method == "GET" and not path.endswith("/live") and len(path) <= _LONGEST_WAY_BACK
    after = f"?after={quote(path, safe='')}" if leads_back else ""
    return RedirectResponse(LOGIN + after, _SEE_OTHER, HEADERS)


def _check(visit: Visit, form: Form) -> None:
    if not from_here(visit.request) or not visit.signer.fits(visit.session, form.get(FORM_TOKEN, [""])[0]):
        raise ApiError(403, "this form was made for another login: go back, load the page again, and send it anew")


def refused(visit: Visit | None, error: Exception) -> Response:
    shows = page if visit is None else visit.page
    if isinstance(error, ApiError):
        return shows("error.html", error.status, code=error.status, detail=str(error))
    if not isinstance(error, BatonError):
        _log.error("a page of the console failed", exc_info=error)
        return shows("error.html", 500, code=500, detail="internal error; see the log of the process")
    _log.warning("a page of the console: %s", error)
    if isinstance(error, UnreadablePayloadError):
        detail = f"{error}. Its job is in the list, and can be cancelled and deleted; add the key to read its texts"
        return shows("error.html", 409, code=409, detail=detail)
    what = "queue" if isinstance(error, PublishError) else "store" if isinstance(error, StoreError) else "service"
    detail = f"the {what} does not answer as it should; try again in a moment"
    return shows("error.html", 503, code=503, detail=detail)
