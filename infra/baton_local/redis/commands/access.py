"""Tokens of the database: what a request may do.

Invariant: tokens are compared in constant time, and without a valid one nothing of the request is looked at.
"""

from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest

READ_ONLY = "NOPERM this token may only read"
UNAUTHORIZED = "WRONGPASS invalid or missing auth token"


class Access(Enum):
    NONE = "none"
    READ = "read"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Tokens:
    token: bytes
    read_only_token: bytes | None = None

    def access(self, authorization: bytes | None, query_token: bytes | None) -> Access:
        """Return what a request may do; the header wins over the query parameter (redis-rest.md 2)."""
        given = query_token
        if authorization is not None:
            scheme, _, credentials = authorization.partition(b" ")
            given = credentials.strip() if scheme.lower() == b"bearer" else None
        if given is None:
            return Access.NONE
        if compare_digest(given, self.token):
            return Access.FULL
        if self.read_only_token is not None and compare_digest(given, self.read_only_token):
            return Access.READ
        return Access.NONE
