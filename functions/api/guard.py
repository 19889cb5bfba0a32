"""Who is let in: each route's rule is enforced here, before its endpoint runs.

Invariant: first the key, then the size of the body, then the endpoint; so nobody without a key learns what is there or
what is wrong with their request. Must not: know any endpoint.
"""

import hmac
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive

from events.settings import Settings
from functions.api.auth import Keys
from functions.api.problem import ApiError, on_error
from functions.api.route import ApiRoute, Endpoint


class Guard:
    """Stands before every endpoint of the table."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._settings = settings
        self._keys = keys

    def routes(self, table: Sequence[ApiRoute]) -> list[Route]:
        """The table as routes of the web framework."""
        return [Route(route.path, self._guarded(route), methods=[route.method]) for route in table]

    def _guarded(self, route: ApiRoute) -> Endpoint:
        async def answer(request: Request) -> Response:
            try:
                await self._admit(route, request)
                return await route.endpoint(_limited(request, route))
            except Exception as error:  # noqa: BLE001 - further out, an answer would lack the headers for browsers
                return await on_error(request, error)

        return answer

    async def _admit(self, route: ApiRoute, request: Request) -> None:
        """Ask for what the route's rule says.

        Raises:
            ApiError: 401, 403 or 503.
        """
        match route.access:
            case "client":
                await self._keys.authenticate(request)
            case "admin":
                await self._admin(request)
            case "operations":
                self._operations(request)
            case "metrics":
                if not self._settings.metrics_public and not self._has_metrics_token(request):
                    await self._admin(request)
            case "open" | "self":
                pass

    async def _admin(self, request: Request) -> None:
        if (await self._keys.authenticate(request)).role != "admin":
            raise ApiError(403, f"{request.method} {request.url.path} needs an admin key")

    def _has_metrics_token(self, request: Request) -> bool:
        token, (scheme, _, given) = (
            self._settings.metrics_token,
            request.headers.get("authorization", "").partition(" "),
        )
        same = hmac.compare_digest(token.encode(), given.strip().encode("utf-8", "surrogateescape"))
        return bool(token) and scheme.lower() == "bearer" and same

    def _operations(self, request: Request) -> None:
        key = self._settings.operations_api_key
        if not key:
            raise ApiError(503, "no key is configured: set OPERATIONS_API_KEY")
        given = request.headers.get("x-api-key", "")
        if not hmac.compare_digest(key.encode(), given.encode("utf-8", "surrogateescape")):
            raise ApiError(401, "no valid key: send the header `x-api-key`", headers={"WWW-Authenticate": "ApiKey"})


def _limited(request: Request, route: ApiRoute) -> Request:
    """The same request, whose body ends in a refusal where it gets too large.

    Raises:
        ApiError: 413, its header says already that it is too large.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > route.body_limit_bytes:
        raise _too_large(route)
    return Request(request.scope, _counting(request.receive, route))


def _counting(receive: Receive, route: ApiRoute) -> Receive:
    """The body's chunks, as long as they stay below the limit together."""
    received_bytes = 0

    async def counted() -> Message:
        nonlocal received_bytes
        message = await receive()
        received_bytes += len(message.get("body", b""))
        if received_bytes > route.body_limit_bytes:
            raise _too_large(route)
        return message

    return counted


def _too_large(route: ApiRoute) -> ApiError:
    setting = f"; {route.limit_setting} is {route.body_limit_bytes}" if route.limit_setting else ""
    return ApiError(413, f"the body is larger than {route.body_limit_bytes} bytes{setting}")
