"""Callbacks in memory."""


class FakeCallbacks:
    """`Callbacks` that keeps what was sent: (URL, headers, body). `refusals`: what the next ones are refused with."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, str], bytes]] = []
        self.refusals: list[str] = []

    async def send(self, url: str, headers: dict[str, str], body: bytes) -> str:
        self.sent.append((url, headers, body))
        return self.refusals.pop(0) if self.refusals else ""
