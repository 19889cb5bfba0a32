"""API keys in memory."""

from msgspec.structs import replace

from baton.storage.ports.access import StoredKey
from baton_events.errors import StoreError


class FakeApiKeyStore:
    """`ApiKeyStore` over a dict. `checks`: how often a key was looked up; `down`: raised instead of an answer."""

    def __init__(self) -> None:
        self.keys: dict[str, StoredKey] = {}
        self.checks = 0
        self.down: StoreError | None = None

    async def add(self, key: StoredKey) -> None:
        self._answer()
        self.keys[key.digest] = key

    async def find(self, digest: str) -> StoredKey | None:
        self._answer()
        self.checks += 1
        return self.keys.get(digest)

    async def all(self) -> tuple[StoredKey, ...]:
        self._answer()
        return tuple(sorted(self.keys.values(), key=lambda key: (key.created_ms, key.digest)))

    async def revoke(self, digest: str) -> bool:
        self._answer()
        return self.keys.pop(digest, None) is not None

    async def used(self, digest: str, day: str) -> None:
        self._answer()
        if digest in self.keys:
            self.keys[digest] = replace(self.keys[digest], used_day=day)

    def _answer(self) -> None:
        if self.down:
            raise self.down
