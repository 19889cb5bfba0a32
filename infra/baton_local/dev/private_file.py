"""Writing a file that only its owner may read, in one step.

Invariant: a reader sees the old content or the new one, never half of it, and nobody else may read either. A crash
leaves at most a temporary file beside it. Must not decide what is written.
"""

import os
import secrets
from pathlib import Path

from baton_local.dev.stack_error import StackError

PRIVATE_FILE_MODE = 0o600
PRIVATE_FOLDER_MODE = 0o700


def write_private_file(path: Path, text: str) -> None:
    """Replace `path` by a file with this text and mode 600."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE_MODE)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def make_private_folder(folder: Path) -> None:
    """Make the folder and its parents; the folder itself may be entered by its owner only, when it is new."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=PRIVATE_FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise StackError(
            f"{folder} cannot be a data folder ({error.strerror}): name another with --data DIR"
        ) from error
