from pathlib import Path

import pytest

from baton_local.redis.link.address import ServerAddress


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/x.sock", ServerAddress(socket_path=Path("/run/x.sock"))),
        ("127.0.0.1:6379", ServerAddress(host="127.0.0.1", port=6379)),
        ("localhost:1", ServerAddress(host="localhost", port=1)),
        ("[::1]:6379", ServerAddress(host="::1", port=6379)),
    ],
)
def test_both_kinds_are_read(text: str, address: ServerAddress) -> None:
    assert ServerAddress.from_text(text) == address


@pytest.mark.parametrize("text", ["", "unix:", "localhost", ":6379", "host:", "host:x", "host:0", "host:65536", "6379"])
def test_anything_else_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(ValueError, match="unix:/path/to/socket or host:port"):
        ServerAddress.from_text(text)


def test_it_is_shown_as_it_is_written() -> None:
    assert str(ServerAddress.from_text("unix:/run/x.sock")) == "unix:/run/x.sock"
    assert str(ServerAddress.from_text("localhost:7")) == "localhost:7"
