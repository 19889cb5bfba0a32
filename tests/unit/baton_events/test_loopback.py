"""Which addresses are this machine's own."""

import pytest

from baton_events.setting import is_loopback


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8090", "http://localhost", "http://[::1]:1/x", "http://127.8.0.1", "https://a.localhost"]
)
def test_this_machine_is_known_by_its_names(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize("url", ["https://fn.example.com", "http://10.0.0.1", "https://localhost.example.com", ""])
def test_others_are_not_this_machine(url: str) -> None:
    """A private network may be reached by a queue that is in it."""
    assert not is_loopback(url)
