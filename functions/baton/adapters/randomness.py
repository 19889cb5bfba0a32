"""Real randomness: the one place that makes random ids."""

import os

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_CHARS = 24
# So many bits more than the characters hold that each is as likely as the others.
_BYTES = 24


class SystemRandomness:
    """`Randomness` of the operating system."""

    def token(self) -> str:
        """24 characters, about 124 bits; of one call to the system, which takes longer than all the rest."""
        number, chars = int.from_bytes(os.urandom(_BYTES)), []
        for _ in range(_CHARS):
            number, digit = divmod(number, len(_ALPHABET))
            chars.append(_ALPHABET[digit])
        return "".join(chars)
