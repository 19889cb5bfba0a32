"""The data folder."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from baton_local.redis.data_dir import DataDir, DataDirError


def test_a_token_is_made_once_and_kept_private(tmp_path: Path) -> None:
    """The same ever after."""
    folder = DataDir(tmp_path / "a" / "b")
    folder.create()
    token = folder.token()
    assert len(token) >= 32
    assert folder.token() == token
    assert stat.S_IMODE((folder.path / "token").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_an_empty_token_file_is_no_token(tmp_path: Path) -> None:
    """It would let everybody in."""
    (tmp_path / "token").write_text(" \n")
    with pytest.raises(DataDirError, match="is empty; remove it"):
        DataDir(tmp_path).token()


def test_the_lock_is_held_by_one_process(tmp_path: Path) -> None:
    """The other is told who has it; the lock ends with its holder."""
    folder = DataDir(tmp_path)
    program = "import sys; from pathlib import Path; from baton_local.redis.data_dir import DataDir\n"
    program += "DataDir(Path(sys.argv[1])).lock(); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(
            DataDirError, match=f"in use by process {holder.pid}; stop that one or choose another --data"
        ):
            folder.check_free(wait_seconds=0.1)
        holder.kill()
    folder.check_free()
    os.close(folder.lock())


def test_the_socket_is_in_the_folder_unless_its_name_would_be_too_long(tmp_path: Path) -> None:
    """A deep folder has its socket in a private place of its own, always the same."""
    shallow, deep = DataDir(Path("/tmp/x")), DataDir(tmp_path / ("d" * 120))
    assert shallow.socket_path == Path("/tmp/x/valkey.sock").resolve()
    assert len(os.fsencode(deep.socket_path)) <= 100
    assert deep.socket_path == DataDir(tmp_path / ("d" * 120)).socket_path
    assert deep.socket_path != DataDir(tmp_path / ("e" * 120)).socket_path
    deep.create()
    assert stat.S_IMODE(deep.socket_path.parent.stat().st_mode) == 0o700
    deep.socket_path.parent.rmdir()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """With the option that names another."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DataDirError, match="--data"):
        DataDir(tmp_path / "file" / "below").create()
