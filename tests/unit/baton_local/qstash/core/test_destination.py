import pytest

from baton_local.qstash.core.destinations import is_url, origin_of, parse_destination
from tests.unit.baton_local.qstash.machine_world import refused


@pytest.mark.parametrize(
    ("text", "query", "url"),
    [
        ("https://h/p", "", "https://h/p"),
        ("https://h/p", "foo=bar&x=%20", "https://h/p?foo=bar&x=%20"),
        ("https://h/p?a=1", "b=2", "https://h/p?a=1&b=2"),
        ("https:/h/p", "", "https://h/p"),
        ("https%3A%2F%2Fh%2Fp%3Fx%3D1", "", "https://h/p?x=1"),
        ("http://127.0.0.1:8090/a/../b//c", "", "http://127.0.0.1:8090/a/../b//c"),
        ("http://[::1]:80/x", "", "http://[::1]:80/x"),
        ("https://h/p%20q", "", "https://h/p%20q"),
        ("https://h/fetch/http:/other", "", "https://h/fetch/http:/other"),
    ],
)
def test_url_is_kept_as_given(text: str, query: str, url: str) -> None:
    assert parse_destination(text, query) == url
    assert is_url(url)


@pytest.mark.parametrize("name", ["agent.agent-loop-init", "A_b-1.2", "example.com"])
def test_text_without_scheme_is_a_group(name: str) -> None:
    """A URL with no scheme is taken for a group's name."""
    assert parse_destination(name) == name
    assert not is_url(name)


@pytest.mark.parametrize(
    "name", ["agent:loop", "agent/loop", "agent loop", "agent@v1", "a#", "~", "a+b", "", "..%2f..", "é"]
)
def test_names_with_other_characters_are_refused(name: str) -> None:
    """Groups, queues and schedules share one character rule."""
    assert refused(parse_destination, name) == 400


@pytest.mark.parametrize(
    "url",
    ["https://", "http:///path", "https://h:0/", "https://h:99999/", "https://h:x/", "https://[::1/", "https://h /"],
)
def test_urls_without_a_usable_host_are_refused(url: str) -> None:
    assert refused(parse_destination, url) == 400


def test_origin_is_scheme_host_and_port() -> None:
    """What shares connections: user info, path and case do not matter."""
    assert origin_of("HTTPS://u:p@Example.com:8443/x?y") == "https://example.com:8443"
