"""Signs texts that come back to us, with a secret derived from the settings.

Invariant: nothing is stored, so any instance of the deployment can check another one's signature. A change of API_KEYS
or of the tokens of queue and store invalidates all signatures. Must not: know the contents.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any

from baton.settings.settings import Settings

_SIGNATURE_CHARS = 43


class SignedTexts:
    """Signs texts, each for one purpose. `has_secret`: whether the settings have a secret to sign with."""

    def __init__(self, settings: Settings) -> None:
        parts = (settings.api_keys, settings.redis_token or settings.resp_url, settings.qstash_token)
        self.has_secret = bool(settings.api_keys or settings.redis_token or settings.qstash_token)
        self._secret = hashlib.sha256("\n".join(("baton console", *parts)).encode()).digest()

    def signed(self, purpose: str, content: dict[str, Any]) -> str:
        """Sign the content, as text that a cookie can hold."""
        text = base64.urlsafe_b64encode(json.dumps(content, separators=(",", ":")).encode()).decode().rstrip("=")
        return f"{text}.{self.signature(purpose, text)}"

    def read(self, purpose: str, signed: str) -> dict[str, Any] | None:
        """Return the content that was signed for this purpose; None for anything else."""
        text, _, signature = signed.rpartition(".")
        if not text or not hmac.compare_digest(signature.encode(), self.signature(purpose, text).encode()):
            return None
        try:
            found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        except (ValueError, binascii.Error):
            return None
        return found if isinstance(found, dict) else None

    def signature(self, purpose: str, text: str) -> str:
        made = hmac.new(self._secret, f"{purpose}\n{text}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).decode()[:_SIGNATURE_CHARS]
