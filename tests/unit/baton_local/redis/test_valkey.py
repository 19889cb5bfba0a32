import os
import sys
from pathlib import Path

import pytest

from baton_local.redis.data_dir import DataDir
from baton_local.redis.valkey import ServerBinary, main, server_address, server_arguments, server_command


def options(arguments: list[str]) -> dict[str, str]:
    """`--name value` pairs."""
    return dict(zip((name.removeprefix("--") for name in arguments[1::2]), arguments[2::2], strict=True))


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


def test_a_supervisor_gets_a_command_that_ends_with_it(tmp_path: Path) -> None:
    """It names the folder, whatever directory the supervisor starts it in."""
    command = server_command(tmp_path, port=7000)
    assert command[:4] == [sys.executable, "-P", "-m", "baton_local.redis.valkey"]
    assert command[4:] == ["--data", str(tmp_path.resolve()), "--port", "7000", "--parent", str(os.getpid())]


def test_a_folder_that_cannot_be_used_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as caught:
        main(["--data", str(tmp_path / "file" / "below")])
    assert caught.value.code == 1
    assert "cannot create the data folder" in capsys.readouterr().err
