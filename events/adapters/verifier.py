"""Signature check through the queue SDK's Receiver: the current key, then the next. There is no switch to turn it off.

Source: qstash.md 9. Without a configured key nothing is valid: an empty HMAC key would accept anybody's signature.
"""

from qstash import Receiver
from qstash.errors import SignatureError as SdkSignatureError

from events.errors import SignatureError
from events.settings import Settings


class QueueVerifier:
    """`Verifier` with the signing keys of the settings."""

    def __init__(self, settings: Settings) -> None:
        current, following = settings.current_signing_key, settings.next_signing_key
        self._receiver = Receiver(current or following, following or current) if current or following else None

    def verify(self, signature: str, body: bytes, url: str) -> None:
        """Raises SignatureError unless the queue signed exactly this body for exactly this URL, recently."""
        if self._receiver is None:
            raise SignatureError("no signing key is configured: set QSTASH_CURRENT_SIGNING_KEY")
        try:
            self._receiver.verify(signature=signature, body=body.decode(), url=url)
        except (SdkSignatureError, UnicodeDecodeError, KeyError, AttributeError) as error:
            raise SignatureError("the request's signature is not valid for this URL and body") from error
