"""The JWT in `Upstash-Signature` (qstash.md 9): HS256 over claims that name the URL and the body.

Pure: key, time and token id come in as values. `iat` and `nbf` are never in the future.
"""

import hmac
import json
from base64 import urlsafe_b64encode
from hashlib import sha256

LIFETIME_SECONDS = 300


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


_dump = json.JSONEncoder(separators=(",", ":")).encode
_HEADER = _base64url(b'{"alg":"HS256","typ":"JWT"}')


def sign(key: str, url: str, body: bytes, *, now_seconds: int, jwt_id: str) -> str:
    """A token for exactly this URL and body, valid for five minutes from now."""
    claims = {
        "iss": "Upstash",
        "sub": url,
        "exp": now_seconds + LIFETIME_SECONDS,
        "nbf": now_seconds,
        "iat": now_seconds,
        "jti": jwt_id,
        "body": urlsafe_b64encode(sha256(body).digest()).decode(),  # padding kept; verifiers strip it
    }
    signed = f"{_HEADER}.{_base64url(_dump(claims).encode())}"
    return f"{signed}.{_base64url(hmac.digest(key.encode(), signed.encode(), 'sha256'))}"
