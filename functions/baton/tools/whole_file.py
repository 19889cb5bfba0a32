"""Write a file so that it appears whole or not at all: a reader, or a crash, never meets half of it."""

import tempfile
from pathlib import Path


def write_whole_file(target: Path, content: bytes) -> None:
    """Write beside the target and rename; the target's folder must be there.

    Raises:
        OSError: it cannot be written; the target is as it was.
    """
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=".part", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.write(content)
            file.flush()
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
