"""Keys and harmlessness, from what servers say about their commands."""

import pytest

from baton_local.redis.commands.command_table import CommandTable
from baton_local.redis.link.resp import Reply, Status


def spec(begin: list[Reply], find: list[Reply]) -> Reply:
    return [b"flags", [Status(b"RW")], b"begin_search", begin, b"find_keys", find]


def at(index: int) -> list[Reply]:
    return [b"type", b"index", b"spec", [b"index", index]]


def after(keyword: bytes, start: int) -> list[Reply]:
    return [b"type", b"keyword", b"spec", [b"keyword", keyword, b"startfrom", start]]


def span(last: int, step: int, limit: int = 0) -> list[Reply]:
    return [b"type", b"range", b"spec", [b"lastkey", last, b"keystep", step, b"limit", limit]]


def counted(index: int, first: int) -> list[Reply]:
    return [b"type", b"keynum", b"spec", [b"keynumidx", index, b"firstkey", first, b"keystep", 1]]


def row(name: bytes, flag: bytes, specs: list[Reply], subcommands: list[Reply] | None = None) -> Reply:
    return [name, -2, [Status(flag)], 1, 1, 1, [], [], specs, subcommands or []]


UNKNOWN: list[Reply] = [b"type", b"unknown", b"spec", []]
TABLE = CommandTable()
TABLE.read_reply(
    [
        row(b"get", b"readonly", [spec(at(1), span(0, 1))]),
        row(b"mset", b"write", [spec(at(1), span(-1, 2))]),
        row(b"eval", b"noscript", [spec(at(2), counted(0, 1))]),
        row(b"xread", b"readonly", [spec(after(b"STREAMS", 1), span(-1, 1, 2))]),
        row(b"zunionstore", b"write", [spec(at(1), span(0, 1)), spec(at(2), counted(0, 1))]),
        row(b"keys", b"readonly", []),
        row(b"sort", b"write", [spec(at(1), span(0, 1)), spec(UNKNOWN, UNKNOWN)]),
        row(b"xinfo", b"none", [], [row(b"xinfo|stream", b"readonly", [spec(at(2), span(0, 1))])]),
        [b"too short"],
    ]
)


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("GET a", "a"), ("GET", ""), ("MSET a 1 b 2", "a b"), ("EVAL s 2 a b c", "a b"), ("EVAL s 0 c", ""),
        ("EVAL s x c", ""), ("EVAL s", ""), ("EVAL", ""), ("EVAL s 9 a", "a"), ("XREAD COUNT 1 streams a b 0 0", "a b"),
        ("XREAD COUNT 1", ""), ("ZUNIONSTORE d 2 a b", "d a b"), ("SORT a STORE b", "a"), ("XINFO stream a", "a"),
        ("XINFO HELP", ""), ("NOSUCH a", ""),
    ],
)  # fmt: skip
def test_keys_are_found_as_the_server_describes_them(command: str, keys: str) -> None:
    """Malformed commands have those that can be seen, and never fail."""
    arguments = command.encode().split()
    assert list(TABLE.keys(arguments[0], arguments)) == keys.encode().split()


@pytest.mark.parametrize(
    ("command", "harmless"),
    [("GET a", True), ("MSET a 1", False), ("EVAL s 0", False), ("KEYS *", False), ("PING", True), ("NOSUCH", False),
     ("XINFO STREAM a", True), ("XINFO HELP", False), ("XINFO", False)],
)  # fmt: skip
def test_a_harmless_read_is_what_the_server_calls_one(command: str, harmless: bool) -> None:
    arguments = command.encode().split()
    assert TABLE.is_harmless_read(arguments[0], arguments) is harmless


def test_before_the_server_was_asked_nothing_is_a_read() -> None:
    table = CommandTable()
    table.read_reply(b"nonsense")
    assert not table.is_harmless_read(b"GET", [b"GET", b"a"])
    assert list(table.keys(b"GET", [b"GET", b"a"])) == []
