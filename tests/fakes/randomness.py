"""Randomness that counts."""


class FakeRandomness:
    """`Randomness` that counts: a token ending in 1, then in 2, and so on."""

    def __init__(self) -> None:
        self.count = 0

    def token(self) -> str:
        self.count += 1
        return f"token{self.count:019d}"
