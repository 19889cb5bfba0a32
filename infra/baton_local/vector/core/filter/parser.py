"""From a filter's text to its meaning (the grammar of vector-rest.md 7, one method for each rule).

Keywords are told from fields by their place, so a field may be called `field` or `contains`.
"""

from baton_local.vector.core.filter.glob import GlobError, parse_glob
from baton_local.vector.core.filter.path import Path, parse_path
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
)
from baton_local.vector.core.filter.tokens import FilterError, Kind, Token, literal_of, tokens_of

_COMPARISONS = frozenset({"=", "!=", "<", "<=", ">", ">="})
_MAX_DEPTH = 100


def parse_filter(text: str) -> Filter | None:
    """The filter that a text writes; None for an empty one.

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
        """The filter, and nothing behind it."""
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
