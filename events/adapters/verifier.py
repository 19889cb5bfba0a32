"""Signature check: HS256 by the current key, then the next. There is no switch to turn it off.

Source: qstash.md 9. Without a configured key nothing is valid: an empty HMAC key would accept anybody's signature.
What is checked is what the queue SDK's Receiver checks (the tests compare both), whose tolerance for clocks PyJWT does
not heed; the clock is a port, and a signature is refused whose claims are no times. PyJWT takes six times as long.

Invariant: nothing is read of a token before its signature holds.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache
from typing import Any, TypeGuard

import jwt
from jwt.algorithms import HMACAlgorithm

from events.adapters.clock import SystemClock
from events.core.signed_times import counts_at
from events.errors import SignatureError
from events.ports import Clock
from events.settings import Settings

# Far away from now, and a number that can be counted with.
_MOST_SECONDS = 1e12


class QueueVerifier:
    """`Verifier` with the signing keys of the settings."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        keys = (settings.current_signing_key, settings.next_signing_key)
        self._configured = any(keys)
        self._keys = tuple(hmac.new(key.encode(), digestmod="sha256") for key in keys if key and _may_be_secret(key))
        self._clock = clock or SystemClock()

    def verify(self, signature: str, body: bytes, url: str) -> None:
        """Raises SignatureError unless the queue signed exactly this body for exactly this URL, recently."""
        if not self._configured:
            raise SignatureError("no signing key is configured: set QSTASH_CURRENT_SIGNING_KEY")
        if not any(_is_signed(signature, key) for key in self._keys) or not self._holds(signature, body, url):
            raise SignatureError("the request's signature is not valid for this URL and body")

    def _holds(self, signature: str, body: bytes, url: str) -> bool:
        """Whether what a key has signed is this."""
        header, payload, _ = signature.split(".")
        claims = _read(payload) if _is_hs256(header) else {}
        if claims.get("iss") != "Upstash" or claims.get("sub") != url or claims.get("aud"):
            return False
        not_before, issued, expires = claims.get("nbf"), claims.get("iat", 0), claims.get("exp")
        if not (_is_time(not_before) and _is_time(issued) and _is_time(expires)):
            return False
        if not counts_at(self._clock.now_ms(), max(not_before, issued), expires):
            return False
        signed = claims.get("body") if isinstance(claims.get("jti", ""), str) else None
        return isinstance(signed, str) and signed.rstrip("=") == _base64(hashlib.sha256(body).digest())


def _may_be_secret(key: str) -> bool:
    """Whether it is no public key, as far as PyJWT can tell: with one set by mistake, anybody could sign."""
    try:
        return bool(HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(key))
    except jwt.InvalidKeyError:
        return False


def _is_signed(signature: str, key: hmac.HMAC) -> bool:
    """Whether this key has signed these three segments."""
    signed, _, digest = signature.rpartition(".")
    if signed.count(".") != 1 or not signature.isascii():
        return False
    own = key.copy()  # a key is prepared once
    own.update(signed.encode())
    return hmac.compare_digest(_base64(own.digest()), digest.removesuffix("="))


@lru_cache(8)
def _is_hs256(header: str) -> bool:
    """Whether the header says how it was checked, and asks for nothing that PyJWT does not understand."""
    try:
        return bool(jwt.get_unverified_header(f"{header}.e30.")["alg"] == "HS256")
    except (jwt.PyJWTError, KeyError):
        return False


def _read(segment: str) -> dict[str, Any]:
    """The object in a segment; an empty one, where it is none, or not written as base64url is."""
    try:
        text = urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
        written = urlsafe_b64encode(text).decode()
        value = json.loads(text) if segment in (written, written.rstrip("=")) else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _base64(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST_SECONDS
