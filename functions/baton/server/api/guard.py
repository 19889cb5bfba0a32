"""The guard: each route's access rule is enforced before its endpoint runs, and operators' actions are kept.

Invariant: the order of checks is the head's size, the key, its rate, the body's size, the endpoint. So a caller without
a key learns neither which routes exist nor what is wrong with the request. Must not: know any endpoint.
"""

import hmac
from collections.abc import Mapping, Sequence

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive

from baton.server.api.audit import DETAIL_LIMIT_BYTES, Audit
from baton.server.api.auth import Keys, Principal, known_principal, remember, source_of, too_many
from baton.server.api.problem import ApiError, check_body, on_error
from baton.server.api.route import ApiRoute, Endpoint, PathRoute, without_body
from baton.server.api.stream_token import StreamTokens, remember_grant
from baton.settings.limits import ADDRESS_BYTES, HEADERS_BYTES
from baton.worker.container import Container
from baton.worker.runtime.throttling import wait_seconds
from baton.worker.runtime.webhook import SourceBudget

# Limits for one source: requests without a key must not keep the store busy, and keys must not be guessed.
OPEN_PER_MINUTE, WRONG_PER_MINUTE = 600, 30
_TARGET_LIMIT_CHARS = 500


class Guard:
    """Stands before every endpoint of the table."""

    def __init__(self, container: Container, keys: Keys, audit: Audit) -> None:
        self._settings = container.settings
        self._rate_limit, self._follow_limit = container.ports.rate_limit, container.ports.follow_limit
        self._observing = container.observing
        self._keys, self._audit = keys, audit
        self._clock, self._tokens = container.ports.clock, StreamTokens(container.settings)
        self._open = SourceBudget(container.ports.clock, OPEN_PER_MINUTE)
        self._wrong = SourceBudget(container.ports.clock, WRONG_PER_MINUTE)

    def routes(self, table: Sequence[ApiRoute]) -> list[Route]:
        """Convert the table to routes of the web framework: one a path, so that a 405 names every method there is."""
        by_path: dict[str, dict[str, Endpoint]] = {}
        for route in table:
            by_path.setdefault(route.path, {})[route.method] = self._guarded(route)
        return [PathRoute(path, _by_method(answers), methods=list(answers)) for path, answers in by_path.items()]

    def _guarded(self, route: ApiRoute) -> Endpoint:
        async def answer(request: Request) -> Response:
            sent = bytearray()
            try:
                _check_head(request)
                await self._admit(route, request)
                async with self._observing.traced(request.headers.get("traceparent", "")):
                    check_body(request, route)
                    response = await route.endpoint(Request(request.scope, _collecting(request.receive, sent)))
            except Exception as error:  # noqa: BLE001 - further out, an answer would lack the headers for browsers
                response = await on_error(request, error)
            await self._keep(route, request, response, bytes(sent))
            return response

        return answer

    async def _admit(self, route: ApiRoute, request: Request) -> None:
        """Check the route's access rule. Raises ApiError: 401, 403, 429 or 503."""
        match route.access:
            case "client":
                await self._throttle(await self._keys.authenticate(request))
            case "run":
                principal = await self._keys.authenticate(request)
                comes_back = "last-event-id" in request.headers
                await (self._throttle_follower if comes_back else self._throttle)(principal)
            case "admin":
                await self._admin(request)
            case "stream":
                await self.follower(request)
            case "operations":
                self._operations(request)
            case "metrics":
                await self._metrics(request)
            case "open":
                self._spend(self._open, request)
            case "self":
                pass

    async def follower(self, connection: HTTPConnection) -> Principal:
        """Authenticate a follower of a stream by a key, or by a short-lived token in the query.

        Raises ApiError: 401, 429, 503.
        """
        token = connection.query_params.get("token")
        if token is None or "authorization" in connection.headers:
            principal = await self._keys.authenticate(connection)
        else:
            grant = self._tokens.read(token, self._clock.now_ms())
            principal = Principal("client", grant.tenant, f"stream token of {grant.tenant}")
            remember(connection, principal)
            remember_grant(connection, grant)
        await self._throttle_follower(principal)
        return principal

    async def _admin(self, request: Request) -> None:
        principal = await self._keys.authenticate(request)
        await self._throttle(principal)
        if principal.role != "admin":
            raise ApiError(403, f"{request.method} {request.url.path} needs an admin key")

    async def _metrics(self, request: Request) -> None:
        """Require an admin's key or METRICS_TOKEN, unless METRICS_PUBLIC=true."""
        if self._settings.metrics_public:
            self._spend(self._open, request)
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        token = self._settings.metrics_token
        same = hmac.compare_digest(token.encode(), given.encode("latin-1").strip())  # its bytes
        if not (token and same and scheme.lower() == "bearer"):
            await self._admin(request)

    def _operations(self, request: Request) -> None:
        """Check the key of outside completions. Their rate is unlimited: they report work that jobs wait for."""
        known = self._settings.operations_api_key
        if not known:
            raise ApiError(503, "no key is configured: set OPERATIONS_API_KEY or CHAT_INTERNAL_API_KEY")
        given = request.headers.get("x-api-key", "").encode("latin-1")  # its bytes
        if not hmac.compare_digest(known.encode(), given):
            self._spend(self._wrong, request)
            raise ApiError(401, "no valid key: send the header `x-api-key`", headers={"WWW-Authenticate": "ApiKey"})

    async def _throttle(self, principal: Principal) -> None:
        if seconds := await wait_seconds(self._rate_limit, principal.key_id):
            limit = self._settings.rate_limit_per_minute
            raise too_many(f"more than {limit} requests a minute with this key", seconds)

    async def _throttle_follower(self, principal: Principal) -> None:
        """Limit the streams that a key opens per minute.

        They count apart from the key's other requests: where a host cannot hold a stream open, readers come back again
        and again, and must not keep their key from submitting.
        """
        if seconds := await wait_seconds(self._follow_limit, f"{principal.key_id}:follow"):
            limit = self._settings.followers_per_key
            raise too_many(f"more than {limit} streams a second with this key", seconds)

    @staticmethod
    def _spend(budget: SourceBudget, request: Request) -> None:
        if seconds := budget.wait_seconds(source_of(request)):
            raise too_many("too many requests from here", seconds)
        budget.spend(source_of(request))

    async def _keep(self, route: ApiRoute, request: Request, response: Response, sent: bytes) -> None:
        """Store an operator's action in the audit log, except submissions, which are kept as jobs."""
        principal = known_principal(request)
        if principal is None or principal.role != "admin" or route.method == "GET":
            return
        own = route.access == "admin" or route.method == "PATCH"
        query = f"?{request.url.query}" if request.url.query else ""
        target = f"{getattr(request.state, 'target', request.url.path)}{query}"[:_TARGET_LIMIT_CHARS]
        action = f"{route.method} {route.path}"
        await self._audit.record(principal, action, target, response.status_code, sent if own else b"")


def _by_method(answers: Mapping[str, Endpoint]) -> Endpoint:
    async def answer(request: Request) -> Response:
        if request.method == "HEAD":
            return without_body(await answers["GET"](request))
        return await answers[request.method](request)

    return answer


def _check_head(request: Request) -> None:
    """Refuse an address or headers that no client of ours sends, before they are parsed. Raises ApiError: 414, 431."""
    address_bytes = len(request.scope.get("raw_path") or b"") + len(request.scope["query_string"])
    if address_bytes > ADDRESS_BYTES:
        raise ApiError(414, f"the address has {address_bytes} bytes; at most {ADDRESS_BYTES}")
    headers_bytes = sum(len(name) + len(value) for name, value in request.headers.raw)
    if headers_bytes > HEADERS_BYTES:
        raise ApiError(431, f"the headers have {headers_bytes} bytes; at most {HEADERS_BYTES}")


def _collecting(receive: Receive, sent: bytearray) -> Receive:
    """Pass on the body's chunks, and collect their beginning in `sent`."""

    async def collected() -> Message:
        message = await receive()
        sent.extend(message.get("body", b"")[: DETAIL_LIMIT_BYTES + 1 - len(sent)])
        return message

    return collected
