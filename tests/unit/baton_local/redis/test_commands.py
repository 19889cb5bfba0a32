"""What a real server shows badly; tests/contract/redis_rest has all else of commands."""

from collections.abc import Sequence

import pytest

from baton_local.redis.commands import Commands, without_key_locking
from baton_local.redis.counters import Counters
from baton_local.redis.resp import Reply

FLAGGED = b"#!lua flags=allow-key-locking\nreturn 1"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (FLAGGED, b"#!lua\nreturn 1"),
        (b"#!lua flags=no-writes,allow-key-locking\nx", b"#!lua flags=no-writes\nx"),
        (b"#!lua flags=allow-key-locking,no-writes,allow-oom\nx", b"#!lua flags=no-writes,allow-oom\nx"),
        (b"#!lua name=n flags=allow-key-locking\r\nx", b"#!lua name=n\r\nx"),
        (b"#!lua flags=allow-key-locking", b"#!lua"),
        (b"#!lua flags=allow-key-locking-2\nx", b"#!lua flags=allow-key-locking-2\nx"),
        (b"#!lua\n-- flags=allow-key-locking", b"#!lua\n-- flags=allow-key-locking"),
        (b" #!lua flags=allow-key-locking\nx", b" #!lua flags=allow-key-locking\nx"),
        (b"", b""),
    ],
)
def test_only_the_flag_of_a_leading_shebang_is_removed(script: bytes, expected: bytes) -> None:
    """Other flags, line ends and everything below stay."""
    assert without_key_locking(script) == expected


class Sent:
    def __init__(self, reply: Reply) -> None:
        self.reply, self.commands = reply, list[list[bytes]]()

    async def __call__(self, commands: Sequence[list[bytes]]) -> list[Reply]:
        self.commands += commands
        return [self.reply for _ in commands]


async def test_a_page_may_stay_short_rather_than_scan_forever() -> None:
    """It looks on from the cursor reached, with the same options, further each time, and at most a thousand times."""
    sent = Sent([b"17", []])
    commands = Commands(sent, sent, Counters())
    assert await commands.run([b"SCAN 0 match a* count 3 TYPE string".split()], read_only=False) == [[b"17", []]]
    assert [command[-1] for command in sent.commands[1:9]] == [
        b"20",
        b"40",
        b"80",
        b"160",
        b"320",
        b"640",
        *[b"1000"] * 2,
    ]
    assert sent.commands[1] == [b"SCAN", b"17", b"match", b"a*", b"TYPE", b"string", b"COUNT", b"20"]
    assert len(sent.commands) == 1000


async def test_a_transaction_that_the_server_discards_says_so() -> None:
    sent = Sent(None)
    aborted = await Commands(sent, sent, Counters()).run_at_once([[b"GET", b"k"]], read_only=False)
    assert str(aborted).count("EXECABORT Transaction discarded by the server") == 1
    assert sent.commands == [[b"MULTI"], [b"GET", b"k"], [b"EXEC"]]


async def test_the_oldest_scripts_are_forgotten() -> None:
    """A forgotten one is NOSCRIPT, which every client handles."""
    sent = Sent(b"")
    commands = Commands(sent, sent, Counters(), scripts_limit=2)
    scripts = [FLAGGED + b" + %d" % number for number in range(3)]
    for script in scripts:
        await commands.run([[b"SCRIPT", b"LOAD", script]], read_only=False)
    shas = [await commands.run([[b"SCRIPT", b"LOAD", script]], read_only=False) for script in scripts[1:]]
    asked = [sha for (sha,) in shas if isinstance(sha, bytes)]
    await commands.run([[b"SCRIPT", b"EXISTS", *asked]], read_only=False)
    assert all(sha not in sent.commands[-1] for sha in asked)
