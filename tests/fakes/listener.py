"""A `Listener` that keeps what it hears."""


class FakeListener:
    """`write`: what was said since the beginning, or since what was said before was withdrawn."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.withdrawals = 0

    @property
    def text(self) -> str:
        """What stands now."""
        return "".join(self.received)

    async def write(self, text: str) -> None:
        """Keep it."""
        self.received.append(text)

    async def withdrawn(self) -> None:
        """Forget it."""
        self.received.clear()
        self.withdrawals += 1
