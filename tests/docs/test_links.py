import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.docs.fence import ROOT, documented_pages

PAGES = documented_pages()


@cache
def tokens(path: Path) -> list[Token]:
    return MarkdownIt("commonmark").parse(path.read_text(encoding="utf-8"))


def links(path: Path) -> Iterator[str]:
    for token in tokens(path):
        for part in token.children or ():
            if part.type == "link_open":
                yield str(part.attrs["href"])


@cache
def anchors(path: Path) -> set[str]:
    """What its headings are called in an address, as GitHub makes it."""
    headings = [
        after.content for token, after in zip(tokens(path), tokens(path)[1:], strict=False) if token.tag in HEADS
    ]
    return {re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).replace(" ", "-") for heading in headings}


HEADS = {"h1", "h2", "h3", "h4"}


def leads_nowhere(page: str, link: str) -> bool:
    if re.match(r"[a-z]+:", link):
        return False
    file, _, anchor = link.partition("#")
    target = (ROOT / page).parent / file if file else ROOT / page
    if not target.exists():
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in anchors(target)


def test_links_within_the_repository_lead_somewhere() -> None:
    """To a file or a folder, and to a heading of it where one is named."""
    found = [(page, link) for page in PAGES for link in links(ROOT / page) if leads_nowhere(page, link)]
    assert found == []


def test_a_link_that_leads_nowhere_is_found() -> None:
    assert leads_nowhere("README.md", "docs/nowhere.md")
    assert leads_nowhere("README.md", "docs/streams.md#nowhere")
    assert not leads_nowhere("README.md", "docs/streams.md#the-parts")
    assert not leads_nowhere("README.md", "https://example.com")


def test_every_page_is_in_the_index_of_the_documentation() -> None:
    """docs/README.md leads to all pages below docs/, decisions by their own index, so that nobody has to search."""
    index, decisions = ROOT / "docs" / "README.md", ROOT / "docs" / "decisions" / "README.md"
    listed = {(page.parent / link.partition("#")[0]).resolve() for page in (index, decisions) for link in links(page)}
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path != index}
    assert sorted(path.relative_to(ROOT).as_posix() for path in pages - listed) == []
