"""Pages read easily: nine sentences in ten have 28 words at most, and no page has a retired word."""

import re

import pytest

from baton.engine.waits import A_SLOT, IN_BOUND, STOPPED
from tests.docs.fence import ROOT
from tests.docs.prose import LONGEST_WORDS, faults_of, longest_of_nine_in_ten, sentences_of

FOLDERS = ("docs", "infra", "tests")


def all_pages() -> list[str]:
    found = [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))]
    names = (path.relative_to(ROOT).as_posix() for path in found if "node_modules" not in path.parts)
    return sorted(names)


PAGES = all_pages()


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_reads_easily(page: str) -> None:
    assert faults_of(text_of(page)) == []


def test_all_pages_together_read_easily() -> None:
    """Their sentences in one line, so that a short page weighs less than a long one."""
    found = [sentence for page in PAGES for sentence in sentences_of(text_of(page))]
    assert len(found) > 1000
    assert longest_of_nine_in_ten(found) <= LONGEST_WORDS


def test_what_a_job_waits_for_is_explained_where_the_index_says() -> None:
    page = text_of("docs/guides/operating.md").partition("\n## A job does not move\n")[2].partition("\n## ")[0]
    begins = re.findall(r"^- \*\*(.+?)\*\*", page, re.MULTILINE)
    for text in (A_SLOT, IN_BOUND, STOPPED, "event 'paid', until", "the outcome of tool x", "code that fits tool x"):
        assert any(text.startswith(begin) for begin in begins), text


LONG = "Each of these sentences goes on and on, " + "and on, " * 24 + "and has too many words.\n\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("The queue sends the event. " * 8 + LONG * 2, "one sentence in ten has 61 words or more"),
        ("The queue sends it.\n\nThe store is told\nof it.\n", "line 3: 'told' is retired: The store is told of it."),
        ("| a | b |\n|---|---|\n| c | The carrier is published again. |\n", "line 3: 'carrier' is retired"),
        ("The next work item goes on in place.", "line 1: 'on in place' is retired"),
        ("- Whoever finishes it sends a request.", "line 1: a question is its subject"),
    ],
)
def test_what_reads_badly_is_found(text: str, fault: str) -> None:
    assert [found for found in faults_of(text) if found.startswith(fault)] != []


@pytest.mark.parametrize(
    "text",
    [
        "The queue sends the event. " * 9 + LONG,
        "Set `TOLD_LIMIT_BYTES` and call `tell` in the block below.\n\n```text\nthe wish is told\n```\n",
        "# What a leg was\n\nWho may call it? A client may.",
        "A wish",
    ],
)
def test_what_reads_well_is_none(text: str) -> None:
    """One long sentence in ten, names in code, headings, questions, labels."""
    assert faults_of(text) == []


def test_a_sentence_ends_at_a_full_stop_and_code_is_one_word() -> None:
    text = "It sends `a b c` in 1.5 s (see *there*). Then **version 0.2** answers [a page](x.md) at once, e.g. twice."
    assert [sentence.words for sentence in sentences_of(text)] == [8, 10]
