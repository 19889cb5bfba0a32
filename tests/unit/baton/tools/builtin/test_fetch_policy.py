"""Which URLs may be asked for."""

import pytest

from baton.tools.builtin.fetch_policy import FetchPolicy, origin_of, read_allowed
from baton.tools.tool_error import ToolError


def policy(*patterns: str) -> FetchPolicy:
    """A policy over an allow list."""
    return FetchPolicy(read_allowed(patterns))


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("api.example.com", "https://api.example.com/a?b=c#d"),
        ("API.example.com", "http://api.EXAMPLE.com/"),
        ("api.example.com", "https://api.example.com./"),
        ("*.example.org", "https://a.b.example.org/"),
        ("*", "https://anything.test/"),
        ("localhost:8080", "http://localhost:8080/"),
        ("localhost:*", "http://localhost:1234/"),
        ("1.2.3.4", "http://1.2.3.4/"),
        ("[::1]:80", "http://[::1]/"),
        ("bücher.example", "https://xn--bcher-kva.example/"),
    ],
)
def test_what_is_on_the_list_may_be_fetched(pattern: str, url: str) -> None:
    """Case, the root's dot and the spelling of foreign letters do not matter."""
    assert "#" not in str(policy(pattern).check(url))


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("api.example.com", "https://example.com/"),
        ("api.example.com", "https://api.example.com.evil.test/"),
        ("api.example.com", "https://evil.test/api.example.com"),
        ("api.example.com", "https://api.example.com:8443/"),
        ("api.example.com", "http://api.example.com:443/"),
        ("*.example.org", "https://example.org/"),
        ("*.example.org", "https://notexample.org/"),
        ("*", "https://anything.test:22/"),
        ("localhost:8080", "http://localhost:8081/"),
        ("*", "ftp://example.com/"),
        ("*", "file:///etc/passwd"),
        ("*", "gopher://example.com/"),
        ("*", "//example.com/"),
        ("*", "/path"),
        ("*", "https:///path"),
        ("*", "https://user@example.com/"),
        ("*", "https://user:word@example.com/"),
        ("api.example.com", "https://api.example.com@evil.test/"),
        ("api.example.com", "https://evil.test\\@api.example.com/"),
        ("*", "http://2130706433/"),
        ("*", "http://0x7f000001/"),
        ("*", "http://0177.0.0.1/"),
        ("*", "http://127.1/"),
        ("*", "http://0x7f.0.0.1/"),
        ("*", "http://example.com\r\nx: y/"),
        ("*", "https://example.com/" + "a" * 4_000),
        ("*", "http://[::1"),
    ],
)
def test_everything_else_is_refused(pattern: str, url: str) -> None:
    """For good: asking again changes nothing."""
    with pytest.raises(ToolError) as caught:
        policy(pattern).check(url)
    assert (caught.value.type, caught.value.retryable) == ("UrlRefused", False)


@pytest.mark.parametrize("pattern", ["", "https://a.test", "a.test/path", "*.", "a*.test", "a.test:99x", "u@a.test"])
def test_an_entry_of_another_form_is_refused_when_the_tool_is_made(pattern: str) -> None:
    """A list that matches nothing, or too much, would be found out too late."""
    with pytest.raises(TypeError, match="write a host such as"):
        read_allowed([pattern])


@pytest.mark.parametrize("patterns", [[], "a.test"])
def test_an_empty_list_and_a_bare_text_are_no_lists(patterns: list[str] | str) -> None:
    """Each character of a text would be an entry."""
    with pytest.raises(TypeError, match="must list hosts"):
        read_allowed(patterns)


def test_a_redirect_is_resolved_against_its_page_and_checked_the_same() -> None:
    """Relative ones, and those that leave the list."""
    over = policy("a.test")
    page = over.check("https://a.test/x/y")
    assert str(over.check("../z", base=page)) == "https://a.test/z"
    assert origin_of(over.check("//a.test/", base=page)) == ("https", "a.test", 443)
    with pytest.raises(ToolError, match="not on the tool's allow list"):
        over.check("//b.test/", base=page)
