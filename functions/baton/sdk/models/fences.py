"""The code blocks of Markdown in what a model writes: around its script or its JSON, with words before and behind.

Invariant: a text without fences has no block; a fence that is never closed goes to the end. Must not: know what a block
is for, or choose among several.
"""

import re
from collections.abc import Collection
from textwrap import dedent

_OPENS = re.compile(r"(`{3,20}|(?<![^\n])[ \t]*~{3,20})[ \t]*([\w+#.-]*)")
# Of more, nobody could say which is meant.
_MOST_BLOCKS = 10


def blocks_of(text: str, languages: Collection[str]) -> list[str]:
    """Return the code in these languages; where no block says so, that without a language. No code comes twice."""
    named, nameless, at = dict[str, None](), dict[str, None](), 0
    for _ in range(_MOST_BLOCKS):
        opens = _OPENS.search(text, at)
        if opens is None:
            break
        language, code, at = _block(text, opens, languages)
        if code.strip() and (language in languages or not language):
            (named if language else nameless)[dedent(code) if code[0] in " \t" else code] = None
    return list(named or nameless)


def json_in(text: str) -> str:
    """Return the JSON of an answer that was given as text: maybe that of its one code block."""
    body = text.strip()
    blocks = [] if body.startswith("{") else blocks_of(body, ("json", "jsonc", "json5"))
    return blocks[0].strip() if len(blocks) == 1 else body


def block_around(text: str) -> str:
    """Return what stands between a text's first line and its end, if both are fences: fences may be within, too."""
    head, _, rest = text.strip().partition("\n")
    opens = _OPENS.match(head)
    if opens is None or not rest.endswith(opens[1]):
        return ""
    return rest.removesuffix(opens[1]).rstrip(" \t").removesuffix("\n").removesuffix("\r")


def _block(text: str, opens: "re.Match[str]", languages: Collection[str]) -> tuple[str, str, int]:
    marks, language = opens[1].strip(), opens[2].lower()
    begin, line_end = opens.end(2), text.find("\n", opens.end(2)) + 1 or len(text)
    if language not in languages and marks in text[begin:line_end]:  # `x` of a line is no language
        begin, language = opens.start(2), ""
    elif not text[begin:line_end].strip():
        begin = line_end
    end = text.find(marks, begin, line_end)
    if end < 0:  # alone in a line, or else before words
        closing = (rf"\r?\n?(?<![^\n])[ \t]*{marks}+[ \t]*\r?$", rf"{marks}+(?!\S)")
        found = (re.compile(each, re.MULTILINE).search(text, begin) for each in closing)
        end = next((each.start() for each in found if each), len(text))
    closes = re.compile(rf"\s*{marks[0]}*").match(text, end)
    return language, text[begin:end], closes.end() if closes else end
