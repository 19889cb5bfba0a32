import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from baton_local.stand_in.folder import DataFolderError, lock_folder, token_of


def test_a_token_is_made_once_and_kept_private(tmp_path: Path) -> None:
    token = token_of(tmp_path)
    assert len(token) >= 32
    assert token_of(tmp_path) == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_an_empty_token_file_is_no_token(tmp_path: Path) -> None:
    """It would let everybody in."""
    (tmp_path / "token").write_text(" \n")
    with pytest.raises(DataFolderError, match="is empty; remove it"):
        token_of(tmp_path)


def test_the_lock_is_held_by_one_process(tmp_path: Path) -> None:
    program = "import sys; from pathlib import Path; from baton_local.stand_in.folder import lock_folder\n"
    program += "held = lock_folder(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        shown = f"in use by process {holder.pid}; stop that one or choose another --data"
        with pytest.raises(DataFolderError, match=shown):
            lock_folder(tmp_path, wait_seconds=0.1)
        holder.kill()
    descriptor = lock_folder(tmp_path, wait_seconds=3)
    with pytest.raises(DataFolderError, match=f"in use by process {os.getpid()}"):
        lock_folder(tmp_path)
    os.close(descriptor)
    os.close(lock_folder(tmp_path))
