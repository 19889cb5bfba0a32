"""Who may use the API: bearer keys, stored as hashes, compared in constant time (DESIGN 8).

A key belongs to a tenant and a role: `client` keys see their tenant's jobs, `admin` keys every tenant's.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Literal

from starlette.requests import Request

from events.errors import SettingsError, join_problems
from events.settings import Settings
from functions.api.problem import ApiError

Role = Literal["client", "admin"]
_PRINCIPAL = "baton.principal"
_ENTRY = re.compile(r"(client|admin):([A-Za-z0-9_.-]{1,64}):([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks."""

    role: Role
    tenant: str

    def may_see(self, tenant: str) -> bool:
        """Whether a tenant's jobs are theirs to see and change."""
        return self.role == "admin" or self.tenant == tenant


class Keys:
    """The keys of the setting API_KEYS."""

    def __init__(self, settings: Settings) -> None:
        self._known = parse_keys(settings.api_keys)

    async def authenticate(self, request: Request) -> Principal:
        """Who asks; looked up once a request, by the guard, and known to the endpoint from then on.

        Raises:
            ApiError: 401, no key or one that is not known.
        """
        known: Principal | None = request.scope.get(_PRINCIPAL)
        if known is None:
            known = request.scope[_PRINCIPAL] = self._find(request)
        return known

    def _find(self, request: Request) -> Principal:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        hashed = hashlib.sha256(key.strip().encode("utf-8", "surrogateescape")).hexdigest()
        found: Principal | None = None
        for known, principal in self._known:  # all of them, so that the time tells nothing
            if hmac.compare_digest(known, hashed):
                found = principal
        if scheme.lower() != "bearer" or found is None:
            detail = "no valid key: send `Authorization: Bearer KEY` with a key from `baton keys create`"
            raise ApiError(401, detail, headers={"WWW-Authenticate": "Bearer"})
        return found


def parse_keys(text: str) -> list[tuple[str, Principal]]:
    """`role:tenant:sha256hex, …` as (hash, principal).

    Raises:
        SettingsError: entries that are not of that form, by position; never the entries themselves.
    """
    keys: list[tuple[str, Principal]] = []
    problems: list[str] = []
    for position, entry in enumerate((part.strip() for part in text.split(",") if part.strip()), 1):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            problems.append(f"API_KEYS, entry {position}: not role:tenant:sha256hex with role client or admin")
        else:
            role: Role = "admin" if match[1] == "admin" else "client"
            keys.append((match[3], Principal(role, match[2])))
    if problems:
        raise SettingsError(join_problems("wrong settings:", problems))
    return keys
