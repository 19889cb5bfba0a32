"""How many bytes of a command, and of its answer, go over the wire.

Arguments after the command's name, and the texts of the answer; numbers, and what wraps all that, are not counted.
"""

from collections.abc import Sequence
from typing import Any


def command_bytes(command: Sequence[str | int]) -> int:
    """The arguments of a command."""
    return _text_bytes("".join(map(str, command[1:])))


def answer_bytes(answer: Any) -> int:
    """The texts of an answer."""
    if isinstance(answer, str):
        return _text_bytes(answer)
    if isinstance(answer, dict):
        return sum(answer_bytes(name) + answer_bytes(value) for name, value in answer.items())
    if isinstance(answer, list | tuple):
        return sum(map(answer_bytes, answer))
    return 0


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
