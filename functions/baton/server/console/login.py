"""The login with an admin key, and the logout. The key is checked once; a signed cookie stays."""

from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from baton.server.api.audit import Audit
from baton.server.api.auth import (
    COOKIE,
    SESSION_SECONDS,
    Keys,
    Principal,
    Session,
    Signer,
    digest_of,
    from_here,
    source_of,
)
from baton.server.api.problem import ApiError
from baton.server.console.form import field, read_form
from baton.server.console.gate import HOME, LOGIN, Visit, set_cookie
from baton.server.console.pages import HEADERS, page
from baton.worker.container import Container

_SEE_OTHER, _UNAUTHORIZED = 303, 401


class Login:
    def __init__(self, container: Container, keys: Keys, signer: Signer) -> None:
        self._ports = container.ports
        self._audit = Audit(container)
        self._keys, self._signer = keys, signer

    async def show(self, request: Request) -> Response:
        return page("login.html", after=_after(request.query_params.get("after", "")), fault="")

    async def enter(self, request: Request) -> Response:
        """Open a session for a valid key; otherwise show the fault."""
        try:
            form = await read_form(request)
            after = _after(field(form, "after"))
            principal = await self._admin(request, field(form, "key"))
        except ApiError as error:
            shown = page("login.html", error.status, after=HOME, fault=str(error))
        else:
            until_ms = self._ports.clock.now_ms() + SESSION_SECONDS * 1000
            session = Session(self._ports.randomness.token(), digest_of(field(form, "key")), until_ms)
            shown = RedirectResponse(after, _SEE_OTHER, HEADERS)
            await self._audit.record(principal, f"POST {LOGIN}", LOGIN, _SEE_OTHER)
            set_cookie(request, shown, COOKIE, self._signer.signed("session", asdict(session)))
        return shown

    async def leave(self, visit: Visit) -> Response:
        response = visit.go(LOGIN)
        response.delete_cookie(COOKIE)
        return response

    async def _admin(self, request: Request, key: str) -> Principal:
        if not from_here(request):
            raise ApiError(403, "this form came from another site: load this page again")
        try:
            principal = await self._keys.of_key(key, source_of(request))
        except ApiError as error:
            if error.status != _UNAUTHORIZED:
                raise
            raise ApiError(
                401, "no such key: paste an admin key as `baton keys create --role admin` printed it"
            ) from error
        if principal.role != "admin":
            raise ApiError(403, "this is a client's key; the console needs an admin key")
        return principal


def _after(path: str) -> str:
    """Return the address to open after the login: only a page of the console."""
    inside = path == "/console" or path.startswith(("/console/", "/console?"))
    return path if inside and "\\" not in path and ".." not in path else HOME
