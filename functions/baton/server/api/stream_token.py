"""Permits to follow a stream, and their end: short-lived tokens for one job or session, and API keys.

A token is for places where no header can be sent: `EventSource`, WebSocket. It carries its own grant and expiry. Its
signature uses a secret that is derived from the settings, so nothing is stored and every process of the deployment can
check it. A token stands in a URL, which servers log, so it is short-lived. Invariant: a token opens streams, nothing
else. A stream ends with its token to the second, and within a minute and a half after its key was revoked; while the
store does not answer, every follower stays.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass

from starlette.requests import HTTPConnection

from baton.server.api.auth import Keys, Principal, too_many
from baton.server.api.problem import ApiError
from baton.settings.settings import Settings
from baton.worker.container import Container
from baton_events.errors import StoreError

TOKEN_SECONDS = 300
_GRANT = "baton.stream_grant"
_PURPOSE = b"baton stream tokens\0"
_TOKEN_LIMIT_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Grant:
    """The grant of a token: the streams of one job, or of all jobs of a session."""

    tenant: str
    job_id: str
    session_id: str
    expires_ms: int

    def covers(self, tenant: str, job_id: str, session_id: str) -> bool:
        """Return whether the token opens the stream of this job; `job_id` empty: of the session."""
        if tenant != self.tenant:
            return False
        return job_id == self.job_id if self.job_id else session_id == self.session_id


class StreamTokens:
    def __init__(self, settings: Settings) -> None:
        # An address over RESP may hold no password: then the queue's token is the only secret.
        of_store = settings.redis_token or (settings.resp_url if settings.qstash_token else "")
        secrets = f"{of_store}\0{settings.qstash_token}".encode()
        self._secret = hashlib.sha256(_PURPOSE + secrets).digest() if of_store else b""

    def make(self, grant: Grant) -> str:
        """Make a token. Raises ApiError: 503, the settings have no secret to sign it with."""
        payload = _encoded(json.dumps(asdict(grant)).encode())
        return f"{payload}.{_encoded(self._signature(payload))}"

    def read(self, token: str, now_ms: int) -> Grant:
        """Parse a token into what it opens. Raises ApiError: 401, it is none, or its time is up."""
        payload, _, signature = token.partition(".")
        if len(token) > _TOKEN_LIMIT_CHARS or not hmac.compare_digest(_decoded(signature), self._signature(payload)):
            raise _refused("the token is none of this deployment")
        grant = Grant(**json.loads(_decoded(payload)))
        if grant.expires_ms <= now_ms:
            raise _refused("the token's time is up: get another one from POST /api/stream-tokens")
        return grant

    def _signature(self, payload: str) -> bytes:
        if not self._secret:
            raise ApiError(
                503, "tokens need UPSTASH_REDIS_REST_TOKEN, or REDIS_URL and QSTASH_TOKEN, which are not set"
            )
        return hmac.new(self._secret, payload.encode(), hashlib.sha256).digest()


def remember_grant(connection: HTTPConnection, grant: Grant) -> None:
    """Record for the endpoint what the token of a request opens."""
    connection.scope[_GRANT] = grant


def grant_of(connection: HTTPConnection) -> Grant | None:
    """Return what the token of a request opens; None: it came with a key."""
    found: Grant | None = connection.scope.get(_GRANT)
    return found


def must_cover(connection: HTTPConnection, tenant: str, job_id: str, session_id: str) -> None:
    """Check that a request's token covers the stream; a request with a key is not limited here.

    Raises ApiError: 403.
    """
    grant = grant_of(connection)
    if grant is not None and not grant.covers(tenant, job_id, session_id):
        raise ApiError(403, "the token is for another job or session")


def _refused(detail: str) -> ApiError:
    return ApiError(401, detail, headers={"WWW-Authenticate": "Bearer"})


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), "-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


_CHECKED_EVERY_MS = 60_000
_RETRY_SECONDS = 10
_UNAUTHORIZED = 401


class Permit:
    """One follower's credential."""

    def __init__(self, container: Container, keys: Keys, connection: HTTPConnection, principal: Principal) -> None:
        self._clock, self._keys = container.ports.clock, keys
        self._connection, self._grant = connection, grant_of(connection)
        self._requested_ms = self._clock.now_ms()
        self.key_id, self.audience = principal.key_id, principal.audience(container.settings)

    async def lasts(self) -> bool:
        """Return whether the follower's token or key is still valid; a key is checked once a minute."""
        now_ms = self._clock.now_ms()
        if self._grant is not None:
            return now_ms < self._grant.expires_ms
        if now_ms - self._requested_ms < _CHECKED_EVERY_MS:
            return True
        self._requested_ms = now_ms
        try:
            await self._keys.check_again(self._connection)
        except ApiError as error:
            return error.status != _UNAUTHORIZED
        except StoreError:
            return True
        return True


def check_capacity(container: Container, principal: Principal) -> None:
    """Check that the caller may follow one more stream.

    Raises ApiError: 429, this process holds as many streams for their key as allowed.
    """
    followers = container.followers
    if followers.is_full(principal.key_id):
        detail = f"this key follows {followers.most} jobs here already, as many as it may"
        raise too_many(detail, _RETRY_SECONDS)
