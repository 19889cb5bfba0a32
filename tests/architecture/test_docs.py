"""The documentation is held to the code: what it names exists, what is generated is up to date."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args, get_type_hints, is_typeddict

import pytest

from baton.sdk.records.stream_part import StreamPart
from baton.settings.table import SETTINGS
from baton_local.cli.main import SUBCOMMANDS
from tests.architecture.source_files import PACKAGES, ROOT, SourceFile, all_files, production_files
from tests.docs.generated.__main__ import replace_block, stale_pages

# contract.md names what a caller sends and receives.
# What a reader makes or names: data, environment, archives, a package, a secret.
NOT_OURS = (".baton", ".venv", "dist/", "my_company", "baton/prod")
# Methods and extensions of MCP are written like paths.
METHOD_OF_MCP = re.compile(r"(?:server|tools|tasks|subscriptions|io\.modelcontextprotocol)/[a-z]+")
PLACES = [(ROOT / place).parent for place in PACKAGES.values()]
NOT_OF_THE_TREE = ("contract.md",)
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")] + [
    page
    for folder in ("docs", "docs/guides", "docs/reference", "docs/decisions")
    for page in sorted((ROOT / folder).glob("*.md"))
    if page.name not in NOT_OF_THE_TREE
]

DECISIONS = ROOT / "docs" / "decisions"
PROMISE = DECISIONS / "0001-the-promise.md"

FILE_IN_TEXT = re.compile(r"(?<![\w/.*])[\w.-]*[\w/-]*\w\.(?:py|lua|md|toml|yml)\b(?!\w)")
MODULE_IN_TEXT = re.compile(rf"\b(?:{'|'.join(PACKAGES)})(?:\.[a-z_]+)+")
PATH_IN_PAGE = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w.-]+\.(?:py|lua|md|toml|yml|example))`")
# A section of one of the pages that the code cites as its source: `qstash.md 10`.
SECTION_IN_TEXT = re.compile(r"\b(qstash\.md|redis-rest\.md|vector-rest\.md) (\d+)\b")
DECISION_IN_TEXT = re.compile(r"\bdecisions/(\d[\w-]*)")
PAGE_OF_SOURCE = {
    "qstash.md": "docs/spec/qstash.md",
    "redis-rest.md": "docs/spec/redis-rest.md",
    "vector-rest.md": "docs/spec/vector-rest.md",
}


@cache
def _texts(file: SourceFile) -> list[str]:
    nodes = [file.tree, *file.functions(), *file.classes()]
    comments = [line.partition("#")[2] for line in file.text.splitlines() if "#" in line]
    return [ast.get_docstring(node) or "" for node in nodes] + comments


def _exists(path: str, beside: str) -> bool:
    """A path from the root, one beside or above the file that cites it, or the plain name of a page or a script."""
    above = [ROOT / folder for folder in Path(beside).parents]
    by_name = [ROOT / folder for folder in ("docs", "docs/spec", "functions/baton/store/redis/lua")]
    names = (path, f"{path}.md", path.replace(".handler", ".py"))
    return any((place / name).exists() for place in (*above, *by_name, *PLACES) for name in names)


def _is_module(name: str) -> bool:
    parts = name.split(".")
    return any(
        (place / "/".join(parts)).is_dir()
        or any((place / "/".join(parts[:n])).with_suffix(".py").exists() for n in range(2, len(parts) + 1))
        for place in PLACES
    )


def test_files_and_modules_that_docstrings_and_comments_cite_exist() -> None:
    """A reference that leads nowhere costs every reader a search."""
    texts = [(file.name, text) for file in production_files() for text in _texts(file)]
    paths = {(name, path) for name, text in texts for path in FILE_IN_TEXT.findall(text)}
    assert sorted((name, path) for name, path in paths if not _exists(path, name)) == []
    modules = {(name, module) for name, text in texts for module in MODULE_IN_TEXT.findall(text)}
    assert sorted((name, module) for name, module in modules if not _is_module(module)) == []


def test_sections_that_the_code_cites_exist() -> None:
    """`qstash.md 10` is section 10 of docs/spec/qstash.md."""
    headings = {
        (source, number)
        for source, page in PAGE_OF_SOURCE.items()
        for number in re.findall(r"^## (\d+)\.", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    }
    cited = {
        (file.name, source, number)
        for file in all_files()
        if SECTION_IN_TEXT.search(file.text)  # looking is faster than reading each docstring by itself
        for text in _texts(file)
        for source, number in SECTION_IN_TEXT.findall(text)
    }
    assert sorted(entry for entry in cited if entry[1:] not in headings) == []


def test_decisions_that_the_code_cites_exist_and_the_index_lists_each() -> None:
    """`decisions/0004-work-items` is docs/decisions/0004-work-items.md; the index lists every page."""
    pages = {page.stem for page in DECISIONS.glob("[0-9]*.md")}
    cited = {(file.name, name) for file in all_files() for name in DECISION_IN_TEXT.findall(file.text)}
    assert sorted(entry for entry in cited if entry[1] not in pages) == []
    assert sorted(re.findall(r"\((\d.*)\.md\)", (DECISIONS / "README.md").read_text(encoding="utf-8"))) == sorted(pages)


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_paths_that_a_page_names_exist(page: Path) -> None:
    """Every path in backticks, from the project's root; the data folder and the reader's own files come later."""
    text = page.read_text(encoding="utf-8")
    named = {
        path
        for path in PATH_IN_PAGE.findall(text)
        if not path.startswith(NOT_OURS) and not METHOD_OF_MCP.fullmatch(path)
    }
    assert sorted(path for path in named if not _exists(path.rstrip("/"), "docs/x")) == []


def test_generated_parts_are_up_to_date() -> None:
    """`make docs` would change nothing: tables and diagrams are those of the code."""
    assert list(stale_pages()) == []


def test_reference_and_example_list_every_setting() -> None:
    """The reference's table with the default, .env.example with the name."""
    reference = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else setting.unit
        assert f"| `{setting.name}` | {default}" in reference
        assert f"{setting.name}={setting.default}\n" in example


def test_commands_that_a_page_names_exist() -> None:
    """`make TARGET` and `baton SUBCOMMAND`."""
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= set(targets)
    assert set(re.findall(r"(?:`|^)baton ([a-z][a-z-]*)", text, re.MULTILINE)) <= set(SUBCOMMANDS)


def test_readme_names_every_kind_of_test() -> None:
    """Each folder of `tests/` that has some."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    assert sorted(folder for folder in folders if f"| `tests/{folder}/` |" not in readme) == []


def test_readme_promises_what_the_decision_promises() -> None:
    readme, promise = (" ".join(page.read_text(encoding="utf-8").lower().split()) for page in (PAGES[0], PROMISE))
    clauses = re.split(r"[.;] ", promise.replace("> ", "").partition("prove it: ")[2].partition(". the promise")[0])
    assert len(clauses) == 4
    assert [clause for clause in clauses if clause not in readme] == []


def test_a_page_without_markers_is_an_error() -> None:
    assert replace_block("a\n<!-- generated: x -->old<!-- end: x -->b", "x", "new").count("new") == 1
    for page in ("", "<!-- end: x --><!-- generated: x -->", "<!-- generated: x -->" * 2 + "<!-- end: x -->"):
        with pytest.raises(ValueError, match="generated: x"):
            replace_block(page, "x", "new")


MAKERS = (
    "functions/baton/engine/stream_parts.py",
    "functions/baton/engine/waits.py",
    "functions/baton/worker/executors/tool_context.py",
)
KIND_IN_CODE = re.compile(r'"type": ?"([a-z]+-[a-z-]+|start|abort|error|finish)"')


def _kinds_of(type_: object) -> Iterator[str]:
    """Yield the kinds of parts of a union of records."""
    for each in get_args(type_):
        inside = get_type_hints(each)["type"] if is_typeddict(each) else each
        yield from [each] if isinstance(each, str) else _kinds_of(inside)


def test_the_page_lists_every_part() -> None:
    made = {kind for name in MAKERS for kind in KIND_IN_CODE.findall((ROOT / name).read_text())}
    page = (ROOT / "docs" / "streams.md").read_text()
    rows = [line.split("|")[1] for line in page.partition("## The parts")[2].splitlines() if line.startswith("| `")]
    assert {kind for row in rows for kind in re.findall(r"`([a-z-]+)`", row)} == made == set(_kinds_of(StreamPart))
    assert len(made) > 20


SEEDS = (ROOT / "tests" / "seeds.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`(test_\w+)`", SEEDS))


def _tests(*folders: str) -> set[str]:
    texts = (path.read_text(encoding="utf-8") for folder in folders for path in (ROOT / folder).rglob("test_*.py"))
    return {name for text in texts for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)}


def test_each_row_of_the_seeds_names_a_test_and_each_test_of_a_row_is_named() -> None:
    """Those that have a seed in their name."""
    assert sorted(NAMED - _tests("tests/unit")) == []
    rows = {name for name in _tests("tests/unit/baton/whole/seeds") if name.startswith("test_seed_00")}
    assert len(rows) > 30
    assert sorted(rows - NAMED) == []


def test_each_row_of_a_table_names_a_test() -> None:
    rows = [line for line in SEEDS.splitlines() if re.match(r"\| (?!---|the document )", line)]
    assert len(rows) > 40
    whole_files = {path for row in rows for path in re.findall(r"`(tests/[\w/]+\.py)`", row)}
    assert sorted(path for path in whole_files if not (ROOT / path).exists()) == []
    assert [row for row in rows if not re.search(r"`test_\w+`|`tests/[\w/]+\.py`", row)] == []


def test_where_to_change_what_has_at_most_20_rows() -> None:
    """Folders and names answer the rest."""
    section = (ROOT / "CONTRIBUTING.md").read_text().split("## Where do I change", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in section.splitlines() if line.startswith("| ")][2:]
    assert 10 <= len(rows) <= 20
