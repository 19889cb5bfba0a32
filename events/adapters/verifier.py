"""Signature check through the queue SDK's Receiver: the current key, then the next. There is no switch to turn it off.

Source: qstash.md 9. Without a configured key nothing is valid: an empty HMAC key would accept anybody's signature.
"""

from base64 import urlsafe_b64encode
from functools import lru_cache
from typing import cast

from jwt import PyJWK
from jwt.algorithms import HMACAlgorithm
from qstash import Receiver
from qstash.errors import SignatureError as SdkSignatureError

from events.errors import SignatureError
from events.settings import Settings


class QueueVerifier:
    """`Verifier` with the signing keys of the settings."""

    def __init__(self, settings: Settings) -> None:
        current, following = settings.current_signing_key, settings.next_signing_key
        both = [_ready(key) for key in (current or following, following or current) if key]
        self._receiver = Receiver(*both) if both else None

    def verify(self, signature: str, body: bytes, url: str) -> None:
        """Raises SignatureError unless the queue signed exactly this body for exactly this URL, recently."""
        if self._receiver is None:
            raise SignatureError("no signing key is configured: set QSTASH_CURRENT_SIGNING_KEY")
        try:
            self._receiver.verify(signature=signature, body=_Raw.of(body), url=url)
        except (SdkSignatureError, KeyError, AttributeError) as error:
            raise SignatureError("the request's signature is not valid for this URL and body") from error


class _Raw(str):
    """A body as the SDK wants it, of which it hashes the very bytes that came, whether they are text or not."""

    __slots__ = ("_body",)
    _body: bytes

    @classmethod
    def of(cls, body: bytes) -> "_Raw":
        """The body; it is shown as nothing."""
        made = cls()
        made._body = body
        return made

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:  # noqa: ARG002 - str's signature
        """The bytes that came."""
        return self._body


class _Hs256(HMACAlgorithm):
    """HS256 that looks at a key once: PyJWT asks at each message whether it is a public one, a third of its time."""

    def prepare_key(self, key: str | bytes) -> bytes:
        return _looked_at(key)


@lru_cache(8)
def _looked_at(key: str | bytes) -> bytes:
    """The key, if it may be a secret; else PyJWT's refusal, each time anew."""
    return HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(key)


def _ready(key: str) -> str:
    """The key as PyJWT's own object, which the SDK only hands on to it."""
    value = urlsafe_b64encode(key.encode()).rstrip(b"=").decode()
    ready = PyJWK({"kty": "oct", "alg": "HS256", "k": value})
    ready.Algorithm = _Hs256(HMACAlgorithm.SHA256)
    return cast("str", ready)
