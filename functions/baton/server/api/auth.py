"""Authentication: bearer keys, stored as hashes, compared in constant time (docs/security.md); the console's cookie.

A key belongs to a tenant and a role: `client` keys see their tenant's jobs, `admin` keys every tenant's. Keys are those
of the setting API_KEYS, and those of the store, which `baton keys` makes and revokes; a key read from the store is
trusted for 30 s. Invariant: a text that cannot be a key costs no read. A source that sent too many unknown keys costs
one read in 30 s, and a good key from there, such as from behind the same proxy, stays good.

The cookie stands for the key that opened the session, in requests of this host's pages and of no page. It is signed
with a secret that is derived from settings, and nothing of it is stored, so any instance reads one that another wrote.
One that comes back unsigned, changed, too late or from another site logs in no one. A change of API_KEYS or of the
tokens of queue and store ends every session.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

from baton.engine.waits import Decider
from baton.server.api.problem import ApiError
from baton.settings.readers import API_KEY_ENTRY
from baton.settings.settings import Settings
from baton.settings.signed_texts import SignedTexts
from baton.store.records.access import StoredKey
from baton.worker.commands.audience import Audience
from baton.worker.container import Container
from baton.worker.runtime.webhook import SourceBudget
from baton_events.errors import StoreError
from baton_events.timestamps import rfc3339

COOKIE = "baton_console"
SESSION_SECONDS = 8 * 3600


@dataclass(frozen=True, slots=True)
class Session:
    """One login: `id` is random, `key` the digest of the key that opened it, `until_ms` its end."""

    id: str
    key: str
    until_ms: int


class Signer(SignedTexts):
    """Signs texts for their way through a browser; each for one purpose."""

    def session(self, cookie: str, now_ms: int) -> Session | None:
        """Return the session of a cookie that has not ended."""
        found = self.read("session", cookie)
        session = Session(**found) if found else None
        return session if session and session.until_ms > now_ms else None

    def form_token(self, session: Session) -> str:
        """Return the token that every form of a session carries: another site cannot know it."""
        return self.signature("form", session.id)

    def fits(self, session: Session, token: str) -> bool:
        return hmac.compare_digest(self.form_token(session).encode(), token.encode("utf-8", "surrogateescape"))


def from_here(request: HTTPConnection) -> bool:
    """Return whether a request was sent by a page of this host, or by no page; browsers send its origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:  # holds behind a proxy that changes the host, too
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


Role = Literal["client", "admin"]
KEY_ID_CHARS = 12
BELIEVED_MS = 30_000
UNKNOWN_PER_MINUTE = 30
_MOST_KNOWN = 10_000
_DAY_CHARS = len("2026-01-31")
_PRINCIPAL = "baton.principal"
_STORED_FORM = re.compile(r"bk_(client|admin)_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller. `key_id`: the beginning of their key's digest: identifies the key to people and grants no access."""

    role: Role
    tenant: str
    key_id: str = field(default="", compare=False)
    label: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        """The caller's name for people, as decisions record it."""
        return self.label or self.tenant

    @property
    def decider(self) -> Decider:
        """Whom their decisions count for: a client's key is one person, by whatever door it decides."""
        is_operator = self.role == "admin"
        return Decider(self.name, "" if is_operator else f"key:{self.key_id}", is_operator)

    def audience(self, settings: Settings) -> Audience:
        """Return what they get of a job's parts."""
        return Audience(self.role == "admin", settings.chat_shows_errors)

    def may_see(self, tenant: str) -> bool:
        return self.role == "admin" or self.tenant == tenant


class Keys:
    """Every key that this deployment knows."""

    def __init__(self, container: Container) -> None:
        self._configured = parse_keys(container.settings.api_keys)
        self._api_key_store = container.ports.api_key_store
        self._clock, self._signer = container.ports.clock, Signer(container.settings)
        self._unknown = SourceBudget(container.ports.clock, UNKNOWN_PER_MINUTE)
        self._believed: dict[str, tuple[Principal, int]] = {}
        self._noted: dict[str, str] = {}
        self._whole: tuple[dict[str, StoredKey], int] = ({}, -BELIEVED_MS)

    async def authenticate(self, request: HTTPConnection) -> Principal:
        """Return the caller; the guard looks it up once a request, and the endpoint gets the same result.

        Raises ApiError: 401, no key or an unknown one; 429, too many unknown ones from the same source. StoreError.
        """
        known: Principal | None = request.scope.get(_PRINCIPAL)
        if known is None:
            known = await self.check_again(request)
            remember(request, known)
        return known

    async def check_again(self, request: HTTPConnection) -> Principal:
        """Return the key's owner as known now: the key may have been revoked since the request came.

        Raises ApiError: 401, 403, 429. StoreError.
        """
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            sent = key.encode("latin-1")  # its bytes, which are UTF-8 as those of a form
            return await self.of_key(sent.decode("utf-8", "surrogateescape").strip(), source_of(request))
        session = self._signer.session(request.cookies.get(COOKIE, ""), self._clock.now_ms())
        found = await self.of_digest(session.key, source_of(request)) if session else None
        if found is None:
            raise _unknown_key()
        if not from_here(request):
            raise ApiError(403, "this request came from a page of another site: send a key in its header instead")
        return found

    async def of_key(self, key: str, source: str) -> Principal:
        """Return the owner of a key. `source`: the address it came from, whose failures are counted.

        Raises ApiError: 401, 429. StoreError.
        """
        digest = digest_of(key)
        found = self._of_settings(digest)
        if found is None and _STORED_FORM.fullmatch(key):
            found = await self._stored(digest, source)
        if found is None:
            raise _unknown_key()
        return found

    async def of_digest(self, digest: str, source: str) -> Principal | None:
        """Return the owner of the key with this digest while the key exists: for a session that the key has opened.

        Raises ApiError: 429. StoreError.
        """
        return self._of_settings(digest) or await self._stored(digest, source)

    def _of_settings(self, digest: str) -> Principal | None:
        found: Principal | None = None
        for known, principal in self._configured:  # all of them, so that the time gives nothing away
            if hmac.compare_digest(known, digest):
                found = principal
        return found

    async def _stored(self, digest: str, source: str) -> Principal | None:
        now_ms = self._clock.now_ms()
        principal, at_ms = self._believed.get(digest, (None, 0))
        if principal is not None and now_ms - at_ms < BELIEVED_MS:
            return principal
        wait_seconds = self._unknown.wait_seconds(source)
        if principal is None and wait_seconds:  # a key that was good a while ago is checked after all
            stored = (await self._whole_store(now_ms)).get(digest)
            if stored is None:
                raise too_many("too many requests with unknown keys from here", wait_seconds)
        else:
            stored = await self._api_key_store.find(digest)
        if stored is None or not hmac.compare_digest(stored.digest, digest):
            self._believed.pop(digest, None)
            self._unknown.spend(source)
            return None
        found = Principal(stored.role, stored.tenant, digest[:KEY_ID_CHARS], stored.label)
        if len(self._believed) >= _MOST_KNOWN:
            self._believed.clear()
        self._believed[digest] = (found, now_ms)
        await self._note_use(stored, rfc3339(now_ms)[:_DAY_CHARS])
        return found

    async def _whole_store(self, now_ms: int) -> dict[str, StoredKey]:
        """Read every stored key at most once in 30 s: guessed keys do not lock out callers behind the same address."""
        whole, at_ms = self._whole
        if now_ms - at_ms >= BELIEVED_MS:
            whole = {key.digest: key for key in await self._api_key_store.all()}
            self._whole = (whole, now_ms)
        return whole

    async def _note_use(self, stored: StoredKey, day: str) -> None:
        if day in (stored.used_day, self._noted.get(stored.digest)):
            return
        self._noted[stored.digest] = day
        try:
            await self._api_key_store.used(stored.digest, day)
        except StoreError:
            self._noted.pop(stored.digest, None)  # the next look notes it


def digest_of(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def remember(request: HTTPConnection, principal: Principal) -> None:
    """Record the caller for the guard and the endpoint, where it was not found by a bearer key."""
    request.scope[_PRINCIPAL] = principal


def known_principal(request: Request) -> Principal | None:
    found: Principal | None = request.scope.get(_PRINCIPAL)
    return found


def source_of(request: HTTPConnection) -> str:
    """Return the address that a request comes from, as the server saw it; a proxy's headers may be forged."""
    return request.client.host if request.client else ""


def too_many(detail: str, wait_seconds: float) -> ApiError:
    seconds = max(1, -int(-wait_seconds // 1))
    return ApiError(429, f"{detail}: try again in {seconds} s", headers={"Retry-After": str(seconds)})


def _unknown_key() -> ApiError:
    detail = "no valid key: send `Authorization: Bearer KEY` with a key from `baton keys create`"
    return ApiError(401, detail, headers={"WWW-Authenticate": "Bearer"})


def parse_keys(text: str) -> list[tuple[str, Principal]]:
    """Parse `role:tenant:sha256hex, …` into (hash, principal); the settings' parser has checked each entry's form."""
    keys: list[tuple[str, Principal]] = []
    for part in text.split(","):
        match = re.fullmatch(API_KEY_ENTRY, part.strip())
        if match is not None:
            role: Role = "admin" if match[1] == "admin" else "client"
            keys.append((match[3], Principal(role, match[2], match[3][:KEY_ID_CHARS])))
    return keys
