"""Which addresses may be connected to; the lists are written out, so that no change of the library changes them."""

import pytest

from baton.tools.builtin.fetch_policy import refusal

PUBLIC = ["93.184.216.34", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "fc00::1",
    "fd12::1",
    "fec0::1",
    "::ffff:127.0.0.1",
    "::ffff:a00:1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:c0a8:101::1",
]
NEVER = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "168.63.129.16",
    "100.100.100.200",
    "::ffff:100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fe80::1",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "239.255.255.250",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "0.1.2.3",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.5",
    "2001:db8::1",
    "64:ff9b:1::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_open(address: str) -> None:
    """Whatever form they have."""
    assert refusal(address, allow_private=False) == ""


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_permission(address: str) -> None:
    """Also those inside an IPv6 address; 2002:… is judged as a whole as well, and stays closed."""
    assert refusal(address, allow_private=False)


@pytest.mark.parametrize("address", [address for address in PRIVATE if not address.startswith(("2002:", "::127"))])
def test_permission_opens_private_addresses(address: str) -> None:
    """For tests and for services inside a network."""
    assert refusal(address, allow_private=True) == ""


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allow_private", [False, True])
def test_some_addresses_stay_closed(address: str, allow_private: bool) -> None:
    """Metadata services give away credentials; the others belong to no host."""
    assert refusal(address, allow_private=allow_private)
