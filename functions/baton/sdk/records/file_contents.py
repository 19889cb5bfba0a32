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
# As pydantic, LangChain and OpenAI's items write a file: base64 takes four characters for three bytes. A reference ends
# with an `s` where the text has the standard alphabet.
_CONTENT = re.compile(
    rf'("(?:data|base64)": ?"|;base64,)(?:([\w+/=-]{{{LARGE_BYTES * 4 // 3},}})'
    r'|\\sha256:([0-9a-f]{64})(s?)|FILE([0-9a-f]{64})(s?))"'
)
_URL_SAFE, _STANDARD = str.maketrans("+/", "-_"), str.maketrans("-_", "+/")


class FileContents:
    """The large contents of texts read so far. `complete`: an unknown reference is an error, not empty."""

    def __init__(self, *, complete: bool = True) -> None:
        self._known: dict[str, str] = {}
        self._elsewhere: set[str] = set()
        self._complete = complete

    def kept_elsewhere(self, contents: Iterable[str]) -> None:
        """Register files that are kept elsewhere, so that no text has them."""
        for content in contents:
            self._elsewhere.add(self._learnt(content))

    def whole(self, kept: str) -> str:
        """Return the original text, with all its contents."""
        return _CONTENT.sub(self._filled, kept)

    def short(self, text: str) -> str:
        """Return the text to keep: a content that came before, in it or in a text read before, becomes a reference."""
        before = set(self._known)

        def referred(found: Match[str]) -> str:
            content, mark = found[2] or "", "s" if {"+", "/"} & {*(found[2] or "")} else ""
            if not content or (mark and {"-", "_"} & {*content}):
                return found[0]
            name = digest(content.translate(_URL_SAFE))
            if name in self._elsewhere:
                return f'{found[1]}FILE{name}{mark}"'
            if name in before:
                return f'{found[1]}\\sha256:{name}{mark}"'
            before.add(name)
            return found[0]

        return _CONTENT.sub(referred, text)

    def _learnt(self, content: str) -> str:
        name = digest(plain := content.translate(_URL_SAFE))
        self._known[name] = plain
        return name

    def _filled(self, found: Match[str]) -> str:
        if found[2]:
            self._learnt(found[2])
            return found[0]
        name, mark = found[3] or found[5], found[4] or found[6]
        if found[5] and name not in self._known:
            return found[0]
        if self._complete and name not in self._known:
            raise LookupError(f"the content {name} of a file is not recorded: submit the job again")
        content = self._known.get(name, "")
        return f'{found[1]}{content.translate(_STANDARD) if mark else content}"'
