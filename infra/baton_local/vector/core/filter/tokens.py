"""A filter's text in words: identifiers and keywords, literals, operators.

Invariant: every character is part of a token or a blank, else the text is refused with the place named.
"""

import re
from dataclasses import dataclass
from enum import Enum

from baton_local.vector.core.filter.syntax import Literal

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
        """Whether it is this operator or sign."""
        return self.kind is Kind.SYMBOL and self.text == text

    def is_word(self, *keywords: str) -> bool:
        """Whether it is one of these keywords, in any case."""
        return self.kind is Kind.WORD and self.text.upper() in keywords

    def shown(self) -> str:
        """The token as an error message names it."""
        return "the end" if self.kind is Kind.END else repr(self.text)


def tokens_of(text: str) -> list[Token]:
    """The tokens, and an END behind them."""
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
    """The value that a token writes; None if it is no literal."""
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
