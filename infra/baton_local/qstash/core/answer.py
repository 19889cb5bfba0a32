"""What a command answers: a status and a JSON value (None: an empty body)."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP answer, before it is put on the wire."""

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
