"""Scripts that carry Upstash's own shebang flag, made palatable to a stock server.

`#!lua flags=allow-key-locking` locks only the script's keys on Upstash; a stock server rejects the flag
(redis-rest.md 9). Invariant: only that flag is removed, from a leading shebang line that stays, so line numbers hold;
and a client may keep using the SHA1 of the text as it knows it. It does not check that a script names its keys.
"""

import hashlib
import re
from collections import OrderedDict

_FLAG = b"allow-key-locking"
_FLAGS = re.compile(rb"[ \t]+flags=([^ \t\r\n]*)")


def without_key_locking(script: bytes) -> bytes:
    """The script with the flag taken out of its shebang; any other script as it is."""
    if not script.startswith(b"#!") or _FLAG not in script:
        return script
    line, newline, rest = script.partition(b"\n")
    found = _FLAGS.search(line)
    if found is None:
        return script
    kept = [flag for flag in found[1].split(b",") if flag.strip() != _FLAG]
    flags = b" flags=" + b",".join(kept) if kept else b""
    return line[: found.start()] + flags + line[found.end() :] + newline + rest


def sha1_hex(script: bytes) -> bytes:
    """The name by which EVALSHA knows a script."""
    return hashlib.sha1(script, usedforsecurity=False).hexdigest().encode()


class ScriptMap:
    """From the SHA1 that clients compute to the SHA1 of what was loaded.

    Bounded: the oldest entry goes first, after which its EVALSHA is answered NOSCRIPT, the case every client handles.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._loaded_by_client_sha: OrderedDict[bytes, bytes] = OrderedDict()
        self._stripped_by_text: OrderedDict[bytes, bytes] = OrderedDict()

    def translate(self, script: bytes) -> bytes:
        """The text to load for `script`; remembers the pair when they differ."""
        known = self._stripped_by_text.get(script)
        if known is not None:
            return known
        stripped = without_key_locking(script)
        if stripped is not script:
            self._remember(self._loaded_by_client_sha, sha1_hex(script), sha1_hex(stripped))
            self._remember(self._stripped_by_text, script, stripped)
        return stripped

    def loaded_sha(self, sha: bytes) -> bytes:
        """The SHA1 under which the server knows the client's script."""
        return self._loaded_by_client_sha.get(sha.lower(), sha)

    def _remember(self, table: OrderedDict[bytes, bytes], key: bytes, value: bytes) -> None:
        table[key] = value
        if len(table) > self._limit:
            table.popitem(last=False)
