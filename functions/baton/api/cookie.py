"""Who is logged in to the console: a cookie that says so by itself, signed with a secret that follows from settings.

Invariant: whatever comes back unsigned, changed, too late or from another site is nobody. Nothing is stored, so any
instance of the function reads what another one wrote; a change of API_KEYS or of the tokens of queue and store ends
every session.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from baton.settings.settings import Settings

COOKIE = "baton_console"
SESSION_SECONDS = 8 * 3600
_SIGNATURE_CHARS = 43


@dataclass(frozen=True, slots=True)
class Session:
    """One login: `id` is random, `key` the digest of the key that opened it, `until_ms` its end."""

    id: str
    key: str
    until_ms: int


class Signer:
    """Signs texts for their way through a browser; each for one purpose."""

    def __init__(self, settings: Settings) -> None:
        parts = (settings.api_keys, settings.redis_token or settings.resp_url, settings.qstash_token)
        self._secret = hashlib.sha256("\n".join(("baton console", *parts)).encode()).digest()

    def signed(self, purpose: str, content: dict[str, Any]) -> str:
        """The content with its signature, as text that a cookie can hold."""
        text = base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")
        return f"{text}.{self._signature(purpose, text)}"

    def read(self, purpose: str, signed: str) -> dict[str, Any] | None:
        """What was signed for this purpose; None for anything else."""
        text, _, signature = signed.rpartition(".")
        if not text or not hmac.compare_digest(signature.encode(), self._signature(purpose, text).encode()):
            return None
        try:
            found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, binascii.Error):
            return None
        return found if isinstance(found, dict) else None

    def session(self, cookie: str, now_ms: int) -> Session | None:
        """The session of a cookie that has not ended."""
        found = self.read("session", cookie)
        session = Session(**found) if found else None
        return session if session and session.until_ms > now_ms else None

    def form_token(self, session: Session) -> str:
        """What every form of a session carries: another site cannot know it."""
        return self._signature("form", session.id)

    def fits(self, session: Session, token: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(self.form_token(session).encode(), token.encode("utf-8", "surrogateescape"))

    def _signature(self, purpose: str, text: str) -> str:
        made = hmac.new(self._secret, f"{purpose}\n{text}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).decode()[:_SIGNATURE_CHARS]


def from_here(request: HTTPConnection) -> bool:
    """Whether a request was sent by a page of this host, or by no page; browsers say where it came from."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:  # holds behind a proxy that changes the host, too
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
