"""The official SDK, synchronous or asynchronous, behind one way to call it: `await sdk.message.publish(...)`."""

from typing import Any

from qstash import AsyncQStash, QStash

from tests.contract.coverage.either import Either


class EitherClient:
    """Calls of the synchronous one run in a thread."""

    def __init__(self, kind: str, token: str, url: str) -> None:
        make = QStash if kind == "sync" else AsyncQStash
        self._client: Any = make(token, base_url=url, retry=False)

    def __getattr__(self, name: str) -> Any:
        return Either(getattr(self._client, name), in_thread=isinstance(self._client, QStash))

    async def close(self) -> None:
        transport = self._client.http._client
        if isinstance(self._client, AsyncQStash):
            await transport.aclose()
        else:
            transport.close()
