"""Files that tools return: kept with the session, and named in the call's result, without their contents.

Invariant: a name follows from the content. A result may name any file: its fields are checked. Must not: know where
contents are kept.
"""

import re
from base64 import urlsafe_b64encode
from typing import Any

from baton_events.ids import digest
from baton_events.values.text import cut, text_of

_SHOWN_CHARS = 80
# Not compiled here: most processes see no file. A file is served under its media type: a header takes no other signs.
MEDIA_TYPE, _NAME = r"[A-Za-z0-9_.+-]{1,63}/[A-Za-z0-9_.+-]{1,63}", r"[0-9a-f]{64}"

# The first bytes of contents of these types: a content with another type's beginning is refused.
BEGINNINGS = {
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "application/pdf": b"%PDF-",
}


def named_content(data: bytes) -> tuple[dict[str, Any], str]:
    """Return the recorded name and size of a content, and the content as URL-safe Base64."""
    content = urlsafe_b64encode(data).decode()
    return {"name": digest(content), "bytes": len(data)}, content


def named_file(data: bytes, media_type: str, filename: str) -> tuple[dict[str, Any], str]:
    """Return a file's entry for a result, and its content as URL-safe Base64.

    Raises ValueError: it is empty or no bytes, or its media type is invalid or wrong. TypeError: its name is no text.
    """
    if not isinstance(data, bytes | bytearray | memoryview) or not data:
        raise ValueError(f"keep_file() needs the bytes of a file, got {cut(text_of(data), _SHOWN_CHARS)!r}")
    if not isinstance(media_type, str) or not re.fullmatch(MEDIA_TYPE, media_type):
        shown = cut(text_of(media_type), _SHOWN_CHARS)
        raise ValueError(f"keep_file() needs a media type such as 'image/png', got {shown!r}")
    if not isinstance(filename, str | None):
        raise TypeError(f"keep_file() needs a text for the file's name, got {cut(text_of(filename), _SHOWN_CHARS)!r}")
    data = bytes(data)
    media_type = media_type.lower()
    if not data.startswith(BEGINNINGS.get(media_type, b"")):
        raise ValueError(f"keep_file() was given bytes that are no {media_type}: they begin with {data[:8]!r}")
    named, content = named_content(data)
    return {"type": "file", "mediaType": media_type} | named | ({"filename": filename} if filename else {}), content


def files_in_result(result: Any) -> list[dict[str, Any]]:
    """Return the files that a result names: the result itself, or items of its list or object."""
    items = [result, *result.values()] if isinstance(result, dict) else result
    return [item for item in items if _is_file(item)] if isinstance(items, list) else []


def _is_file(item: Any) -> bool:
    if not isinstance(item, dict) or item.get("type") != "file":
        return False
    media_type, name, size = (item.get(key) for key in ("mediaType", "name", "bytes"))
    texts = (media_type, name, item.get("filename", ""))
    if not all(isinstance(text, str) for text in texts) or not isinstance(size, int) or size < 0:
        return False
    return bool(re.fullmatch(MEDIA_TYPE, str(media_type)) and re.fullmatch(_NAME, str(name)))
