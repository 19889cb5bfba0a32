"""A `Listener` that keeps what it hears."""


class FakeListener:
    """`write`: what was said since the beginning, or since what was said before was withdrawn."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.withdrawals = 0

    @property
    def text(self) -> str:
        return "".join(self.received)

    async def write(self, text: str) -> None:
        self.received.append(text)

    async def withdrawn(self) -> None:
        self.received.clear()
        self.withdrawals += 1
