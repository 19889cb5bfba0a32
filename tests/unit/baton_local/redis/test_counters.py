import json

from baton_local.redis.counters import Counters
from baton_local.redis.resp import OK

STATS = b"# Commandstats\r\ncmdstat_%b:calls=%d,usec=1,usec_per_call=1.00\r\n"


def test_the_bridges_own_commands_are_left_out() -> None:
    counters = Counters(http_requests=3, commands_received=4)
    counters.greeted(b"# Server\r\nrun_id:abc\r\n")
    names = {b"ping": 3, b"info": 1, b"multi": 5, b"exec": 5, b"get": 2}
    assert json.loads(counters.report(b"".join(STATS % item for item in names.items()))) == {
        "http_requests": 3,
        "commands_received": 4,
        "bytes_received": 0,
        "bytes_sent": 0,
        "commands_executed": 4,
        "executed_by_command": {"get": 2, "ping": 2},
        "server_run_id": "abc",
    }


def test_bytes_are_those_of_arguments_and_texts() -> None:
    """What a script's text takes is not counted, nor are numbers in answers."""
    counters = Counters()
    counters.received([b"SET", b"key", b"four"])
    counters.received([b"eval", b"return 1", b"1", b"key", b"four"])
    counters.sent([b"four", 12, None, [b"two"]])
    counters.sent(OK)
    assert (counters.commands_received, counters.bytes_received, counters.bytes_sent) == (2, 14, 7)


def test_a_restarted_server_counts_from_zero() -> None:
    """So the bridge's own share does, too; a mere reconnection adds to it."""
    counters = Counters()
    counters.greeted(b"run_id:a\r\n")
    counters.greeted(b"run_id:a\r\n")
    assert counters.own["ping"] == 2
    counters.greeted(b"run_id:b\r\n")
    assert (counters.own["ping"], counters.run_id) == (1, "b")
