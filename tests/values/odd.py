"""Any Python value, drawn by chance: what tools, models and handlers return by mistake, and what they raise.

`Drawn` draws the same values from the same seed. Invariant: each value is made anew, and drawing one raises nothing.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from json import dumps
from pathlib import PurePosixPath
from random import Random  # noqa: TID251 - its seed comes in as a value
from typing import Any
from uuid import UUID

from pydantic import BaseModel, SecretStr, computed_field, field_serializer

TEXTS = (
    "",
    "a",
    "é",
    "\ud800",
    "\udc00",
    "a\ud83d",
    "\ude00b",
    "\ud83d\ude00",
    "\0",
    "[",
    '{"a": 1}',
    "NaN",
    "x" * 5_000,
)
# Texts of JSON, and some that are none.
JSON = (
    *("NaN", "-Infinity", "1e999", "-0", "1" + "0" * 5_000, "null", "true", "[]", "{}", '{"a": 1, "a": 2}', "{"),
    *('"\\ud800"', '"\ud800"', '"\\u0000"', "\ufeff1", "[" * 3_000 + "]" * 3_000, '"' + "x" * 5_000 + '"'),
    '{"token": "sk-0123456789"}',
)
# The names by which Baton's own records say what an object is.
MARKS = ("$resultOf", "literal", "step", "path", "ok", "error", "kept", "apart", "sealed", "type", "$task")
WHOLE = (0, -1, 2**31, 2**53 + 1, 2**64, -(2**70), 10**30, 10**4_299, 10**5_000)
FLOATS = (0.5, -0.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf"))


class MuteError(Exception):
    """An error that cannot say what it is."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class Silent:
    """An object without JSON and without a text."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


class Broken(BaseModel):
    """A model that cannot be written."""

    amount: int = 1

    @field_serializer("amount")
    def _write(self, value: int) -> int:
        raise KeyError(value)


class Fits(BaseModel):
    """A model with a number that JSON may not hold, and with a field of its own making."""

    amount: float
    pin: SecretStr = SecretStr("4711")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def double(self) -> float:
        """Twice the amount."""
        return self.amount * 2


class Falls(BaseModel):
    """A model whose own field fails."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def ratio(self) -> float:
        """Nothing."""
        return 1 / 0


@dataclass
class Box:
    """Holds anything."""

    content: Any


class Color(Enum):
    """A name for a text."""

    RED = "red\ud800"


class Level(IntEnum):
    """A name for a number."""

    HIGH = 3


class Lying(str):
    """A text that refuses to be one."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no text")


def failing() -> Iterator[int]:
    yield 1
    raise LookupError("no more")


LEAVES: tuple[Callable[[], Any], ...] = (
    *(lambda: None, lambda: True, lambda: b"ok", lambda: b"\xff", lambda: bytearray(b"\xfe"), Silent, Broken, Falls),
    *(lambda: Color.RED, lambda: Level.HIGH, lambda: Lying("a"), lambda: Decimal("NaN"), lambda: Fraction(1, 3)),
    *(lambda: datetime(2026, 1, 2, tzinfo=UTC), lambda: date(1, 1, 1), lambda: timedelta.max, lambda: 1j),
    *(lambda: UUID(int=5), lambda: PurePosixPath("a"), lambda: SecretStr("4711"), lambda: range(3), lambda: int),
    *(failing, lambda: (item for item in "ab"), lambda: iter([1]), lambda: print, lambda: NotImplemented, lambda: ...),
    *(MuteError, lambda: ValueError("\ud800"), object),
)


class Drawn:
    """Draws values."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def any(self, depth: int = 3) -> Any:
        leaves: list[Callable[[], Any]] = [self.text, self.number, self.random.choice(LEAVES), self._fits]
        inner: list[Callable[[], Any]] = [
            lambda: Box(self.any(depth - 1)),
            self._nested,
            lambda: self.random.choice((list, tuple))(self.any(depth - 1) for _ in range(self.random.randrange(4))),
            lambda: self.object(depth),
        ]
        return self.random.choice(leaves + inner if depth else leaves)()

    def marked(self, depth: int = 3) -> Any:
        """Draw JSON that looks like a record of Baton's, or nearly so."""
        if depth == 0 or self.random.random() < 0.2:
            return self.random.choice((None, True, 1, "a", "file", "sealed:a:b", [], ["a", 0], {}))
        if self.random.random() < 0.2:
            return [self.marked(depth - 1) for _ in range(2)]
        names = self.random.sample(MARKS, self.random.choice((1, 1, 2)))
        return {name: self.marked(depth - 1) for name in names}

    def picked(self, usual: Any) -> Any:
        """Draw the usual value, or seldom any."""
        return self.any() if self.random.random() < 0.3 else usual

    def _fits(self) -> Fits:
        return Fits(amount=float(self.random.choice(FLOATS)))

    def object(self, depth: int = 2) -> Any:
        """Draw an object, whose names may be no texts."""
        names = [self.random.choice((self.text, self.number, lambda: None, lambda: True))() for _ in range(3)]
        kind = self.random.choice((dict, OrderedDict))
        return kind((name, self.any(depth - 1)) for name in names[: self.random.randrange(4)])

    def text(self) -> str:
        return "".join(self.random.choice(TEXTS) for _ in range(self.random.randrange(4)))

    def number(self) -> float:
        return self.random.choice((*WHOLE, *FLOATS))

    def json(self, depth: int = 2) -> str:
        """Draw a text that is JSON, or nearly so."""
        if depth == 0 or self.random.random() < 0.4:
            return self.random.choice((*JSON, dumps(self.text())))
        inner = [self.json(depth - 1) for _ in range(self.random.randrange(4))]
        if self.random.random() < 0.5:
            return f"[{', '.join(inner)}]"
        return f"{{{', '.join(f'{dumps(self.text())}: {one}' for one in inner)}}}"

    def error(self) -> BaseException:
        """Draw an error, maybe with a cause, or a group of them."""
        kinds: tuple[Callable[[], BaseException], ...] = (
            *(MuteError, StopIteration, StopAsyncIteration, MemoryError, RecursionError, SystemExit, GeneratorExit),
            *(
                lambda: ValueError(self.text()),
                lambda: OSError(self.number(), self.text()),
                lambda: KeyError(self.any()),
            ),
            lambda: ExceptionGroup("several", [ValueError(self.text()), MuteError()]),
            lambda: BaseExceptionGroup("several", [KeyboardInterrupt()]),
            lambda: UnicodeEncodeError("utf-8", "\ud800", 0, 1, self.text()),
        )
        error = self.random.choice(kinds)()
        if self.random.random() < 0.3:
            error.__cause__ = MuteError()
        if self.random.random() < 0.3:
            error.add_note(self.text())
        return error

    def _nested(self) -> Any:
        value: Any = self.any(0)
        for _ in range(self.random.choice((50, 99, 150, 3_000))):
            value = [value] if self.random.random() < 0.5 else {"a": value}
        return value
