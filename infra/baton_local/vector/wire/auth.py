"""Who may use the index: the holder of its token, or of its read-only token.

Invariant: tokens are compared in constant time, and without a valid one nothing of the request is looked at.
"""

from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest
from http import HTTPStatus

from baton_local.stand_in.api_error import ApiError


class Access(Enum):
    """What a token allows."""

    READ = "read"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one index."""

    token: str
    read_only_token: str | None = None

    def access(self, authorization: bytes) -> Access:
        """What the bearer of this header may do.

        Raises:
            ApiError: the token is missing or unknown.
        """
        scheme, _, given = authorization.partition(b" ")
        if scheme.lower() == b"bearer":
            given = given.strip()
            if compare_digest(given, self.token.encode()):
                return Access.FULL
            if self.read_only_token is not None and compare_digest(given, self.read_only_token.encode()):
                return Access.READ
        raise ApiError(HTTPStatus.UNAUTHORIZED, "Unauthorized: Invalid auth token")


def forbidden(path: str) -> ApiError:
    """The refusal of what the read-only token may not do (403: not documented, chosen)."""
    return ApiError(HTTPStatus.FORBIDDEN, f"Forbidden: this token may only read; {path} needs the full token")
