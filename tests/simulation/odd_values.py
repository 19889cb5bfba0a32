"""What tools and models of odd worlds do that cannot be written down, and how such a call or turn must then end.

Each kind has a name, by which a script asks for it (`how`). The values are those of tests/values, in a world that
also crashes. `SENT`: arguments that a model sends, with what the tool must receive.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from baton.sdk.models.model import ModelError
from baton.sdk.tools.pending import Pending, RunAgain
from baton.sdk.tools.tool_error import ToolError
from tests.values.odd import Broken, Drawn, Falls, MuteError, Silent

_NAN, _NEVER, _AGES_SECONDS = float("nan"), float("inf"), 3e9


@dataclass(frozen=True, slots=True)
class Odd:
    """`does`: gives what an attempt returns, or raises, by its call's number. `error`: how its call ends for that.

    `again`: it is tried again; at most `most` attempts of a call do so.
    """

    error: str
    does: Callable[[int], Any]
    again: bool = False
    most: int = 10


def _raise(error: BaseException) -> Any:
    raise error


def _busy(wait: Any) -> Callable[[int], Any]:
    return lambda _: _raise(ToolError("busy", retryable=True, retry_after_seconds=wait))


ODD_CALLS = {
    "odd mute": Odd("MuteError", lambda _: _raise(MuteError())),
    "odd exit": Odd("SystemExit", lambda _: _raise(SystemExit("\ud800"))),
    "odd stop": Odd("RuntimeError", lambda _: _raise(StopIteration())),
    "odd nothing": Odd("ToolError", lambda _: _raise(ToolError(None))),  # type: ignore[arg-type]
    "odd halves": Odd("ToolError", lambda _: _raise(ToolError("a\ud83d"))),
    "odd long": Odd("ToolError", lambda _: _raise(ToolError("x" * 1_000_000))),
    "odd drawn": Odd("ToolError", lambda number: _raise(ToolError(Drawn(number).any()))),
    "odd nan": Odd("unrecordable", lambda number: {"number": number, "price": [_NAN]}),
    "odd digits": Odd("unrecordable", lambda _: 10**5_000),
    "odd silent": Odd("unrecordable", lambda _: [Silent()]),
    "odd broken": Odd("unrecordable", lambda _: Broken()),
    "odd falls": Odd("unrecordable", lambda _: {"falls": Falls()}),
    "odd names": Odd("unrecordable", lambda _: {1: 1, "1": 2}),
    "odd much": Odd("result_too_large", lambda _: "x" * 1_000_000),
    "odd memo": Odd("unrecordable", lambda _: RunAgain(memo={"ran": _NAN})),
    "odd otherwise": Odd("unrecordable", lambda _: Pending(timeout_seconds=1, otherwise=Silent())),
    "odd never": Odd("ToolError", _busy(_NEVER), again=True),
    "odd ages": Odd("ToolError", _busy(_AGES_SECONDS), again=True, most=1),
    "odd past": Odd("ToolError", _busy(-1e400), again=True),
    "odd soon": Odd("ToolError", _busy("soon\ud800"), again=True),
    "odd again": Odd("ValueError", lambda _: RunAgain(memo={}, after_seconds=_NEVER), again=True),
    "odd pending": Odd("ValueError", lambda _: Pending(timeout_seconds=_NAN), again=True),
}
ODD_TURNS = {
    "odd mute": Odd("model_error", lambda _: _raise(MuteError())),
    "odd exit": Odd("model_error", lambda _: _raise(SystemExit())),
    "odd silent": Odd("invalid_answer", lambda _: Silent()),
    "odd form": Odd("invalid_answer", lambda _: {"text": "?", "input_tokens": _NAN}),
    "odd halves": Odd("model_error", lambda _: _raise(ModelError("a\ud83d", retryable=True))),
    "odd waits": Odd(
        "model_error",
        lambda turn: _raise(
            ModelError(None, retryable=True, retry_after_seconds=(_NEVER, "soon", _NAN, -1.0)[turn % 4])  # type: ignore[arg-type]
        ),
    ),
}


def _nested(levels: int) -> Any:
    value: Any = 0
    for _ in range(levels):
        value = [value]
    return value


_SAME: tuple[Any, ...] = (
    *(2**64, -(10**30), 2**53 + 1, 1e308, 5e-324, -0.0, 1, 1.0, True, None, "1", "", "NaN", "\0", "[", '{"a": 1}'),
    *([], {}, [[], {}], {"": {"": None}}, [1, 1.0, True, None, "1"], _nested(90)),
)
SENT: tuple[tuple[Any, Any], ...] = (
    *((value, value) for value in _SAME),
    *(("\ud83d" + "\ude00", "\U0001f600"), ("a\ud83d", "a\ufffd"), ({"\udc00": ["\ud800b"]}, {"\ufffd": ["\ufffdb"]})),
)
