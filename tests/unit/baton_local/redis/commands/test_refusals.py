import pytest

from baton_local.redis.commands.access import why_refused


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ("BLPOP k 0", "blocking"), ("XREAD BLOCK 0 STREAMS a 0", "BLOCK"),
        ("XREADGROUP GROUP g c block 1 STREAMS a >", "BLOCK"),
        ("WATCH k", "multi-exec"), ("SUBSCRIBE c", "/subscribe"), ("HELLO 3", "connection"), ("CLIENT kill x", "KILL"),
        ("CLIENT", "connection"), ("CONFIG set a b", "SET"), ("ACL RESTTOKEN a b", "RESTTOKEN"),
        ("SHUTDOWN", "endanger"),
    ],
)  # fmt: skip
def test_a_refusal_says_why(command: str, word: str) -> None:
    arguments = command.encode().split()
    reason = why_refused(arguments[0], arguments)
    assert reason is not None
    assert word in reason
    assert arguments[0].decode() in reason


@pytest.mark.parametrize(
    "command",
    [
        "GET BLPOP", "XREAD COUNT 1 STREAMS BLOCK 0", "XREADGROUP GROUP g c STREAMS BLOCK >", "CONFIG GET a", "CONFIG",
        "CLIENT ID", "ACL WHOAMI", "SCRIPT FLUSH", "NOSUCH", "XREAD",
    ],
)  # fmt: skip
def test_everything_else_is_served(command: str) -> None:
    arguments = command.encode().split()
    assert why_refused(arguments[0], arguments) is None
