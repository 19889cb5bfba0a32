import os
from pathlib import Path

import pytest

from baton_local.dev.data_folder import folder_lock
from baton_local.dev.stack_error import StackError


def test_the_second_one_learns_who_holds_the_folder(tmp_path: Path) -> None:
    with (
        folder_lock(tmp_path),
        pytest.raises(StackError, match=rf"already runs on .* \(pid {os.getpid()}, .*dev\.json\).*--data"),
        folder_lock(tmp_path),
    ):
        pass


def test_the_folder_is_free_again_post_commit(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), folder_lock(tmp_path):
        raise ZeroDivisionError
    with folder_lock(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())
