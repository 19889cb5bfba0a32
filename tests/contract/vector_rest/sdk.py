"""The official Python SDK, sync or async, behind one way of calling it, so that each test runs with both."""

from typing import Any

from upstash_vector import AsyncIndex, Index

from tests.contract.vector_rest.local_vector import TOKEN


class Sdk:
    """One client; `await sdk.run("fetch", ["id"])` whichever it is."""

    def __init__(self, kind: str, url: str, token: str = TOKEN, retries: int = 0) -> None:
        make: Any = Index if kind == "sync" else AsyncIndex
        self.kind = kind
        self._client: Any = make(url, token, retries=retries, retry_interval=0.01)

    async def run(self, name: str, /, *arguments: Any, **options: Any) -> Any:
        """Call a method of the client."""
        return await self.settled(getattr(self._client, name)(*arguments, **options))

    async def settled(self, outcome: Any) -> Any:
        """The outcome of a call, which async clients give later."""
        return await outcome if self.kind == "async" else outcome

    async def close(self) -> None:
        """End the client's connections."""
        if self.kind == "async":
            await self._client._client.aclose()
        else:
            self._client._client.close()
