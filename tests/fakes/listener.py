"""A `Listener` that keeps what it hears."""


class FakeListener:
    """`said`: what was said since the beginning, or since what was said before was withdrawn."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.withdrawals = 0

    @property
    def text(self) -> str:
        """What stands now."""
        return "".join(self.heard)

    async def said(self, text: str) -> None:
        """Keep it."""
        self.heard.append(text)

    async def withdrawn(self) -> None:
        """Forget it."""
        self.heard.clear()
        self.withdrawals += 1
