import re
from collections.abc import Callable

import pytest

from tests.docs.fence import ROOT, documented_pages, fences_in
from tests.docs.page_run import PageRun
from tests.docs.rules import REASONS, excused, faults_in, faults_of

# Of the pages that start stacks, `make test` follows the one that is read first.
READ_FIRST = "README.md"
OF_LIBRARIES = {"docs/guides/langgraph.md", "docs/guides/openai-agents.md"}  # they try agents at every point


def marks_of(page: str) -> list[pytest.MarkDecorator]:
    if not any(fence.has("background") for fence in fences_in(page)):
        return [pytest.mark.long] if page in OF_LIBRARIES else []
    return [pytest.mark.e2e] if page == READ_FIRST else [pytest.mark.e2e, pytest.mark.long]


PAGES = [
    pytest.param(page, marks=marks_of(page))
    for page in documented_pages()
    if any(not excused(fence) for fence in fences_in(page))
]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_can_be_followed_from_top_to_bottom(page: str, new_page: Callable[[], PageRun]) -> None:
    run = new_page()
    for fence in fences_in(page):
        run.run(fence)


def test_each_block_says_how_it_is_treated() -> None:
    """A known language, and for what is not run a reason of the list or a test that there is."""
    fences = [fence for page in documented_pages() for fence in fences_in(page)]
    assert [fault for fence in fences for fault in faults_of(fence)] == []
    assert len(fences) > 30


def test_commands_that_are_not_run_exist() -> None:
    fences = [fence for page in documented_pages() for fence in fences_in(page) if fence.language == "bash"]
    assert [fault for fence in fences if excused(fence) for fault in faults_in(fence)] == []


def test_tests_that_a_page_names_exist() -> None:
    named = {
        (page, name)
        for page in documented_pages()
        for name in re.findall(r"`(test_\w+)`", (ROOT / page).read_text(encoding="utf-8"))
    }
    known: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        functions = re.findall(r"^\s*(?:async )?def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
        known |= {path.stem, *functions}
    assert sorted(entry for entry in named if entry[1] not in known) == []
    assert len(named) > 30


def test_no_reason_is_listed_that_nobody_has() -> None:
    given = {fence.option("no-run") for page in documented_pages() for fence in fences_in(page)}
    assert set(REASONS) - given == set()
