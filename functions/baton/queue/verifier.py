"""Signature check: HS256 by the current key, then the next. There is no switch to turn it off.

Source: qstash.md 9. Without a configured key nothing is valid: an empty HMAC key would accept anybody's signature. The
checks are those of the queue SDK's Receiver (the tests compare both), with the clock as a port and a tolerance of some
seconds from `nbf` to `exp`. A signature whose claims are no times is refused. PyJWT takes ten times as long.

Invariant: nothing is read of a token before its signature holds.
"""

import hashlib
import hmac
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from functools import lru_cache
from json import loads
from sys import int_info
from typing import Any

import jwt
from jwt.algorithms import HMACAlgorithm
from msgspec import Struct, json

from baton.sdk.clock import Clock, SystemClock
from baton.settings.settings import Settings
from baton_events.errors import SignatureError

# As for leases (functions/baton/queue/dispatch.py): the queue's clock and ours differ by less.
TOLERANCE_SECONDS = 5


def counts_at(now_ms: int, not_before_seconds: float, expires_seconds: float) -> bool:
    """Return whether the signature is valid now."""
    now_seconds = now_ms / 1000
    return not_before_seconds - TOLERANCE_SECONDS <= now_seconds < expires_seconds + TOLERANCE_SECONDS


# Far in the future, and still a number to calculate with.
_MOST_SECONDS = 1e12

# From base64url to base64; characters of base64 alone become invalid in both.
_STANDARD = bytes.maketrans(b"-_+/", b"+/  ")
_URLSAFE = bytes.maketrans(b"+/", b"-_")


class _Claims(Struct):
    """The claims in the queue's signature of a request; values of other types are refused."""

    iss: str
    sub: str
    nbf: float
    exp: float
    body: str
    iat: float = 0
    jti: str = ""
    aud: Any = None


_claims_in = json.Decoder(_Claims).decode


class QueueVerifier:
    """`Verifier` with the signing keys of the settings."""

    knows_keys = True

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.use((settings.current_signing_key, settings.next_signing_key))
        self._clock = clock or SystemClock()

    def use(self, keys: Sequence[str]) -> None:
        """Verify by these keys from now on."""
        self._configured = any(keys)
        self._keys = tuple(hmac.new(key.encode(), digestmod="sha256") for key in keys if key and _may_be_secret(key))

    async def know_keys(self) -> None:
        """Do nothing: its keys are there."""

    def signed_digest(self, signature: str, url: str) -> str:
        """Check that the queue signed for exactly this URL, recently; return the digest of what it signed.

        Raises SignatureError: it did not.
        """
        if not self._configured:
            raise SignatureError("no signing key is configured: set QSTASH_CURRENT_SIGNING_KEY")
        signed, _, digest = signature.rpartition(".")
        header, _, payload = signed.partition(".")
        well_formed = signature.isascii() and "." not in payload
        if not (well_formed and self._is_signed(signed, digest) and _is_hs256(header)):
            raise _not_valid()
        claims = _read(payload)
        if claims is None or not self._holds(claims, url):
            raise _not_valid()
        return claims.body.rstrip("=")

    def check_body(self, digest: str, body: bytes) -> None:
        """Check that a body has the digest that was signed. Raises SignatureError."""
        if digest != _base64_of_32(hashlib.sha256(body).digest()):
            raise _not_valid()

    def _is_signed(self, signed: str, digest: str) -> bool:
        message, digest = signed.encode(), digest.removesuffix("=")
        for key in self._keys:
            own = key.copy()  # a key is prepared once
            own.update(message)
            if hmac.compare_digest(_base64_of_32(own.digest()), digest):
                return True
        return False

    def _holds(self, claims: _Claims, url: str) -> bool:
        if claims.iss != "Upstash" or claims.sub != url or claims.aud:
            return False
        not_before, expires = max(claims.nbf, claims.iat), claims.exp
        if not (abs(claims.nbf) < _MOST_SECONDS and abs(claims.iat) < _MOST_SECONDS and abs(expires) < _MOST_SECONDS):
            return False
        return counts_at(self._clock.now_ms(), not_before, expires)


def _not_valid() -> SignatureError:
    return SignatureError("the request's signature is not valid for this URL and body")


def _may_be_secret(key: str) -> bool:
    """Return whether it is no public key, as far as PyJWT can tell: with one set by mistake, anybody could sign."""
    try:
        return bool(HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(key))
    except jwt.InvalidKeyError:
        return False


@lru_cache(8)
def _is_hs256(header: str) -> bool:
    """Return whether the header names this algorithm, and nothing that PyJWT does not support."""
    try:
        return bool(jwt.get_unverified_header(f"{header}.e30.")["alg"] == "HS256")
    except (jwt.PyJWTError, KeyError):
        return False


def _read(segment: str) -> _Claims | None:
    """Parse the claims in a segment; None if it is no base64url, or has none."""
    missing = -len(segment) % 4
    if missing and segment.endswith("="):
        return None
    text = segment.encode().translate(_STANDARD) + b"=" * missing
    try:
        value = a2b_base64(text)
        return _claims_of(value) if b2a_base64(value, newline=False) == text else None
    except (ValueError, RecursionError):
        return None


def _claims_of(payload: bytes) -> _Claims:
    """Parse the claims in JSON; raises ValueError or RecursionError.

    msgspec skips other claims without reading them; PyJWT refuses a payload that has no UTF-8 there, or a number of
    more digits than Python reads.
    """
    written = payload.decode(errors="surrogatepass")  # as json.loads does
    if len(written) > int_info.str_digits_check_threshold:
        loads(written)
    return _claims_in(payload)


def _base64_of_32(digest: bytes) -> str:
    """Encode a digest of 32 bytes in base64url, without the padding."""
    return b2a_base64(digest, newline=False)[:43].translate(_URLSAFE).decode()
