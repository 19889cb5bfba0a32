"""The code blocks of a page, with what their first line says about them.

The first word after the backticks is the language, which is all that a viewer of the page looks at; the others are for
whoever runs the page: plain words (`background`, `output`, `fails`) and `name=value` (`file=`, `no-run=`,
`proved-by=`). Pages have blocks that are run if they are written for readers of this version: `docs/spec/`, which
describes other people's protocols, is left out.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
# `<!-- Ctrl-C: baton dev -->`, below the sentence that says so; a viewer of the page shows nothing.
CTRL_C = "ctrl-c"
_CTRL_C = re.compile(r"<!-- Ctrl-C: (.+) -->$", re.MULTILINE)


@dataclass(frozen=True)
class Fence:
    """One block; `line` is where it begins in its page, from 1."""

    page: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    def has(self, word: str) -> bool:
        return word in self.words

    def option(self, name: str) -> str | None:
        """The value of `name=value`, or None."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), None)


def fences_of(text: str, page: str) -> list[Fence]:
    """All fenced blocks of a page's text, those in lists and quotes, too, and where a reader presses Ctrl-C."""
    return [_fence(_info(token), token.map or [0, 0], token.content, page) for token in _tokens(text)]


@cache
def fences_in(page: str) -> list[Fence]:
    return fences_of((ROOT / page).read_text(encoding="utf-8"), page)


def _tokens(text: str) -> list[Token]:
    found = MarkdownIt("commonmark").parse(text)
    return [token for token in found if token.type == "fence" or _CTRL_C.match(token.content)]


def _info(token: Token) -> str:
    """The first line; of a comment that stands for Ctrl-C, what is stopped by it."""
    ctrl_c = _CTRL_C.match(token.content) if token.type == "html_block" else None
    return token.info if ctrl_c is None else f"{CTRL_C} {ctrl_c[1]}"


def _fence(info: str, lines: list[int], text: str, page: str) -> Fence:
    language, *words = info.split() or [""]
    return Fence(page, lines[0] + 1, language, tuple(words), text)


_FOLDERS = (
    ".",
    "docs",
    "docs/guides",
    "docs/reference",
    "docs/decisions",
    "infra",
    "infra/baton_local/qstash",
    "infra/baton_local/redis",
)
_OTHERS = ("tests/simulation/README.md",)


def documented_pages() -> list[str]:
    found = [path.relative_to(ROOT).as_posix() for folder in _FOLDERS for path in sorted((ROOT / folder).glob("*.md"))]
    return [*found, *_OTHERS]
