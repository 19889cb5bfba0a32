"""How texts of the environment are read, where it takes more than a comparison."""

import pytest

from baton.settings.readers import api_keys, reference
from baton_events.setting import worker_urls

HASH = "0123456789abcdef" * 4


@pytest.mark.parametrize("entry", ["x", f"root:acme:{HASH}", f"client:{HASH}", f"client:a b:{HASH}", "client:acme:abc"])
def test_wrong_entries_of_keys_are_reported_by_position_and_not_shown(entry: str) -> None:
    """They are secrets."""
    with pytest.raises(ValueError, match=r"look at entry 2, 3$") as caught:
        api_keys(f"client:acme:{HASH},{entry},{entry}")
    assert HASH not in str(caught.value)


def test_entries_of_keys_may_have_spaces_and_an_empty_end() -> None:
    """They are copied by hand."""
    assert api_keys(f" client:acme:{HASH} , admin:ops.team-1:{HASH},")


def test_a_function_with_http_is_refused_with_the_reason() -> None:
    """As every address is."""
    with pytest.raises(ValueError, match="a URL with https"):
        worker_urls('{"/workers/sweep": "http://fn.example.com"}')


@pytest.mark.parametrize("text", ["agents", "agents:", ":registry", "a b:c", "agents.py:registry x"])
def test_what_is_no_reference_is_refused(text: str) -> None:
    """Before anything is imported."""
    with pytest.raises(ValueError, match="a reference such as"):
        reference(text)
