import pytest

from baton_local.redis.commands.command import ScanPage
from baton_local.redis.link.resp import ServerError


@pytest.mark.parametrize("command", ["SCAN 0", "SCAN 0 COUNT 100", "SCAN", "SCAN 0 MATCH"])
def test_without_a_filter_the_servers_page_is_the_page(command: str) -> None:
    assert ScanPage.of_command(command.encode().split()) is None


def test_a_filtered_page_asks_on_until_it_is_full() -> None:
    """With the same options, from the cursor reached, looking further each time."""
    page = ScanPage.of_command(b"SCAN 0 match a* count 3 TYPE string".split())
    assert page is not None
    assert page.take([b"17", [b"a1"]])
    assert page.next_call() == [b"SCAN", b"17", b"match", b"a*", b"TYPE", b"string", b"COUNT", b"20"]
    assert page.take([b"5", []])
    assert page.next_call()[-1] == b"40"
    assert not page.take([b"9", [b"a2", b"a3", b"a4"]])
    assert page.reply() == [b"9", [b"a1", b"a2", b"a3", b"a4"]]


def test_a_finished_scan_asks_no_further() -> None:
    page = ScanPage.of_command(b"SCAN 0 MATCH a*".split())
    assert page is not None
    assert not page.take([b"0", []])


def test_an_error_ends_it() -> None:
    """Whatever the server says instead of a page."""
    page = ScanPage.of_command(b"SCAN 0 MATCH a* COUNT x".split())
    assert page is not None
    assert not page.take(ServerError(b"ERR value is not an integer"))


def test_a_page_may_stay_short_rather_than_scan_forever() -> None:
    page = ScanPage.of_command(b"SCAN 0 MATCH nosuch COUNT 1".split())
    assert page is not None
    calls = 1
    while page.take([b"1", []]):
        assert int(page.next_call()[-1]) <= 1000
        calls += 1
    assert calls == 1000
