"""Contents of files in JSON texts, each kept once: where it came before, a text has its digest instead.

Invariant: reading gives the original text. A reference is no JSON, so that no text has one by chance. Texts are read in
the order in which they were written. A file that is kept elsewhere becomes its name, which is JSON, where its content
is unknown. Must not: know the texts' owners.
"""

import re
from collections.abc import Iterable
from re import Match

from baton_events.ids import digest

LARGE_BYTES = 64 * 1024
# As pydantic writes a file: the base64 of its bytes takes four characters for three of them.
_CONTENT = re.compile(
    rf'"data":(?:"([\w+/=-]{{{LARGE_BYTES * 4 // 3},}})"|sha256:([0-9a-f]{{64}})|"FILE([0-9a-f]{{64}})")'
)


class FileContents:
    """The large contents of texts read so far. `complete`: an unknown reference is an error, not empty."""

    def __init__(self, *, complete: bool = True) -> None:
        self._known: dict[str, str] = {}
        self._elsewhere: set[str] = set()
        self._complete = complete

    def kept_elsewhere(self, contents: Iterable[str]) -> None:
        """Register files that are kept elsewhere, so that no text has them."""
        for content in contents:
            name = digest(content)
            self._known[name] = content
            self._elsewhere.add(name)

    def whole(self, kept: str) -> str:
        """Return the original text, with all its contents."""
        return _CONTENT.sub(self._filled, kept)

    def short(self, text: str) -> str:
        """Return the text to keep: a content that came before, in it or in a text read before, becomes a reference."""
        before = set(self._known)

        def referred(found: Match[str]) -> str:
            if not found[1]:
                return found[0]
            name = digest(found[1])
            if name in self._elsewhere:
                return f'"data":"FILE{name}"'
            if name in before:
                return f'"data":sha256:{name}'
            before.add(name)
            return found[0]

        return _CONTENT.sub(referred, text)

    def _filled(self, found: Match[str]) -> str:
        if found[1]:
            self._known[digest(found[1])] = found[1]
            return found[0]
        if found[3]:
            return f'"data":"{self._known[found[3]]}"' if found[3] in self._known else found[0]
        if self._complete and found[2] not in self._known:
            raise LookupError(f"the content {found[2]} of a file is not recorded: submit the job again")
        return f'"data":"{self._known.get(found[2], "")}"'
