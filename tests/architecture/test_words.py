"""One word for each idea: the glossary's, and none that it has replaced."""

import io
import re
import tokenize
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.source_files import ROOT
from tests.docs.prose import RETIRED, RETIRED_IN_NAMES

# "Standing" has a use in plain English.
_RETIRED_PROSE = re.compile(rf"\b(?:{'|'.join(sorted(RETIRED - {'standing', 'standings'}))}|hand(?:s|ed)? on)\b")
_BACKTICKS = re.compile(r"`[^`]*`")
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")


@cache
def _read(source: str) -> tuple[set[str], list[str]]:
    """Return the names in a source text, and its comments and texts."""
    names, texts = set[str](), list[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            names.add(token.string)
        elif token.type in (tokenize.COMMENT, tokenize.STRING):
            texts.append(token.string)
    return names, texts


def retired_in(source: str) -> set[str]:
    names, _ = _read(source)
    return {name for name in names if not RETIRED_IN_NAMES.isdisjoint(word.lower() for word in _WORD.findall(name))}


def retired_in_prose(source: str) -> set[str]:
    """The retired words in a source text's comments, docstrings and messages; what stands in backticks is a name."""
    _, texts = _read(source)
    prose = " ".join(_BACKTICKS.sub("", text) for text in texts if text.count(" ") > 1)
    return set(_RETIRED_PROSE.findall(prose.lower()))


@pytest.mark.parametrize("folder", ["events", "functions", "infra"])
@pytest.mark.parametrize("look", [retired_in, retired_in_prose], ids=["names", "comments, docstrings and messages"])
def test_nothing_has_a_retired_word(look: Callable[[str], set[str]], folder: str) -> None:
    """What is stored or sent under one is renamed where it is read (functions/baton/engine/work_items.py)."""
    found = {str(path.relative_to(ROOT)): look(path.read_text()) for path in Path(ROOT, folder).rglob("*.py")}
    assert {path: words for path, words in found.items() if words} == {}


@pytest.mark.parametrize(
    "text", ["# a leg of a job", '"""The carrier of it."""', 'f"{name} has no lap"', "# it was handed on"]
)
def test_a_retired_word_in_prose_is_found(text: str) -> None:
    assert len(retired_in_prose(text)) == 1
    assert retired_in_prose('"""Its key is `leg:JOB`."""') == set()


@pytest.mark.parametrize("name", ["leg", "call_leg", "LegKind", "_FIRST_WISH", "noteCarriers", "ask_model", "whoever"])
def test_a_retired_word_is_found_in_any_spelling(name: str) -> None:
    assert retired_in(f"{name} = 1") == {name}


def test_a_word_that_only_looks_like_one_is_none() -> None:
    assert retired_in("legal = overlap = outstanding = elegant = 1") == set()


def test_the_glossary_is_sorted_and_has_each_word_once() -> None:
    words = re.findall(r"^- \*\*(.+?)\*\*: ", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    assert len(words) > 40
    assert words == sorted(set(words), key=str.lower)
