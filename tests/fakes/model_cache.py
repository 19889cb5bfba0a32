"""The model cache in memory."""

from baton.clock import Clock
from baton_events.errors import StoreError


class FakeModelCache:
    """`ModelCache` over a dict. `requests`: what it was asked; `down`: what is raised instead of an answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[str, int]] = {}
        self.requests: list[str] = []
        self.down: StoreError | None = None

    async def get(self, tenant: str, key: str) -> str | None:
        self._request("get")
        text, expires_ms = self._kept.get((tenant, key), ("", 0))
        return text if expires_ms > self._clock.now_ms() else None

    async def put(self, tenant: str, key: str, text: str, seconds: int) -> None:
        self._request("put")
        self._kept[tenant, key] = (text, self._clock.now_ms() + seconds * 1000)

    def _request(self, what: str) -> None:
        self.requests.append(what)
        if self.down:
            raise self.down
