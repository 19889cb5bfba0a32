"""The limits of a job, together with the jobs below it.

Checked before each turn, with the calls in flight, so a job overshoots at most by the excess of running model calls
over their estimates. What users declare as a number is stored as it is, and read again by every record and script.
"""

from dataclasses import replace
from datetime import timedelta
from operator import add, sub
from typing import TYPE_CHECKING, Any, Literal, cast

from msgspec import Struct, structs

from baton.sdk.records.record import Record
from baton_events.values.durations import Duration, Given, plain_seconds

if TYPE_CHECKING:  # it costs a hundred calls at each cold start
    from typing import TypeGuard

OnLimit = Literal["stop", "fail", "ask"]
# More is no exact number in JSON and in the store's scripts.
MOST = 2**53
# Money is counted in micro-dollars.
MOST_USD = 1_000_000_000
LEAST_USD = 0.000001
MOST_SECONDS = 10 * 366 * 86_400
FIRST_CALL_TOKENS = 1_000
_ON_LIMIT = ("stop", "fail", "ask")
_COUNTS = ("turns", "tool_calls", "tokens", "wall_seconds", "cost_usd")
_NUMBERS, _OF_MONEY = (int, float), ("cost_usd", "usd")


def is_number(value: object) -> "TypeGuard[float]":
    """Return whether it is a finite number, of Python's own types, and within `MOST`; True is none."""
    return type(value) in _NUMBERS and -MOST <= value <= MOST  # type: ignore[operator]


def is_whole(value: object) -> "TypeGuard[int]":
    """Return whether it is such a number, and whole by its type: 1e6 is none."""
    return type(value) is int and -MOST <= value <= MOST


class Limits(Record, frozen=True):
    """Limits of one job, shared with the jobs below it.

    They count from the submission on, and anew from each retry on.

    Attributes:
        turns: model calls that count as turns (retries of a failed model call do not).
        tool_calls: tool calls over all turns (attempts of one call count once).
        tokens: input plus output tokens over all model calls.
        cost_usd: model cost over all calls, in US dollars; None: no limit.
        wall_seconds: time since the job was submitted.
        depth: the number of levels of jobs below this one; 0: it starts no others.
        on_limit: `stop` ends it as completed with the best answer so far, or as failed where there is none; `fail`
            fails it, `ask` lets a person decide.
    """

    turns: int = 20
    tool_calls: int = 50
    tokens: int = 200_000
    cost_usd: float | None = None
    wall_seconds: Given[int | timedelta, int] = cast("Any", 86_400)
    depth: int = 3
    on_limit: OnLimit = "stop"

    def __post_init__(self) -> None:
        # Each step reads its job's limits: valid ones skip the checks one by one.
        turns, calls, tokens = self.turns, self.tool_calls, self.tokens
        seconds, depth, cost = self.wall_seconds, self.depth, self.cost_usd
        is_valid = (
            turns.__class__ is calls.__class__ is tokens.__class__ is seconds.__class__ is depth.__class__ is int
            and 0 < turns <= MOST
            and 0 < calls <= MOST
            and 0 < tokens <= MOST
            and 0 < seconds <= MOST_SECONDS
            and 0 <= depth <= MOST
            and (cost is None or (cost.__class__ in _NUMBERS and 0 < cost <= MOST_USD))
            and self.on_limit in _ON_LIMIT
        )
        if not is_valid:
            self._read_durations()
            if fault := self._fault():
                raise ValueError(f"Limits({fault}")

    def _read_durations(self) -> None:
        structs.force_setattr(self, "wall_seconds", plain_seconds(self.wall_seconds))

    def _fault(self) -> str:
        for name in _COUNTS:
            value = getattr(self, name)
            if not (value is None and name == "cost_usd") and (fault := limit_fault(name, value)):
                return f"{name}={value!r}): a limit is a positive number: {fault}"
        if not is_whole(self.depth) or self.depth < 0:
            return f"depth={self.depth!r}): 0 or more levels of jobs, as a whole number"
        return "" if self.on_limit in _ON_LIMIT else f"on_limit={self.on_limit!r}): one of 'stop', 'fail', 'ask'"


def limit_fault(name: str, value: object, above: float = 0) -> str:
    """Return what a limit of this name or unit has to be, where the value is no such number above `above`."""
    most = most_of(name)
    if name in _OF_MONEY:
        fits = is_number(value) and above < value <= most
        return "" if fits else f"a number over {above} and up to {most}"
    fits = is_whole(value) and above < value <= most
    return "" if fits else f"a whole number over {above} and up to {most}"


def most_of(name: str) -> int:
    """Return the most that a limit of this name, or a budget of this unit, may be."""
    return MOST_USD if name in _OF_MONEY else MOST_SECONDS if name == "wall_seconds" else MOST


def doubled(unit: str, value: float) -> float:
    """Return twice a limit, as far as one of its name or unit may be; a budget may have been set to 0."""
    return min(2 * value or 1, most_of(unit))


def within(own: Limits, parent: Limits, left_ms: int) -> Limits:
    """Return a child's own limits, inside its parent's: it is one level deeper, with the time that is left there."""
    left_seconds = max(1, -(-left_ms // 1000))
    depth = min(own.depth, parent.depth - 1)
    return replace(own, depth=depth, wall_seconds=min(own.wall_seconds, left_seconds))


class Used(Struct, frozen=True, omit_defaults=True):
    """A job's usage so far. `cached_calls`: answers from the cache, which are no model calls and cost nothing.

    `cached_input_tokens`: the input tokens that providers had in caches of their own.
    """

    turns: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    model_calls: int = 0
    cached_calls: int = 0
    cached_input_tokens: int = 0

    def __add__(self, other: "Used") -> "Used":
        return Used(*map(add, structs.astuple(self), structs.astuple(other)))

    def __sub__(self, other: "Used") -> "Used":
        return Used(*map(sub, structs.astuple(self), structs.astuple(other)))


NOTHING_USED_YET = Used()


class Spend(Struct, frozen=True, omit_defaults=True):
    """The usage that counts toward the limits shared by a job and the jobs below it."""

    turns: int = 0
    tool_calls: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


NOTHING_SPENT = Spend()


def spent(before: Used, after: Used) -> Spend:
    """Return the usage between the two."""
    return Spend(
        turns=after.turns - before.turns,
        tool_calls=after.tool_calls - before.tool_calls,
        tokens=after.input_tokens + after.output_tokens - before.input_tokens - before.output_tokens,
        cost_usd=after.cost_usd - before.cost_usd,
    )


def since(used: Used, before: Used) -> Used:
    """Return the usage that limits count, without the usage before."""
    return structs.replace(
        used,
        turns=used.turns - before.turns,
        tool_calls=used.tool_calls - before.tool_calls,
        input_tokens=used.input_tokens - before.input_tokens,
        output_tokens=used.output_tokens - before.output_tokens,
        cost_usd=used.cost_usd - before.cost_usd,
    )


def shared_use(used: Used, before: Used, child_usage: Spend, in_flight_tokens: int) -> Used:
    """Return the usage that limits count since `before`, with the jobs below and the calls in flight."""
    return Used(
        turns=used.turns - before.turns + child_usage.turns,
        tool_calls=used.tool_calls - before.tool_calls + child_usage.tool_calls,
        input_tokens=used.input_tokens - before.input_tokens + child_usage.tokens + in_flight_tokens,
        output_tokens=used.output_tokens - before.output_tokens,
        cost_usd=used.cost_usd - before.cost_usd + child_usage.cost_usd,
    )


def first_reserve(limits: Limits) -> int:
    """Estimate the tokens of a job's first model call; a later call is estimated by the one before."""
    return min(FIRST_CALL_TOKENS, limits.tokens // 10)


def exceeded(limits: Limits, used: Used, age_ms: int) -> str | None:
    """Return the name of the first limit that leaves no room for another turn; None while there is room."""
    if age_ms >= limits.wall_seconds * 1000:
        return "wall_seconds"
    if used.turns >= limits.turns:
        return "turns"
    if used.input_tokens + used.output_tokens >= limits.tokens:
        return "tokens"
    if limits.cost_usd is not None and used.cost_usd >= limits.cost_usd:
        return "cost_usd"
    return None


RUN_CODE = "run_code"
# Of Python's; a test tries whether the interpreter has each of them.
MODULES = (
    *("asyncio", "base64", "collections", "dataclasses", "datetime", "decimal", "functools", "hashlib", "itertools"),
    *("json", "math", "random", "re", "time", "typing"),
)
# More is no script any more, and a snapshot is written with each of its stretches.
CODE_LIMIT_BYTES, SNAPSHOT_LIMIT_BYTES = 64 * 1024, 512 * 1024
# All that a script hands over between two of its waits, its value too: as much as a model's answer may have.
HANDED_OVER_LIMIT_CHARS = 1_000_000


class CodeMode(Record, frozen=True):
    """The limits of a script, in code mode; it keeps those that it began with.

    Attributes:
        seconds: CPU time, of all that it does between its calls together.
        memory_mb: its memory, in MB.
        calls_at_once: the number of its calls that run at the same time.
        output_chars: the length of its printed output, which is cut, and of its value as JSON, which must fit.
    """

    seconds: Given[Duration, float] = cast("Any", 10.0)
    memory_mb: int = 64
    calls_at_once: int = 100
    output_chars: int = 16_000

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        structs.force_setattr(self, "seconds", plain_seconds(self.seconds))
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not (is_number(value) if name == "seconds" else is_whole(value)) or not value > 0:
                kind = "a number" if name == "seconds" else "a whole number"
                raise ValueError(f"CodeMode({name}=...) must be more than 0, {kind} up to {MOST}, got {value!r}")


def code_mode_of(given: "CodeMode | bool") -> CodeMode | None:
    """Return the limits that an agent's option stands for; None: its model calls tools one by one.

    Raises TypeError: it is no such option.
    """
    if isinstance(given, CodeMode):
        return given
    if not isinstance(given, bool):
        raise TypeError(f"code_mode must be True, False or CodeMode(...), got {given!r}")
    return CodeMode() if given else None
