from baton_local.redis.counters import Counters
from baton_local.redis.resp import OK


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
