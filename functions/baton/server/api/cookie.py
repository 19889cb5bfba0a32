"""The login to the console: a self-contained cookie, signed with a secret that is derived from settings.

Invariant: a cookie that comes back unsigned, changed, too late or from another site logs in no one. Nothing is stored,
so any instance of the function reads a cookie that another one wrote. A change of API_KEYS or of the tokens of queue
and store ends every session.
"""

import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from baton.settings.signed_texts import SignedTexts

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
        """Return whether a form was made for this session."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode("utf-8", "surrogateescape"))


def from_here(request: HTTPConnection) -> bool:
    """Return whether a request was sent by a page of this host, or by no page; browsers send its origin."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:  # holds behind a proxy that changes the host, too
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
