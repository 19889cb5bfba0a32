"""The keys that the queue signs with, in the store or given, and their two uses: signatures, and the check of them.

Whoever first looks for keys in the store makes them. Invariant: of three keys the current one signs and all verify, so
that processes which read them at different times agree: the one before counts until the next roll.
"""

import base64
import hashlib
import hmac
from typing import Any

from msgspec.json import encode

from baton.queue.account import SigningKeys
from baton.queue.redis.shards import SIGNING_KEYS, Shards
from baton.queue.verifier import QueueVerifier
from baton.sdk.clock import Clock, Randomness
from baton.settings.settings import Settings
from baton_events.errors import SettingsError

_KNOWN_MS = 60_000
_VALID_SECONDS = 300
_FIELDS = ("current", "following", "before")


class KeysInStore:
    """Reads and rolls them. Each method raises PublishError. `given`: the current key and the next one, of settings."""

    def __init__(self, shards: Shards, clock: Clock, randomness: Randomness, *given: str) -> None:
        self._shards, self._clock, self._randomness, self._given = shards, clock, randomness, given
        self._known: tuple[str, ...] = ()
        self._read_ms = 0

    async def known(self) -> tuple[str, ...]:
        """Return the current key, the following one and the one before it, as they were within the last minute."""
        if not self._known or not 0 <= self._clock.now_ms() - self._read_ms < _KNOWN_MS:
            self._known, self._read_ms = await self.read(), self._clock.now_ms()
        return self._known

    async def read(self) -> tuple[str, ...]:
        if self._given:
            return self._given
        made = (["HSETNX", SIGNING_KEYS, name, self._new()] for name in _FIELDS[:2])
        (found,) = await self._shards.run_commands(["HMGET", SIGNING_KEYS, *_FIELDS])
        if not all(found[:2]):
            *_, found = await self._shards.run_commands(*made, ["HMGET", SIGNING_KEYS, *_FIELDS])
        return tuple(key for key in found if key)

    async def roll(self) -> SigningKeys:
        """Make the following key the current one, and another the following. Raises SettingsError: they are given."""
        if self._given:
            raise SettingsError(
                "QUEUE_SIGNING_KEY and QUEUE_NEXT_SIGNING_KEY give the keys: swap them, and deploy both"
            )
        current, following, *_ = await self.read()
        after = SigningKeys(following, self._new())
        fields = "current", after.current, "following", after.following, "before", current
        await self._shards.run_commands(["HSET", SIGNING_KEYS, *fields])
        self._known = ()
        return after

    def _new(self) -> str:
        return f"sig_{self._randomness.token()}"


class RedisVerifier(QueueVerifier):
    """`Verifier` with the keys in the store."""

    knows_keys = False  # others may have rotated them

    def __init__(self, keys: KeysInStore, clock: Clock) -> None:
        super().__init__(Settings(), clock)
        self._in_store, self._of = keys, tuple[str, ...]()

    async def know_keys(self) -> None:
        """Know the keys. Raises PublishError: the store does not tell them."""
        known = await self._in_store.known()
        if known != self._of:
            self.use(known)
            self._of = known


def _base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


_HEAD = _base64url(b'{"alg":"HS256","typ":"JWT"}') + b"."


def signature_of(key: str, url: str, body: bytes, name: str, now_ms: int) -> bytes:
    """Return the signature of one delivery (qstash.md 9); `name`: no other delivery's."""
    seconds, digest = now_ms // 1000, _base64url(hashlib.sha256(body).digest()).decode() + "="
    claims: dict[str, Any] = {"iss": "Upstash", "sub": url, "iat": seconds, "nbf": seconds, "body": digest}
    claims |= {"exp": seconds + _VALID_SECONDS, "jti": f"jwt_{name}"}
    signed = _HEAD + _base64url(encode(claims))
    return signed + b"." + _base64url(hmac.digest(key.encode(), signed, "sha256"))
