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
        """Know a key from now on."""
        self._answer()
        self.keys[key.digest] = key

    async def find(self, digest: str) -> StoredKey | None:
        """The key of this digest."""
        self._answer()
        self.checks += 1
        return self.keys.get(digest)

    async def all(self) -> tuple[StoredKey, ...]:
        """Every key, the oldest first."""
        self._answer()
        return tuple(sorted(self.keys.values(), key=lambda key: (key.created_ms, key.digest)))

    async def revoke(self, digest: str) -> bool:
        """Forget a key."""
        self._answer()
        return self.keys.pop(digest, None) is not None

    async def used(self, digest: str, day: str) -> None:
        """Note that a key was used on this day."""
        self._answer()
        if digest in self.keys:
            self.keys[digest] = replace(self.keys[digest], used_day=day)

    def _answer(self) -> None:
        if self.down:
            raise self.down
