"""From a filter's text to its meaning (the grammar of vector-rest.md 7, one method for each rule).

Keywords are told from fields by their place, so a field may be called `field` or `contains`. Invariant: every character
is part of a token or a blank, else the text is refused with the place named.
"""

import re
from dataclasses import dataclass
from enum import Enum

from baton_local.vector.core.filter.glob import GlobError, parse_glob
from baton_local.vector.core.filter.syntax import (
    AllOf,
    AnyOf,
    Comparison,
    Contains,
    Filter,
    Glob,
    HasField,
    In,
    Literal,
    Path,
    parse_path,
)

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<word>[A-Za-z_][A-Za-z_0-9.\[\]\#-]*)
    | (?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])
    | (?P<string>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<symbol>!=|<=|>=|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_INTEGER = re.compile(r"[+-]?\d+\Z")
_SHOWN_CHARACTERS = 20


class FilterError(ValueError):
    """The filter cannot be understood; the text says where."""


class Kind(Enum):
    """What a token is."""

    WORD = "word"
    NUMBER = "number"
    STRING = "string"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `text` as written."""

    kind: Kind
    text: str

    def is_symbol(self, text: str) -> bool:
        """Return whether it is this operator or sign."""
        return self.kind is Kind.SYMBOL and self.text == text

    def is_word(self, *keywords: str) -> bool:
        """Return whether it is one of these keywords, in any case."""
        return self.kind is Kind.WORD and self.text.upper() in keywords

    def shown(self) -> str:
        """Return the token as an error message names it."""
        return "the end" if self.kind is Kind.END else repr(self.text)


def tokens_of(text: str) -> list[Token]:
    """Return the tokens, and an END behind them."""
    tokens: list[Token] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        found = _TOKEN.match(text, position)
        if found is None or found.lastgroup is None:
            shown = text[position:].lstrip()[:_SHOWN_CHARACTERS]
            raise FilterError(f"cannot be read from {shown!r} on")
        tokens.append(Token(Kind(found.lastgroup), found[found.lastgroup]))
        position = found.end()
    tokens.append(Token(Kind.END, ""))
    return tokens


def literal_of(token: Token) -> Literal | None:
    """Return the value that a token writes; None if it is no literal."""
    if token.kind is Kind.STRING:
        quote = token.text[0]
        return token.text[1:-1].replace(quote * 2, quote)
    if token.kind is Kind.NUMBER:
        return _number(token.text)
    if token.is_word("TRUE", "FALSE"):
        return token.is_word("TRUE")
    return None


def _number(text: str) -> int | float:
    if not _INTEGER.match(text):
        return float(text)
    try:
        return int(text)
    except ValueError:  # Python refuses to convert thousands of digits
        raise FilterError(f"has a number of {len(text)} digits") from None


_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
_MAX_DEPTH = 100


def parse_filter(text: str) -> Filter | None:
    """Return the filter that a text writes; None for an empty one.

    Raises:
        FilterError: the text is not of the grammar.
    """
    if not text.strip():
        return None
    return _Parser(tokens_of(text)).whole()


class _Parser:
    """One pass over the tokens."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    def whole(self) -> Filter:
        """Return the filter, and nothing behind it."""
        found = self._any_of()
        if self._next.kind is not Kind.END:
            raise FilterError(f"has {self._next.shown()} where AND, OR or the end belongs")
        return found

    @property
    def _next(self) -> Token:
        return self._tokens[self._position]

    def _take(self) -> Token:
        token = self._tokens[self._position]
        if token.kind is not Kind.END:
            self._position += 1
        return token

    def _take_word(self, keyword: str) -> bool:
        """Take the keyword if it is next."""
        found = self._next.is_word(keyword)
        self._position += found
        return found

    def _expect(self, symbol: str) -> None:
        token = self._take()
        if not token.is_symbol(symbol):
            raise FilterError(f"has {token.shown()} where {symbol!r} belongs")

    def _any_of(self) -> Filter:
        parts = [self._all_of()]
        while self._take_word("OR"):
            parts.append(self._all_of())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all_of(self) -> Filter:
        parts = [self._unary()]
        while self._take_word("AND"):
            parts.append(self._unary())
        return parts[0] if len(parts) == 1 else AllOf(tuple(parts))

    def _unary(self) -> Filter:
        if not self._next.is_symbol("("):
            return self._predicate()
        self._take()
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise FilterError(f"has more than {_MAX_DEPTH} parentheses inside each other")
        inner = self._any_of()
        self._depth -= 1
        self._expect(")")
        return inner

    def _predicate(self) -> Filter:
        first = self._take()
        if first.is_word("HAS") and self._next.is_word("NOT", "FIELD"):
            return self._has_field()
        path = self._path(first)
        if self._next.kind is Kind.SYMBOL and self._next.text in _COMPARISONS:
            return Comparison(path, self._take().text, self._literal())
        negated = self._take_word("NOT")
        operator = self._take()
        if operator.is_word("IN"):
            return In(path, self._list(), negated)
        if operator.is_word("CONTAINS"):
            return Contains(path, self._literal(), negated)
        if operator.is_word("GLOB"):
            return self._glob(path, negated=negated)
        raise FilterError(f"has {operator.shown()} where an operator belongs, after {first.shown()}")

    def _has_field(self) -> HasField:
        negated = self._take_word("NOT")
        if not self._take_word("FIELD"):
            raise FilterError(f"has {self._next.shown()} where FIELD belongs")
        return HasField(self._path(self._take()), negated)

    def _path(self, token: Token) -> Path:
        path = parse_path(token.text) if token.kind is Kind.WORD else None
        if path is None:
            raise FilterError(f"has {token.shown()} where a field belongs")
        return path

    def _literal(self) -> Literal:
        token = self._take()
        literal = literal_of(token)
        if literal is None:
            raise FilterError(f"has {token.shown()} where a string, a number or a boolean belongs")
        return literal

    def _list(self) -> tuple[Literal, ...]:
        self._expect("(")
        literals = [self._literal()]
        while self._next.is_symbol(","):
            self._take()
            literals.append(self._literal())
        self._expect(")")
        return tuple(literals)

    def _glob(self, path: Path, *, negated: bool) -> Glob:
        token = self._take()
        pattern = literal_of(token)
        if not isinstance(pattern, str):
            raise FilterError(f"has {token.shown()} where the string of GLOB belongs")
        try:
            return Glob(path, parse_glob(pattern), negated)
        except GlobError as error:
            raise FilterError(f"cannot be read: {error}") from error
