"""Commands for sorted sets. Members of one score are in the order of their bytes, which is that of their characters."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from typing import Any

from upstash_redis.errors import UpstashError

from baton.store.redis.in_process.commands import Command, matches, span, whole
from baton.store.redis.in_process.data import Data, flag, number_text


class SortedSet:
    """Members with their scores, and both in order; it never changes."""

    __slots__ = ("order", "scores")

    def __init__(self, scores: dict[str, float], order: list[tuple[float, str]]) -> None:
        self.scores, self.order = scores, order

    def changed(self, changes: Mapping[str, float | None]) -> "SortedSet":
        """Return the set with these scores; None: without this member."""
        scores, order = self.scores.copy(), self.order.copy()
        for member, score in changes.items():
            before = scores.pop(member, None)
            if before is not None:
                del order[bisect_left(order, (before, member))]
            if score is not None:
                scores[member] = score
                insort(order, (score, member))
        return SortedSet(scores, order)

    def __len__(self) -> int:
        return len(self.scores)


_NOTHING = SortedSet({}, [])
_FLAGS = frozenset({"NX", "XX", "GT", "LT", "CH"})
_HIGHEST = chr(0x10FFFF) * 2


def _of(data: Data, key: str) -> SortedSet:
    return data.get(key, SortedSet, _NOTHING)


def _score(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UpstashError("ERR value is not a valid float") from None


def _zadd(data: Data, key: str, *words: str) -> int:
    count = next((at for at, word in enumerate(words) if word.upper() not in _FLAGS), len(words))
    options, flat, known = [word.upper() for word in words[:count]], words[count:], _of(data, key)
    changes: dict[str, float | None] = {}
    for text, member in zip(flat[::2], flat[1::2], strict=True):
        score, before = _score(text), changes.get(member, known.scores.get(member))
        if before is None:
            if "XX" not in options:
                changes[member] = score
        elif (
            "NX" not in options and (score > before or "GT" not in options) and (score < before or "LT" not in options)
        ):
            changes[member] = score
    if changes:
        data.put(key, known.changed(changes))
    counted = [member for member, score in changes.items() if "CH" in options and known.scores.get(member) != score]
    return len(counted or [member for member in changes if member not in known.scores])


def _zincrby(data: Data, key: str, much: str, member: str) -> str:
    known = _of(data, key)
    score = known.scores.get(member, 0.0) + _score(much)
    data.put(key, known.changed({member: score}))
    return number_text(score)


def _without(data: Data, key: str, members: Sequence[str]) -> int:
    known = _of(data, key)
    gone = [member for member in dict.fromkeys(members) if member in known.scores]
    if gone:
        data.put(key, known.changed(dict.fromkeys(gone)))
    return len(gone)


def _by_lex(known: SortedSet, first: str, last: str) -> slice:
    score = known.order[0][0] if known.order else 0.0
    at = [0, 0]
    for side, bound in enumerate((first, last)):
        if bound in ("-", "+"):
            at[side] = 0 if bound == "-" else len(known)
        elif bound[:1] in ("[", "("):
            behind = (bound[0] == "(") is (side == 0)
            at[side] = (bisect_right if behind else bisect_left)(known.order, (score, bound[1:]))
        else:
            raise UpstashError("ERR min or max not valid string range item")
    return slice(at[0], max(at))


def _by_score(known: SortedSet, first: str, last: str) -> slice:
    low, high = _score(first.lstrip("(")), _score(last.lstrip("("))
    begin = bisect_right(known.order, (low, _HIGHEST)) if first[0] == "(" else bisect_left(known.order, (low, ""))
    end = bisect_left(known.order, (high, "")) if last[0] == "(" else bisect_right(known.order, (high, _HIGHEST))
    return slice(begin, max(begin, end))


def _zrange(data: Data, key: str, first: str, last: str, *options: str) -> list[str]:
    known, words = _of(data, key), [option.upper() for option in options]
    is_reversed, by = "REV" in words, next((by for by in ("BYLEX", "BYSCORE") if by in words), "")
    bounds = (last, first) if is_reversed and by else (first, last)
    if by:
        found = known.order[(_by_lex if by == "BYLEX" else _by_score)(known, *bounds)]
        found = found[::-1] if is_reversed else found
    else:
        order = known.order[::-1] if is_reversed else known.order
        found = order[span(len(order), first, last)]
    if "LIMIT" in words:
        at = words.index("LIMIT")
        skipped, most = whole(options[at + 1]), whole(options[at + 2])
        found = found[skipped:] if most < 0 else found[skipped : skipped + most]
    if flag("WITHSCORES", words):
        return [text for score, member in found for text in (member, number_text(score))]
    return [member for _, member in found]


def _zpopmin(data: Data, key: str, count: str) -> list[str]:
    found = _zrange(data, key, "0", str(whole(count) - 1), "WITHSCORES")
    _without(data, key, found[::2])
    return found


def _removing(part: Any) -> Command:
    def remove(data: Data, key: str, first: str, last: str) -> int:
        known = _of(data, key)
        return _without(data, key, [member for _, member in known.order[part(known, first, last)]])

    return remove


def _zscan(data: Data, key: str, _cursor: str, *options: str) -> list[Any]:
    pattern = dict(zip(map(str.upper, options[::2]), options[1::2], strict=True)).get("MATCH", "*")
    found = [(member, number_text(score)) for score, member in _of(data, key).order if matches(member, pattern)]
    return ["0", [text for pair in found for text in pair]]


def _zmscore(data: Data, key: str, *members: str) -> list[str | None]:
    scores = _of(data, key).scores
    return [number_text(scores[member]) if member in scores else None for member in members]


COMMANDS: dict[str, Command] = {
    "ZADD": _zadd,
    "ZINCRBY": _zincrby,
    "ZPOPMIN": _zpopmin,
    "ZREM": lambda data, key, *members: _without(data, key, members),
    "ZCARD": lambda data, key: len(_of(data, key)),
    "ZCOUNT": lambda data, key, first, last: len(_zrange(data, key, first, last, "BYSCORE")),
    "ZLEXCOUNT": lambda data, key, first, last: len(_zrange(data, key, first, last, "BYLEX")),
    "ZSCORE": lambda data, key, member: _zmscore(data, key, member)[0],
    "ZMSCORE": _zmscore,
    "ZRANGE": _zrange,
    "ZRANGEBYLEX": lambda data, key, first, last, *more: _zrange(data, key, first, last, "BYLEX", *more),
    "ZREMRANGEBYLEX": _removing(_by_lex),
    "ZREMRANGEBYSCORE": _removing(_by_score),
    "ZREMRANGEBYRANK": _removing(lambda known, first, last: span(len(known), first, last)),
    "ZSCAN": _zscan,
}
