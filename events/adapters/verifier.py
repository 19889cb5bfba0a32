"""Signature check with PyJWT: the current key, then the next. There is no switch to turn it off.

Source: qstash.md 9. Without a configured key nothing is valid: an empty HMAC key would accept anybody's signature.
What is checked is what the queue SDK's Receiver checks, whose tolerance for clocks PyJWT does not heed; the clock is a
port, and a signature is refused whose claims are no times.
"""

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jwt
from jwt import PyJWK
from jwt.algorithms import HMACAlgorithm

from events.adapters.clock import SystemClock
from events.core.signed_times import counts_at
from events.errors import SignatureError
from events.ports import Clock
from events.settings import Settings

# Far away from now, and a number that can be counted with.
_MOST_SECONDS = 1e12
_REQUIRED = ("iss", "sub", "exp", "nbf", "body")


class QueueVerifier:
    """`Verifier` with the signing keys of the settings."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        keys = (settings.current_signing_key, settings.next_signing_key)
        self._keys = tuple(_ready(key) for key in keys if key)
        self._clock = clock or SystemClock()

    def verify(self, signature: str, body: bytes, url: str) -> None:
        """Raises SignatureError unless the queue signed exactly this body for exactly this URL, recently."""
        if not self._keys:
            raise SignatureError("no signing key is configured: set QSTASH_CURRENT_SIGNING_KEY")
        if not any(self._holds(claims, body, url) for claims in map(_claims(signature), self._keys)):
            raise SignatureError("the request's signature is not valid for this URL and body")

    def _holds(self, claims: dict[str, Any], body: bytes, url: str) -> bool:
        """Whether what a key has signed is this."""
        times: list[Any] = [claims.get("nbf"), claims.get("iat", 0), claims.get("exp")]
        if not all(map(_is_time, times)) or claims["sub"] != url:
            return False
        not_before, issued, expires = map(float, times)
        if not counts_at(self._clock.now_ms(), max(not_before, issued), expires):
            return False
        digest = urlsafe_b64encode(hashlib.sha256(body).digest()).decode().rstrip("=")
        return isinstance(claims["body"], str) and claims["body"].rstrip("=") == digest


def _claims(signature: str) -> Callable[[PyJWK], dict[str, Any]]:
    """What a key has signed; nothing, where it has not."""

    def signed_with(key: PyJWK) -> dict[str, Any]:
        try:
            return jwt.decode(
                signature,
                key,
                algorithms=["HS256"],
                issuer="Upstash",
                options={"require": [*_REQUIRED], "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return {}

    return signed_with


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST_SECONDS


class _Hs256(HMACAlgorithm):
    """HS256 that looks at a key once: PyJWT asks at each message whether it is a public one, a third of its time."""

    def prepare_key(self, key: str | bytes) -> bytes:
        return _looked_at(key)


@lru_cache(8)
def _looked_at(key: str | bytes) -> bytes:
    """The key, if it may be a secret; else PyJWT's refusal, each time anew."""
    return HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(key)


def _ready(key: str) -> PyJWK:
    """The key as PyJWT's own object."""
    value = urlsafe_b64encode(key.encode()).rstrip(b"=").decode()
    ready = PyJWK({"kty": "oct", "alg": "HS256", "k": value})
    ready.Algorithm = _Hs256(HMACAlgorithm.SHA256)
    return ready
