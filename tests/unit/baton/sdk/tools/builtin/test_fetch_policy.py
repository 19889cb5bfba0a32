"""Which URLs may be asked for, and which addresses connected to: written out, whatever a library says of them."""

import re

import pytest

from baton.sdk.tools.builtin.fetch_policy import FetchPolicy, origin_of, read_allowed, refusal
from baton.sdk.tools.tool_error import ToolError


def policy(*patterns: str) -> FetchPolicy:
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
        ("*", "ftp://example.com/"),
        ("*", "file:///etc/passwd"),
        ("*", "//example.com/"),
        ("*", "https:///path"),
        ("*", "https://user@example.com/"),
        ("api.example.com", "https://api.example.com@evil.test/"),
        ("api.example.com", "https://evil.test\\@api.example.com/"),
        ("*", "http://2130706433/"),
        ("*", "http://0177.0.0.1/"),
        ("*", "http://127.1/"),
        ("*", "http://0x7f.0.0.1/"),
        ("*", "http://example.com\r\nx: y/"),
        ("*", "https://example.com/" + "a" * 4_000),
        ("*", "http://[::1"),
    ],
)
def test_everything_else_is_refused(pattern: str, url: str) -> None:
    with pytest.raises(ToolError) as caught:
        policy(pattern).check(url)
    assert (caught.value.type, caught.value.retryable) == ("UrlRefused", False)


@pytest.mark.parametrize("pattern", ["", "https://a.test", "a.test/path", "*.", "a*.test", "a.test:99x", "u@a.test"])
def test_an_entry_of_another_form_is_refused_when_the_tool_is_made(pattern: str) -> None:
    """A list that matches nothing, or too much, would be found out too late; so would each character of a text."""
    with pytest.raises(TypeError, match="write a host such as"):
        read_allowed([pattern])
    for patterns in (list[str](), "a.test"):
        with pytest.raises(TypeError, match="must list hosts"):
            read_allowed(patterns)


@pytest.mark.parametrize(("more", "shown"), [(0, ""), (1, "…")])
def test_a_long_address_is_shown_in_part(more: int, shown: str) -> None:
    url = "http:" + "x" * 195 + "y" * more
    with pytest.raises(ToolError, match=f"^'{url[: 200 - more]}{shown}'"):
        policy("*").check(url)


def test_a_redirect_is_resolved_against_its_page_and_checked_the_same() -> None:
    over = policy("a.test")
    page = over.check("https://a.test/x/y")
    assert str(over.check("../z", base=page)) == "https://a.test/z"
    assert origin_of(over.check("//a.test/", base=page)) == ("https", "a.test", 443)
    with pytest.raises(ToolError, match="not on the tool's allow list"):
        over.check("//b.test/", base=page)


PUBLIC = ["93.184.216.34", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
PRIVATE = re.findall(
    r"\S+",
    """
    127.0.0.1 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 ::1 fc00::1 fec0::1
    ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 2002:7f00:1::
""",
)
NEVER = re.findall(
    r"\S+",
    """
    169.254.169.254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe:: 168.63.129.16
    100.100.100.200 192.0.0.192 fd00:ec2::254 fe80::1 0.0.0.0 :: 224.0.0.1 ff02::1 255.255.255.255
    0.1.2.3 203.0.113.5 2001:db8::1 64:ff9b:1::1
""",
)


@pytest.mark.parametrize(
    ("addresses", "allow_private", "opened"),
    [
        *((PUBLIC, False, True), ((*PRIVATE, *NEVER), False, False), (NEVER, True, False)),
        ([address for address in PRIVATE if not address.startswith(("2002:", "::127"))], True, True),
    ],
)
def test_public_addresses_alone_are_open_and_permission_opens_private_ones(
    addresses: list[str], allow_private: bool, opened: bool
) -> None:
    """Whatever form they have, also inside an IPv6 address; 2002:… is judged as a whole as well."""
    refusals = {address: refusal(address, allow_private=allow_private) for address in addresses}
    assert {address: told for address, told in refusals.items() if (told == "") is not opened} == {}
