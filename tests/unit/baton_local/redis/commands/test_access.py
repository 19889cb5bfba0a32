"""Who may send what; tests/contract/redis_rest/test_refusals.py tries every refused command."""

import pytest

from baton_local.redis.commands.access import Access, Tokens
from baton_local.redis.commands.prepare import why_refused


@pytest.mark.parametrize(
    ("header", "query", "access"),
    [
        (b"BEARER  standard ", None, Access.FULL),
        (None, b"standard", Access.FULL),
        (None, b"reader", Access.READ),
        (b"Bearer wrong", b"standard", Access.NONE),
        (b"Bearer standard", b"wrong", Access.FULL),
        (b"Basic standard", None, Access.NONE),
        (b"Bearer \xff\xfe", None, Access.NONE),
        (b"", b"standard", Access.NONE),
        (None, b"", Access.NONE),
        (None, None, Access.NONE),
    ],
)
def test_who_may_do_what(header: bytes | None, query: bytes | None, access: Access) -> None:
    """The header wins; nothing else opens; without a read-only token none is accepted, no empty one either."""
    assert Tokens(b"standard", b"reader").access(header, query) is access
    assert Tokens(b"standard").access(b"Bearer ", None) is Access.NONE


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("BLPOP k 0", "blocking"), ("XREAD BLOCK 0 STREAMS a 0", "BLOCK"), ("WATCH k", "multi-exec"),
        ("SUBSCRIBE c", "/subscribe"), ("HELLO 3", "connection"), ("CLIENT kill x", "KILL"), ("CLIENT", "connection"),
        ("CONFIG set a b", "SET"), ("ACL RESTTOKEN a b", "RESTTOKEN"), ("SHUTDOWN", "endanger"),
    ],
)  # fmt: skip
def test_a_refusal_says_why(command: str, word: str) -> None:
    arguments = command.encode().split()
    reason = why_refused(arguments[0], arguments)
    assert reason is not None
    assert word in reason
    assert arguments[0].decode() in reason


@pytest.mark.parametrize("command", ["GET BLPOP", "XREADGROUP GROUP g c STREAMS BLOCK >", "CONFIG", "NOSUCH", "XREAD"])
def test_everything_else_is_served(command: str) -> None:
    """The server knows best, also about what does not exist."""
    arguments = command.encode().split()
    assert why_refused(arguments[0], arguments) is None
