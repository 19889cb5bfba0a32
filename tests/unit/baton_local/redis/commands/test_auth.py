import pytest

from baton_local.redis.commands.access import Access, Tokens

TOKENS = Tokens(b"standard", b"reader")


@pytest.mark.parametrize(
    ("header", "query", "access"),
    [
        (b"Bearer standard", None, Access.FULL),
        (b"BEARER  standard ", None, Access.FULL),
        (b"bearer reader", None, Access.READ),
        (None, b"standard", Access.FULL),
        (None, b"reader", Access.READ),
        (b"Bearer wrong", b"standard", Access.NONE),
        (b"Bearer standard", b"wrong", Access.FULL),
        (b"Basic standard", None, Access.NONE),
        (b"standard", None, Access.NONE),
        (b"Bearer", None, Access.NONE),
        (b"Bearer \xff\xfe", None, Access.NONE),
        (b"", b"standard", Access.NONE),
        (None, b"", Access.NONE),
        (None, None, Access.NONE),
    ],
)
def test_who_may_do_what(header: bytes | None, query: bytes | None, access: Access) -> None:
    """The header wins; nothing else opens."""
    assert TOKENS.access(header, query) is access


def test_without_a_read_only_token_none_is_accepted() -> None:
    assert Tokens(b"standard").access(b"Bearer ", None) is Access.NONE
