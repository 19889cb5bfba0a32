"""When the next attempt happens (qstash.md 10): the destination's header, then the expression, then the default.

The expression of `Upstash-Retry-Delay` is parsed at publish and evaluated before each retry. Grammar:
    expr  := term (('+'|'-') term)*          power := atom ('^' unary)?
    term  := unary (('*'|'/'|'%') unary)*    atom  := NUMBER | 'retried' | FUNC '(' expr (',' expr)* ')' | '(' expr ')'
    unary := '-' unary | power

Invariant: evaluation never raises and always gives 0 to one day in milliseconds, whatever the expression.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from email.utils import parsedate_to_datetime
from functools import lru_cache

from baton_local.qstash.core.answer import bad_request
from baton_local.qstash.core.limits import parse_fine_duration_ms

ONE_DAY_MS = 86_400_000
_MAX_LENGTH = 500
_MAX_DEPTH = 40

Expression = Callable[[float], float]

_TOKEN = re.compile(r"\s*(?:([0-9]+(?:\.[0-9]*)?|\.[0-9]+)|([A-Za-z]+)|([-+*/%^(),]))")


def _guarded(function: Callable[..., float]) -> Callable[..., float]:
    """Wrap a function in machine arithmetic: overflow is infinite, undefined is NaN; nothing raises."""

    def call(*values: float) -> float:
        try:
            return function(*values)
        except OverflowError:
            return math.inf
        except (ValueError, ZeroDivisionError):
            return math.nan

    return call


def _divide(left: float, right: float) -> float:
    if right == 0:
        return math.nan if left == 0 else math.copysign(math.inf, left)
    return left / right


def _whole(rounder: Callable[[float], int]) -> Callable[[float], float]:
    return lambda value: value if math.isinf(value) else float(rounder(value))


_FUNCTIONS: dict[str, tuple[int, Callable[..., float]]] = {
    "pow": (2, _guarded(math.pow)),
    "sqrt": (1, _guarded(math.sqrt)),
    "abs": (1, _guarded(math.fabs)),
    "exp": (1, _guarded(math.exp)),
    "floor": (1, _guarded(_whole(math.floor))),
    "ceil": (1, _guarded(_whole(math.ceil))),
    "round": (1, _guarded(_whole(lambda value: math.floor(value + 0.5)))),
    "min": (2, lambda *values: min(values)),
    "max": (2, lambda *values: max(values)),
}
_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": _divide,
    "%": _guarded(math.fmod),
    "^": _guarded(math.pow),
}


class _Parser:
    """Recursive descent over one expression; raises ValueError with what is wrong."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._position = 0
        self._depth = 0

    def parse(self) -> Expression:
        expression = self._expression()
        if self._peek():
            raise ValueError(f"unexpected {self._peek()!r}")
        return expression

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self, expected: str = "") -> str:
        token = self._peek()
        if not token or (expected and token != expected):
            raise ValueError(f"expected {expected or 'a value'!r}, found {token or 'the end'!r}")
        self._position += 1
        return token

    def _expression(self) -> Expression:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/", "%"), self._unary))

    def _chain(self, operators: tuple[str, ...], operand: Callable[[], Expression]) -> Expression:
        left = operand()
        while self._peek() in operators:
            left = _binary(_OPERATORS[self._take()], left, operand())
        return left

    def _unary(self) -> Expression:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ValueError(f"nested deeper than {_MAX_DEPTH}")
        try:
            if self._peek() == "-":
                self._take()
                inner = self._unary()
                return lambda retried: -inner(retried)
            base = self._atom()
            if self._peek() == "^":
                self._take()
                return _binary(_OPERATORS["^"], base, self._unary())
            return base
        finally:
            self._depth -= 1

    def _atom(self) -> Expression:
        atom = self._take()
        if atom[0].isdigit() or atom[0] == ".":
            number = float(atom)
            return lambda _retried: number
        if atom == "retried":
            return lambda retried: retried
        if atom == "(":
            inner = self._expression()
            self._take(")")
            return inner
        return self._call(atom)

    def _call(self, name: str) -> Expression:
        if name not in _FUNCTIONS:
            raise ValueError(f"unknown name {name!r}")
        count, function = _FUNCTIONS[name]
        self._take("(")
        arguments = [self._expression()]
        while self._peek() == ",":
            self._take()
            arguments.append(self._expression())
        self._take(")")
        if len(arguments) != count:
            raise ValueError(f"{name} takes {count} argument(s), not {len(arguments)}")
        return lambda retried: function(*(argument(retried) for argument in arguments))


def _binary(operator: Callable[[float, float], float], left: Expression, right: Expression) -> Expression:
    return lambda retried: operator(left(retried), right(retried))


def _tokens(text: str) -> list[str]:
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"longer than {_MAX_LENGTH} characters")
    tokens, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"unexpected {text[position:].lstrip()[:1]!r}")
        tokens.append(match.group().strip())
        position = match.end()
    return tokens


@lru_cache(maxsize=1_024)
def _compiled(text: str) -> Expression:
    return _Parser(text).parse()


def check_retry_delay(text: str, field: str) -> str:
    """Check that the text is a valid expression, and return it; 400 naming the field otherwise."""
    try:
        _compiled(text)
    except ValueError as error:
        raise bad_request(
            f"{field}: {text[:80]!r} is not a valid expression ({error}); use numbers, 'retried', + - * / %, "
            f"and {', '.join(sorted(_FUNCTIONS))}"
        ) from error
    return text


def retry_delay_ms(text: str, retried: int) -> int:
    """Return the milliseconds before the next retry, after `retried` ones: negative or NaN is 0, at most a day."""
    value = _compiled(text)(float(retried))
    if math.isnan(value) or value <= 0:
        return 0
    return int(min(value, ONE_DAY_MS))


# First present wins (qstash.md 10, rule 2).
_HEADERS = ("Retry-After", "X-Ratelimit-Reset", "X-Ratelimit-Reset-Requests", "X-Ratelimit-Reset-Tokens")
_SECONDS = re.compile(r"-?[0-9]{1,15}")
_DEFAULT_CAP_SECONDS = 86_400
_DEFAULT_CAPPED_FROM = 5  # e^12.5 seconds is already more than the cap


def next_delay_ms(expression: str | None, retried: int, headers: Mapping[str, Sequence[str]], now_ms: int) -> int:
    """Return the milliseconds to the next attempt; `retried` counts retries made (0 after the first attempt)."""
    wanted = _wanted_by_destination(headers, now_ms)
    if wanted is not None:
        return wanted
    if expression is not None:
        return retry_delay_ms(expression, retried)
    return default_delay_ms(retried + 1)


def default_delay_ms(retry: int) -> int:
    """Return the default backoff before retry 1, 2, 3 …: min(86400, e^(2.5 n)) whole seconds."""
    if retry >= _DEFAULT_CAPPED_FROM:
        return _DEFAULT_CAP_SECONDS * 1_000
    return math.floor(math.exp(2.5 * retry)) * 1_000


def _wanted_by_destination(headers: Mapping[str, Sequence[str]], now_ms: int) -> int | None:
    for name in _HEADERS:
        for value in headers.get(name, ())[:1]:
            delay_ms = _parse(value.strip(), now_ms)
            if delay_ms is not None and delay_ms <= ONE_DAY_MS:  # more than a day is ignored
                return max(0, delay_ms)
    return None


def _parse(value: str, now_ms: int) -> int | None:
    if _SECONDS.fullmatch(value):
        return int(value) * 1_000
    duration_ms = parse_fine_duration_ms(value)
    if duration_ms is not None:
        return math.ceil(duration_ms)
    try:
        return math.ceil(parsedate_to_datetime(value).timestamp() * 1_000) - now_ms
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
