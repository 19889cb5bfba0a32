"""Real randomness: the one place that makes random ids."""

import secrets

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


class SystemRandomness:
    """`Randomness` of the operating system."""

    def token(self) -> str:
        """24 characters, about 124 bits."""
        return "".join(secrets.choice(_ALPHABET) for _ in range(24))
