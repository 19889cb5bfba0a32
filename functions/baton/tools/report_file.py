"""Write a report into a folder, so that writing it twice gives one file.

Invariant: the file's name depends on the title and the call's idempotency key alone, and the file appears whole or not
at all; a second attempt of one call replaces the first one's file. Must not: take a path from a model.
"""

import hashlib
import re
from pathlib import Path

from baton.tools.tool_error import ToolError
from baton.tools.whole_file import write_whole_file

MAX_REPORT_SIZE_BYTES = 200_000
_MAX_SLUG_CHARS = 60
_KEY_CHARS = 10


def write_report_file(folder: Path, title: str, body: str, idempotency_key: str) -> str:
    """Write the report and give its file name."""
    content = body.encode()
    if len(content) > MAX_REPORT_SIZE_BYTES:
        raise ToolError(
            f"the report has {len(content)} bytes; write at most {MAX_REPORT_SIZE_BYTES}, or several reports",
            type="TooLarge",
        )
    name = _file_name(title, idempotency_key)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole_file(folder / name, content)
    except OSError as error:
        raise ToolError(
            f"cannot write {name!r} into {folder.name!r}: {error.strerror}; is the folder writable?", type="NotWritten"
        ) from error
    return name


def _file_name(title: str, idempotency_key: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:_MAX_SLUG_CHARS].strip("-") or "report"
    return f"{slug}-{hashlib.sha256(idempotency_key.encode()).hexdigest()[:_KEY_CHARS]}.md"
