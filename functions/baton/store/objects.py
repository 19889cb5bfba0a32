"""Large payloads in object stores: S3, GCS, Azure or a folder, over `obstore`.

Invariant: an object is written once, under the digest of its content, and is never changed; with keys it is sealed: a
head, which says how long a whole frame is, then frames of 1 MB, each sealed by itself. So a span is read without the
rest. A frame opens in its own object, at its own number, as the last one or not: none can be taken away, moved or
added. The library is imported with the first request. Its blocking calls run in threads: those for coroutines may abort
a process that ends just then. Must not: know what a payload is of.
"""

import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any

from baton.sdk.distribution import require_extra
from baton.sdk.records.own_threads import in_own_thread
from baton.settings.settings import Settings
from baton.store.records.objects import Ref, ref_of
from baton_events.errors import ObjectStoreError, PayloadGoneError, UnreadablePayloadError
from baton_events.sealing import SEALED, PayloadContext, Sealing, sealing_of

FRAME_BYTES = 1_000_000
_MARK = b"sealed:frames:"
HEAD_BYTES = len(_MARK) + 11


def sealed_object(sealing: Sealing, tenant: str, name: str, data: bytes) -> bytes:
    """Return an object as it is kept. A codec seals frames of one size to one size; else there is one frame."""
    firsts = range(0, max(1, len(data)), FRAME_BYTES)
    frames = [_sealed(sealing, tenant, name, at, len(firsts), data[at : at + FRAME_BYTES]) for at in firsts]
    if len({len(frame) for frame in frames[:-1]}) > 1:
        frames = [_sealed(sealing, tenant, name, 0, 1, data)]
    return b"".join((b"%b%010d:" % (_MARK, len(frames[0])), *frames))


def _sealed(sealing: Sealing, tenant: str, name: str, at: int, count: int, data: bytes) -> bytes:
    number = at // FRAME_BYTES
    return sealing.seal_bytes(data, PayloadContext(tenant, "object", _place(name, number, number == count - 1)))


def _place(name: str, number: int, is_last: bool) -> str:  # noqa: FBT001 - the pure name of a place
    return f"{name}:{number}:{'last' if is_last else 'more'}"


def frame_bytes(head: bytes) -> int:
    """Return the length of a whole frame, by an object's head; 0: it is not sealed."""
    return int(head[len(_MARK) : HEAD_BYTES - 1]) if head.startswith(_MARK) and len(head) >= HEAD_BYTES else 0


def frames_of(start: int, end: int | None, frame: int, size: int) -> tuple[int, int, int]:
    """Return the first frame of a span and the first after it, and how many there are in an object of this size."""
    count = -(-(size - HEAD_BYTES) // frame)
    return start // FRAME_BYTES, count if end is None else min(count, -(-end // FRAME_BYTES)), count


async def opened(
    sealing: Sealing, name: str, sealed: AsyncIterator[bytes], frame: int, numbers: tuple[int, int, int]
) -> AsyncIterator[bytes]:
    """Yield the contents of frames. `sealed`: their bytes in pieces.

    Raises UnreadablePayloadError: a frame does not open here.
    """
    first, end, count = numbers
    held = bytearray()
    for number in range(first, end):
        async for piece in sealed:
            held += piece
            if len(held) >= frame:
                break
        data, held = bytes(held[:frame]), held[frame:]
        yield sealing.open_bytes(_checked(data), "object", _place(name, number, number == count - 1))


async def only(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _checked(data: bytes) -> bytes:
    if not data.startswith(b"sealed:"):
        raise UnreadablePayloadError("", "is not named: the object was cut off or changed")
    return data


_log = logging.getLogger("baton.objects")

CHUNK_BYTES = 1_000_000
_SIGNED_FOR = timedelta(minutes=10)
_RETRIES: dict[str, Any] = {"max_retries": 4, "retry_timeout": timedelta(seconds=15)}
# Of OBJECT_STORE_OPTIONS: what the connection takes. All else is the store's.
_OF_CONNECTION = (
    *("allow_http", "allow_invalid_certificates", "connect_timeout", "default_headers", "http1_only", "http2_only"),
    *("pool_idle_timeout", "pool_max_idle_per_host", "proxy_ca_certificate", "proxy_excludes", "proxy_url"),
    *("read_timeout", "root_certificate", "timeout", "user_agent"),
)


def objects_of(settings: Settings) -> "Objects | None":
    """Return the objects of a deployment; None: all is kept in the store.

    Raises SettingsError: the extra is missing.
    """
    if not settings.object_store_url:
        return None
    require_extra("objects", "OBJECT_STORE_URL")
    return Objects(settings)


class Objects:
    """The objects of all addresses of OBJECT_STORE_URL; new ones are written to the first.

    Each method raises ObjectStoreError where a store does not answer. `on_gone` is told of each that a record names and
    that cannot be had: `missing` or `damaged`.
    """

    on_gone: "Callable[[str], Awaitable[None]] | None" = None

    def __init__(self, settings: Settings) -> None:
        self._urls, self._options = settings.object_store_urls, settings.object_store_options
        self.newest = max(0, len(self._urls) - 1)  # the number of the store that is written
        self._sealing = sealing_of(settings.payload_keys, settings.payload_codec)
        self._work_seconds, self._retries = settings.work_timeout_seconds, _RETRIES

    async def put(self, place: str, tenant: str, data: bytes) -> str:
        """Write an object, or find it there; return its ref. `tenant`: whose it is, for its sealing."""
        ref = await self.ref(place, data)
        if self._sealing.first:
            data = sealed_object(self._sealing, tenant, ref.name, data)
        try:
            await self._run("put", ref.store, ref.path, data, mode="create")
        except FileExistsError:
            _log.debug("%s is there", ref)
        except FileNotFoundError as error:  # the bucket is not there, or is another account's
            raise ObjectStoreError(f"the object store has no place for objects at {self._at(ref.store)}") from error
        return str(ref)

    async def ref(self, place: str, data: bytes) -> Ref:
        """Return the ref that an object has once it is written."""
        await self._sealing.ready()
        return Ref(self.newest, place, self._sealing.keyed(sha256(data).hexdigest()))

    async def get(self, ref: str) -> bytes:
        """Return a whole object. Raises PayloadGoneError: it is not there, or is not what was written."""
        await self._sealing.ready()
        of, found = ref_of(ref), await self._got(ref)
        data = await self._bytes(found)
        frame = frame_bytes(data)
        if not frame:
            if sha256(data).hexdigest() != of.name:
                raise await self._is_gone(ref, "damaged")
            return data
        numbers = frames_of(0, None, frame, len(data))
        return b"".join([one async for one in opened(self._sealing, of.name, only(data[HEAD_BYTES:]), frame, numbers)])

    async def chunks(self, ref: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yield an object's bytes in pieces: all of them, or from `start` up to but without `end`.

        Raises PayloadGoneError: it is not there. UnreadablePayloadError: it is sealed, and its key is not here.
        """
        await self._sealing.ready()
        head, frame = None, 0
        if self._sealing.key_ids:
            head = await self._got(ref, (0, HEAD_BYTES))
            frame = frame_bytes(await self._bytes(head))
        if head is None or not frame:
            async for piece in self._pieces(await self._got(ref, (start, end))):
                yield piece
            return
        first, last, count = frames_of(start, end, frame, head.meta["size"])
        found = await self._got(ref, (HEAD_BYTES + first * frame, HEAD_BYTES + last * frame))
        skipped, left = start - first * FRAME_BYTES, sys.maxsize if end is None else end - start
        frames = opened(self._sealing, ref_of(ref).name, self._pieces(found), frame, (first, last, count))
        async for data in frames:
            piece = data[skipped : skipped + left]
            skipped, left = 0, left - len(piece)
            yield piece

    async def _is_gone(self, ref: str, what: str = "missing") -> PayloadGoneError:
        _log.warning("the payload %s is %s", ref, what)
        if self.on_gone is not None:
            await self.on_gone(what)
        return PayloadGoneError(ref)

    async def _got(self, ref: str, span: tuple[int, int | None] | None = None) -> Any:
        of, wanted = ref_of(ref), {}
        if span and span != (0, None):
            wanted = {"range": span if span[1] is not None else {"offset": span[0]}}
        try:
            return await self._run("get", of.store, of.path, options=wanted)
        except FileNotFoundError as error:
            raise await self._is_gone(ref) from error

    async def _bytes(self, found: Any) -> bytes:
        return b"".join([piece async for piece in self._pieces(found)])

    async def _pieces(self, found: Any) -> AsyncIterator[bytes]:
        pieces = iter(found.stream(min_chunk_size=CHUNK_BYTES))
        while (piece := await self._blocking(next, pieces, None)) is not None:
            yield bytes(piece)

    async def copy(self, ref: str, place: str) -> str:
        """Copy an object to another place, on the store's side where it can; return its ref there.

        Raises PayloadGoneError: it is not there.
        """
        of = ref_of(ref)
        to = Ref(of.store, place, of.name)
        # S3 copies over what is there, which is the same; in a folder that would leave a second name of the file.
        over = not self._at(of.store).startswith("file:")
        try:
            await self._run("copy", of.store, of.path, to.path, overwrite=over)
        except FileNotFoundError as error:
            raise await self._is_gone(ref) from error
        except FileExistsError:
            _log.debug("%s is there", to)
        return str(to)

    async def delete_below(self, place: str) -> int:
        """Delete all objects at a place, in each store; return how many there were. Repeatable."""
        count = 0
        for store in range(len(self._urls)):
            found: Sequence[Any] = await self._listed(store, place)
            await self._deleted(store, [str(one["path"]) for one in found])
            count += len(found)
        return count

    async def places(self, within: str, before_ms: int) -> Sequence[str]:
        """Return the places right below a folder whose objects were all written before this time."""
        places, before = dict[str, bool](), datetime.fromtimestamp(before_ms / 1000, UTC)
        for store in range(len(self._urls)):
            for one in await self._listed(store, within):
                place = str(one["path"]).rpartition("/")[0]
                places[place] = places.get(place, True) and one["last_modified"] < before
        return [place for place, is_old in places.items() if is_old]

    async def tenants(self) -> Sequence[str]:
        found = [await self._run("list_with_delimiter", store, "") for store in range(len(self._urls))]
        return sorted({str(name) for each in found for name in each["common_prefixes"]})

    async def signed_url(self, ref: str) -> str | None:
        """Return an address that gives the object to whoever has it, for ten minutes.

        None: its store signs none, or objects are sealed.
        """
        of = ref_of(ref)
        if self._at(of.store).startswith("file:") or self._sealing.key_ids:
            return None
        return str(await self._run("sign", of.store, "GET", of.path, _SIGNED_FOR))

    async def has(self, ref: str | None = None) -> bool:
        """Return whether an object is there, by its head alone; None: only see whether its store answers."""
        of = ref and ref_of(ref)
        try:
            await self._run("head", of.store if of else self.newest, of.path if of else "baton-check")
        except FileNotFoundError:
            return False
        return True

    async def _deleted(self, store: int, paths: Sequence[str]) -> None:
        try:
            await self._run("delete", store, paths)
        except FileNotFoundError:  # others delete the same, and the rest was not tried
            for path in paths if len(paths) > 1 else ():
                await self._deleted(store, [path])

    async def _listed(self, store: int, place: str) -> Sequence[Any]:
        def listed() -> Sequence[Any]:
            return list(self._library.list(self._stores[store], place).collect())

        return list(await self._blocking(listed))

    async def _run(self, what: str, store: int, path: str | Sequence[str], *more: Any, **options: Any) -> Any:
        def work() -> Any:
            if what == "sign":
                return self._library.sign(self._stores[store], path, *more, **options)
            return getattr(self._library, what)(self._stores[store], path, *more, **options)

        self._at(store)
        return await self._blocking(work)

    async def _blocking(self, work: Any, *arguments: Any) -> Any:
        try:
            return await in_own_thread(work, *arguments)
        except FileNotFoundError:
            raise
        except self._library.exceptions.AlreadyExistsError as error:
            raise FileExistsError(str(error)) from error
        except Exception as error:
            # The rest of the library's text is for its developers.
            detail = str(error).partition("\n")[0][:300]
            raise ObjectStoreError(f"the object store does not answer: {type(error).__name__}: {detail}") from error

    def _at(self, store: int) -> str:
        """Return the address of a store. Raises ObjectStoreError: it is not known here."""
        if not 0 <= store < len(self._urls):
            raise ObjectStoreError(f"OBJECT_STORE_URL has no address for store {store}: add it again, after the others")
        return self._urls[len(self._urls) - 1 - store]

    @cached_property
    def _library(self) -> Any:
        import obstore  # noqa: PLC0415 - few deployments have one
        import obstore.exceptions  # noqa: PLC0415 - as above

        return obstore

    @cached_property
    def _stores(self) -> "dict[int, Any]":
        return {number: self._opened(self._at(number)) for number in range(len(self._urls))}

    def _opened(self, url: str) -> Any:
        from obstore.store import LocalStore, from_url  # noqa: PLC0415 - as above

        if url.startswith("file:"):
            return LocalStore.from_url(url, mkdir=True, automatic_cleanup=True)
        options: dict[str, Any] = dict(self._options)
        connection = {name: options.pop(name) for name in sorted(options) if name in _OF_CONNECTION}
        connection = {"timeout": f"{self._work_seconds}s"} | connection
        opening: Any = from_url
        return opening(url, config=options, client_options=connection, retry_config=self._retries)


class ResealedObjects(Objects):
    """The same for `baton keys reseal`, which alone writes over what is there."""

    async def refs(self, place: str) -> Sequence[str]:
        stores = range(len(self._urls))
        return [f"{store}/{one['path']}" for store in stores for one in await self._listed(store, place)]

    async def reseal(self, ref: str, tenant: str) -> bool:
        """Seal an object by the key that seals now, under the name that it has; return whether it was sealed otherwise.

        Where no key seals it stays: plain objects are named by their content. Raises PayloadGoneError.
        """
        of, current = ref_of(ref), f"{SEALED}{self._sealing.first}:".encode()
        await self._sealing.ready()
        head = await self._bytes(await self._got(ref, (0, HEAD_BYTES + len(current))))
        if not self._sealing.first or head[HEAD_BYTES:] == current:
            return False
        data = sealed_object(self._sealing, tenant, of.name, await self.get(ref))
        await self._run("put", of.store, of.path, data, mode="overwrite")
        return True
