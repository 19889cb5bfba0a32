"""Patterns of GLOB: `*`, `?`, `[abc]`, `[a-z]`, `[^abc]`; case sensitive, the whole value (vector-rest.md 7).

Matching takes time in proportion to pattern and text: no pattern of a caller can hold the server up, as a regular
expression made of it could. There is no escape; `]` right after `[` or `[^` stands for itself.
"""

from dataclasses import dataclass


class GlobError(ValueError):
    """The pattern is none; the text says why."""


@dataclass(frozen=True, slots=True)
class _OneOf:
    """One character out of ranges (or, negated, out of none of them)."""

    ranges: tuple[tuple[str, str], ...]
    negated: bool = False

    def takes(self, character: str) -> bool:
        return any(low <= character <= high for low, high in self.ranges) is not self.negated


_ANY = _OneOf((), negated=True)


@dataclass(frozen=True, slots=True)
class GlobPattern:
    """A parsed pattern; None stands for `*`."""

    tokens: tuple[_OneOf | None, ...]

    def matches(self, text: str) -> bool:
        """Return whether the whole text fits. On a mismatch only the last `*` can take more, so only it is kept."""
        at_token = at_character = 0
        star = resume = -1
        while at_character < len(text):
            token = self.tokens[at_token] if at_token < len(self.tokens) else _NOTHING
            if token is None:
                star, resume = at_token, at_character
                at_token += 1
            elif token.takes(text[at_character]):
                at_token += 1
                at_character += 1
            elif star < 0:
                return False
            else:
                resume += 1
                at_token, at_character = star + 1, resume
        return all(token is None for token in self.tokens[at_token:])


_NOTHING = _OneOf(())


def parse_glob(text: str) -> GlobPattern:
    """Return the pattern that a text writes."""
    tokens: list[_OneOf | None] = []
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "*":
            tokens.append(None)
        elif character == "?":
            tokens.append(_ANY)
        elif character == "[":
            one_of, position = _parse_class(text, position)
            tokens.append(one_of)
        else:
            tokens.append(_OneOf(((character, character),)))
    return GlobPattern(tuple(tokens))


def _parse_class(text: str, position: int) -> tuple[_OneOf, int]:
    """Return the class between `[`, just before the position, and its `]`; and where the pattern goes on."""
    negated = text[position : position + 1] == "^"
    position += negated
    end = text.find("]", position + 1)
    if end < 0:
        raise GlobError(f"the pattern {text!r} has a [ without a ]")
    ranges = []
    while position < end:
        if text[position + 1 : position + 2] == "-" and position + 2 < end:
            ranges.append((text[position], text[position + 2]))
            position += 3
        else:
            ranges.append((text[position], text[position]))
            position += 1
    return _OneOf(tuple(ranges), negated), end + 1
