"""Sealed payloads: texts that whoever has the store or the queue cannot read.

A sealed text reads `sealed:KEY:BASE64URL`, a sealed object has the same head and its bytes as they are. Both begin with
the tenant, in clear, so that whoever opens them needs to know only where they stand. With `PAYLOAD_KEYS` follow 12
random bytes, the ciphertext and the tag of AES-256-GCM. Its key is derived of the setting's by HKDF, one for each
tenant and id, so random nonces stay far from their bound.

Invariant: a text opens at the place alone that it was sealed for (`PayloadContext`), else it is unreadable, and never
another text. A text that is not sealed is read as it is. Must not: import `cryptography` before a key asks for it.
"""

import asyncio
import hmac
import importlib
import math
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from inspect import isawaitable, isclass, iscoroutinefunction
from os import urandom
from time import monotonic
from typing import Any, Literal, Protocol, TypeAlias

from baton_events.errors import NOT_OPENED, OWN_CODEC, SettingsError, UnreadablePayloadError
from baton_events.setting import payload_keys_in
from baton_events.values.text import text_of

SEALED = "sealed:"
EXTRA = "encryption"
Kind: TypeAlias = 'Literal["record", "text", "file", "message", "object"]'  # as text: each cold start imports this
_READY_SECONDS, _NONCE_BYTES, _TENANTS, _PLACES = 300, 12, 1_000, 100


class PayloadContext:
    """Where a text stands. `belongs_to`: the root job, or the session, the event or the place that it is of."""

    __slots__ = ("belongs_to", "kind", "tenant")

    def __init__(self, tenant: str, kind: Kind, belongs_to: str) -> None:
        self.tenant, self.kind, self.belongs_to = tenant, kind, belongs_to


class PayloadCodec(Protocol):
    """Seals and opens the payloads of a deployment, as `PAYLOAD_CODEC` names one: over a KMS, or an HSM.

    An error of `open` counts as a key that is not there. An attribute `digest_key` (bytes), if there is one, keys the
    digests of plain texts; without it they are plain.
    """

    async def ready(self) -> None:
        """Unwrap keys: it may take its time. Called before the first text of a process, then each five minutes."""
        ...

    def seal(self, data: bytes, context: PayloadContext) -> bytes:
        """Seal at once: it is called within each step."""
        ...

    def open(self, data: bytes, context: PayloadContext) -> bytes:
        """Open at once what was sealed for the same context."""
        ...


class Sealing:
    """Seals and opens texts. `first`: the id of the codec that seals; empty: none does, and texts stay plain.

    `digest_keys`: by id, what keys the digests of plain texts. `key_ids`: those that open, in the setting's order.
    """

    def __init__(
        self, codecs: Mapping[str, PayloadCodec], first: str = "", digest_keys: Mapping[str, bytes] | None = None
    ) -> None:
        self._codecs, self.first, self._digest_keys = dict(codecs), first, dict(digest_keys or {})
        self.key_ids = tuple(codecs)
        self.is_own = OWN_CODEC in codecs  # then `ready` is awaited before the next text
        self._ready_at = 0.0 if self.is_own else math.inf
        self._lock = asyncio.Lock()

    async def ready(self) -> None:
        """Prepare the codec, where its time has come. Raises UnreadablePayloadError: it cannot get its keys."""
        if monotonic() < self._ready_at:
            return
        async with self._lock:
            if monotonic() >= self._ready_at:
                try:
                    await ready if isawaitable(ready := self._codecs[OWN_CODEC].ready()) else None
                except Exception as error:
                    raise UnreadablePayloadError(OWN_CODEC, "is not ready") from error
                self._ready_at = monotonic() + _READY_SECONDS

    def seal(self, text: str, context: PayloadContext) -> str:
        if not self.first:
            return text
        coded = b2a_base64(self._sealed(text.encode(), context), newline=False).rstrip(b"=")
        return f"{SEALED}{self.first}:{coded.replace(b'+', b'-').replace(b'/', b'_').decode()}"

    def open(self, text: str, kind: Kind, belongs_to: str) -> str:
        """Return the text that was sealed for this place, or that is plain.

        Raises UnreadablePayloadError: its key is not there, or the text was changed, or is of another place.
        """
        if not text.startswith(SEALED):
            return text
        key_id, _, sealed = text[len(SEALED) :].partition(":")
        try:
            data = a2b_base64(sealed.replace("-", "+").replace("_", "/") + "=" * (-len(sealed) % 4))
        except ValueError as error:
            raise UnreadablePayloadError(key_id) from error
        try:
            return self._opened(key_id, data, kind, belongs_to).decode()
        except UnicodeDecodeError as error:
            raise UnreadablePayloadError(key_id) from error

    def seal_bytes(self, data: bytes, context: PayloadContext) -> bytes:
        return f"{SEALED}{self.first}:".encode() + self._sealed(data, context) if self.first else data

    def open_bytes(self, data: bytes, kind: Kind, belongs_to: str) -> bytes:
        """Return the bytes that were sealed for this place, or that are plain. Raises as `open` does."""
        if not data.startswith(SEALED.encode()):
            return data
        key_id, _, sealed = data[len(SEALED) :].partition(b":")
        return self._opened(key_id.decode(errors="replace"), sealed, kind, belongs_to)

    def sealed_message(self, body: str) -> str:
        """Return the body of a message, or of an answer to the queue, as the queue gets it."""
        if not self.first:
            return body
        from baton_events.sealed_messages import sealed_message  # noqa: PLC0415 - few deployments seal

        return sealed_message(lambda text, *of: self.seal(text, PayloadContext(of[0], "message", of[1])), body)

    def opened_message(self, body: bytes) -> bytes:
        """Return the body of a message, or of an answer, as it was. Raises as `open` does."""
        if not self._codecs and SEALED.encode() not in body:
            return body
        from baton_events.sealed_messages import opened_message  # noqa: PLC0415 - as above

        return opened_message(lambda sealed, name: self.open(sealed, "message", name), body)

    def shown_message(self, body: str) -> str:
        """Return the body of a message as people are shown it: as the queue has it where its key is not there."""
        try:
            return self.opened_message(body.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
        except UnreadablePayloadError:
            return body

    def keyed(self, digest: str) -> str:
        """Return a digest of a plain text as it is kept: by the key that seals, so that no guess matches it."""
        return self.names_of(digest)[0]

    def names_of(self, digest: str) -> list[str]:
        """Return all names under which what has this digest may be kept, the one for what is kept now first.

        It is by the first id, which all processes have: a new key is second before it is first.
        """
        keyed = {
            key_id: hmac.digest(key, digest.encode(), "sha256").hex()[: len(digest)]
            for key_id, key in self._digest_keys.items()
        }
        own = keyed.pop(self.first, digest)
        return list(dict.fromkeys((own, *keyed.values(), digest)))

    def _sealed(self, data: bytes, context: PayloadContext) -> bytes:
        codec = self._codecs[self.first]
        if isinstance(codec, _AesGcm):  # ours, which gives bytes
            return _head(context.tenant) + codec.seal(data, context)
        sealed = _bytes_of(lambda: codec.seal(data, context), self.first, "does not seal")
        return _head(context.tenant) + sealed

    def _opened(self, key_id: str, data: bytes, kind: Kind, belongs_to: str) -> bytes:
        codec = self._codecs.get(key_id)
        if codec is None:
            raise UnreadablePayloadError(key_id, "is not there")
        end = 2 + int.from_bytes(data[:2], "big")
        return _bytes_of(lambda: codec.open(data[end:], PayloadContext(data[2:end].decode(), kind, belongs_to)), key_id)


@lru_cache(_TENANTS)
def _head(tenant: str) -> bytes:
    """Return what stands before sealed bytes: whose they are."""
    named = tenant.encode()
    return len(named).to_bytes(2, "big") + named


def _bytes_of(made_by: Callable[[], object], key_id: str, fault: str = NOT_OPENED) -> bytes:
    """Return the bytes that a codec gives, which may be foreign code."""
    try:
        made = made_by()
    except (Exception, SystemExit) as error:
        raise UnreadablePayloadError(key_id, fault) from error
    if isinstance(made, bytes | bytearray | memoryview):
        return bytes(made)
    raise UnreadablePayloadError(key_id, f"{fault}; it gave no bytes, but a {type(made).__name__}")


class _AesGcm:
    """`PayloadCodec` of one key of `PAYLOAD_KEYS`."""

    def __init__(self, key_id: str, secret: bytes) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - of an extra
        except ImportError as error:
            raise SettingsError(
                f"PAYLOAD_KEYS needs the extra `{EXTRA}`, which is not installed: pip install 'durable-baton[{EXTRA}]'"
            ) from error
        cipher = lru_cache(_TENANTS)(lambda tenant: AESGCM(_derived(secret, f"payload {key_id} {tenant}")))
        self._at = lru_cache(_PLACES)(lambda tenant, *of: (cipher(tenant), _place(tenant, *of)))

    async def ready(self) -> None:
        """Do nothing: the key is there."""

    def seal(self, data: bytes, context: PayloadContext) -> bytes:
        """Seal under a nonce of its own."""
        nonce, (cipher, place) = urandom(_NONCE_BYTES), self._at(context.tenant, context.kind, context.belongs_to)
        sealed: bytes = cipher.encrypt(nonce, data, place)
        return nonce + sealed

    def open(self, data: bytes, context: PayloadContext) -> bytes:
        """Open, or raise."""
        nonce, sealed = data[:_NONCE_BYTES], data[_NONCE_BYTES:]
        cipher, place = self._at(context.tenant, context.kind, context.belongs_to)
        return bytes(cipher.decrypt(nonce, sealed, place))


def _place(tenant: str, kind: Kind, belongs_to: str) -> bytes:
    """Return the associated data: no two places have the same, as a tenant's length stands before it."""
    return f"{len(tenant)}:{tenant}{kind}:{belongs_to}".encode("utf-8", "surrogatepass")


def _derived(secret: bytes, purpose: str) -> bytes:
    """Return a key of 32 bytes for one purpose: HKDF with SHA-256 (RFC 5869), without a salt."""
    extracted = hmac.digest(bytes(32), secret, "sha256")
    return hmac.digest(extracted, purpose.encode("utf-8", "surrogatepass") + b"\x01", "sha256")


def sealed_by(keys: Sequence[tuple[str, bytes]]) -> Sealing:
    """Return what seals by these keys, the first of them, or none where its id is empty."""
    given = {key_id: secret for key_id, secret in keys if key_id}
    codecs = {key_id: _AesGcm(key_id, secret) for key_id, secret in given.items()}
    digest_keys = {key_id: _derived(secret, "digest") for key_id, secret in given.items()}
    return Sealing(codecs, keys[0][0] if keys else "", digest_keys)


@cache
def sealing_of(payload_keys: str, payload_codec: str) -> Sealing:
    """Return what seals in this process, by its settings; without any, it seals nothing and opens plain texts.

    Raises SettingsError: the object is not there, or is no codec; the extra is missing.
    """
    if not payload_codec:
        return sealed_by(payload_keys_in(payload_keys))
    module, _, attribute = payload_codec.partition(":")
    try:
        codec: Any = importlib.import_module(module)
        for name in attribute.split("."):
            codec = getattr(codec, name)
    except Exception as error:  # the module is foreign code
        raise SettingsError(
            f"PAYLOAD_CODEC: {payload_codec!r} cannot be loaded: {type(error).__name__}: {text_of(error)}"
        ) from error
    if fault := _codec_fault(codec):
        raise SettingsError(f"PAYLOAD_CODEC: {payload_codec!r} {fault} (see baton.PayloadCodec)")
    key = getattr(codec, "digest_key", b"")
    return Sealing({OWN_CODEC: codec}, OWN_CODEC, {OWN_CODEC: bytes(key)} if key else {})


def _codec_fault(codec: Any) -> str:
    """Return what keeps an object from being a codec; empty: nothing."""
    if isclass(codec):
        return "is a class: name an object of it"
    if missing := [name for name in ("ready", "seal", "open") if not callable(getattr(codec, name, None))]:
        return f"has no method {missing[0]!r}"
    if waiting := [name for name in ("seal", "open") if iscoroutinefunction(getattr(codec, name))]:
        return f"has a method {waiting[0]!r} that is async: it runs within each step; ask the KMS in 'ready'"
    key = getattr(codec, "digest_key", b"")
    return "" if isinstance(key, bytes | bytearray) else f"has a digest_key of {type(key).__name__}: give bytes"
