"""Storable text: whatever a value or an error says of itself, as text that UTF-8 can hold.

Invariant: `storable` never raises, and returns any text that UTF-8 can hold unchanged. `text_of` never raises. Halves
of a surrogate pair that stand together are joined; one that stands alone becomes U+FFFD, the replacement character,
and counts. Must not: hide secrets, or know what a text is for.
"""

import re
from collections.abc import Iterator
from itertools import count

REPLACEMENT = "\ufffd"
_LONE = "[\ud800-\udfff]"  # compiled by its first use: few processes read such text
_FIRST_HALVES = ("\ud800", "\udbff")
# In JSON's text: half of a pair beside which no other half stands. Compiled by its first use, as above.
_LONE_ESCAPE = (
    rb"\\u(?:[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|[dD][c-fC-F][0-9a-fA-F]{2}(?<!\\u[dD][89abAB]..\\u....))"
)
_ESCAPES, _BACKSLASH = (b"\\ud", b"\\uD"), ord("\\")
# A text with more of them is no text of a person; it is refused where it is read.
_MOST_ESCAPES, _MOST_BACKSLASHES = 10_000, 100
_MOST_MEMBERS = 20  # of a group of errors
# The next of them is the number of characters that this process has replaced so far.
_replaced = count()


def is_storable(text: str) -> bool:
    """Return whether UTF-8 can hold the text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def storable(text: str) -> str:
    """Return the text with the halves of pairs joined, and every lone half replaced."""
    if text.__class__ is not str:
        text = str.__str__(text)
    if text.isascii() or is_storable(text):
        return text
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return re.sub(_LONE, lambda _: (next(_replaced), REPLACEMENT)[1], joined)


def storable_json(body: bytes) -> bytes:
    """Return a text of JSON whose texts are storable: each lone half of a pair is replaced."""
    if not any(escape in body for escape in _ESCAPES):
        return body
    return re.sub(_LONE_ESCAPE, _escape, body, count=_MOST_ESCAPES)


def _escape(found: "re.Match[bytes]") -> bytes:
    """Return what stands for an escape. After an odd number of backslashes it is none, but a text about one."""
    at = found.start()
    while at and found.start() - at < _MOST_BACKSLASHES and found.string[at - 1] == _BACKSLASH:
        at -= 1
    if (found.start() - at) % 2:
        return found[0]
    next(_replaced)
    return rb"\ufffd"


def replaced_chars() -> int:
    """Return how many characters this process has replaced."""
    return int(repr(_replaced)[len("count(") : -1])


def cut(text: str, limit_chars: int) -> str:
    """Return the text, storable, with at most `limit_chars` characters; an ellipsis says that there were more."""
    return storable(text[:limit_chars]) if len(text) <= limit_chars else f"{storable(text[: limit_chars - 1])}…"


def text_of(value: object) -> str:
    """Return what any value says of itself: `str(value)`, or its type where that fails. A text is itself.

    A group of errors says what each of them is, one a line; so does an error that was made of a group, in its words.
    """
    if isinstance(value, str):
        return storable(value)
    try:
        text = storable(str(value))
    except Exception as error:  # noqa: BLE001 - foreign code
        text = f"<a {type(value).__name__} without text: {type(error).__name__}>"
    group = value.__cause__ if isinstance(value, BaseException) and value.__cause__ else value
    if not isinstance(group, BaseExceptionGroup) or group.message not in text:
        return text
    return "\n".join((text, *(line for line in _lines_of(members_of(group)) if line not in text)))


def members_of(error: BaseException) -> list[BaseException]:
    """Return the errors that a group and the groups in it have; any other error is the only one."""
    found, rest = list[BaseException](), [error]
    while rest:
        one = rest.pop()
        if isinstance(one, BaseExceptionGroup):
            rest += reversed(BaseExceptionGroup.exceptions.__get__(one))  # whatever a subclass makes of it
        else:
            found.append(one)
    return found


def _lines_of(members: list[BaseException]) -> Iterator[str]:
    for one in members[:_MOST_MEMBERS]:
        text = " ".join(text_of(one).split())
        yield f"{type(one).__name__}: {text}" if text else type(one).__name__
    if len(members) > _MOST_MEMBERS:
        yield f"and {len(members) - _MOST_MEMBERS} more"


class Joiner:
    """Joins the halves of pairs over the pieces of one text.

    Invariant: the pieces it returns, and `rest` at the end, together equal `storable` of all the text.
    """

    def __init__(self) -> None:
        self._half = ""

    def next(self, piece: str) -> str:
        """Return what can be stored by now; a first half at the end waits for its second."""
        text = self._half + piece
        holds = bool(text) and _FIRST_HALVES[0] <= text[-1] <= _FIRST_HALVES[1]
        self._half = text[-1] if holds else ""
        return storable(text[:-1] if holds else text)

    def rest(self) -> str:
        """Return what still waited."""
        half, self._half = self._half, ""
        return storable(half)
