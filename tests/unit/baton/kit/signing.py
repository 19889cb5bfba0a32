"""Signs requests as the queue does, with real tokens (qstash.md 9)."""

import base64
import hashlib
import time
from dataclasses import replace
from typing import Any

import jwt

from baton.queue.verifier import QueueVerifier
from baton.settings.settings import Settings

CURRENT, STRANGE = "sig_" + "c" * 40, "sig_" + "s" * 40


def keyed(settings: Settings) -> Settings:
    return replace(settings, current_signing_key=CURRENT)


def signature(url: str, of: bytes, key: str = CURRENT, **changes: Any) -> str:
    now = int(time.time())  # noqa: TID251 - tokens are checked against the real time
    claims = {
        "iss": "Upstash",
        "sub": url,
        "iat": now,
        "nbf": now,
        "exp": now + 300,
        "jti": "jwt_1",
        "body": base64.urlsafe_b64encode(hashlib.sha256(of).digest()).decode(),
        **changes,
    }
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, key, algorithm="HS256")


def verify(verifier: QueueVerifier, token: str, body: bytes, url: str) -> None:
    verifier.check_body(verifier.signed_digest(token, url), body)


def delivery_headers(url: str, body: bytes, **changes: str) -> dict[str, str]:
    headers = {
        "content-type": "application/json",
        "upstash-message-id": "msg_1",
        "upstash-retried": "0",
        "upstash-signature": signature(url, body),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return {name: value for name, value in headers.items() if value}
