"""The signature of a delivery: HS256 JWT over the body's hash, made by hmac, verified by PyJWT, as QStash's is."""

import base64
import hashlib
import hmac
import json
import time

import jwt

KEY = "sig_" + "k" * 40
_HEAD = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=")


def _hash_of(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()


def sign(body: bytes) -> bytes:
    now = int(time.time())  # noqa: TID251 - a signature is of the wall clock
    claims = {
        "iss": "Broker",
        "sub": "http://app/hop",
        "exp": now + 300,
        "nbf": now - 5,
        "iat": now,
        "jti": "jwt_" + "a" * 24,
        "body": _hash_of(body),
    }
    text = _HEAD + b"." + base64.urlsafe_b64encode(json.dumps(claims, separators=(",", ":")).encode()).rstrip(b"=")
    mac = hmac.digest(KEY.encode(), text, "sha256")
    return text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")


def verify(token: str, body: bytes) -> None:
    """Raise ValueError unless it is the body's."""
    claims = jwt.decode(
        token, KEY, algorithms=["HS256"], issuer="Broker", options={"require": ["iss", "sub", "exp", "nbf"]}
    )
    if not hmac.compare_digest(claims["body"].rstrip("="), _hash_of(body)):
        raise ValueError("the signature is of another body")
