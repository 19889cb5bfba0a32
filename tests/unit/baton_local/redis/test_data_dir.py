import os
import stat
from pathlib import Path

import pytest

from baton_local.redis.data_dir import DataDir
from baton_local.stand_in.folder import DataFolderError


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


def test_a_folder_that_cannot_be_made_is_shown(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataFolderError, match="--data"):
        DataDir(tmp_path / "file" / "below").prepare()
