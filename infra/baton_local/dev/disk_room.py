"""Whether the disk of a folder has room for a part to work.

A part that cannot write ends; started again on a full disk, it would end again at once. Must not decide what follows.
"""

import shutil
from pathlib import Path

MIN_ROOM_BYTES = 8_000_000


def room_bytes(folder: Path) -> int:
    """Return how much may still be written there; much where it is unknown."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return MIN_ROOM_BYTES
