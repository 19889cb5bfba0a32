"""The five file tools, as a job runs them."""

from pathlib import Path
from typing import Any

import pytest

from baton.sdk.tools.arguments import InvalidArguments
from baton.sdk.tools.builtin.files import file_tools
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import Tool
from baton.sdk.tools.tool_error import ToolError


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """Where reports go; not there before the first one."""
    return tmp_path / "made" / "reports"


@pytest.fixture
def tools(tmp_path: Path, reports: Path) -> dict[str, Tool]:
    root = tmp_path / "library"
    root.mkdir()
    (root / "a.md").write_text("Whale oil\nwas burned.\nWHALE again\n", encoding="utf-8")
    (root / "b.md").write_text("No such animal, but one whale.\n", encoding="utf-8")
    (root / "c.bin").write_bytes(b"whale\xff\0")
    return {item.name: item for item in file_tools(root, reports)}


async def run(tool: Tool, *, key: str = "key-1", **arguments: Any) -> Any:
    return await tool.run(arguments, ToolContext.for_test(idempotency_key=key))


def names_in(folder: Path) -> list[str]:
    """The files of a folder; none where there is no folder."""
    return sorted(path.name for path in folder.glob("*"))


def test_every_tool_says_what_it_does_and_what_its_arguments_mean(tools: dict[str, Tool]) -> None:
    assert list(tools) == ["list_files", "search_files", "read_file", "count_words", "write_report"]
    for item in tools.values():
        assert item.description
        assert "Args:" not in item.description
        assert all(argument["description"] for argument in item.parameters["properties"].values())


async def test_a_search_counts_every_file_though_it_shows_few_lines(tools: dict[str, Tool]) -> None:
    found = await run(tools["search_files"], query="whale", limit=1)
    assert found == {
        "query": "whale",
        "hits": [{"path": "a.md", "line": 1, "text": "Whale oil"}],
        "files": {"a.md": 2, "b.md": 1},
        "total": 3,
    }
    assert await run(tools["search_files"], query="zebra") == {"query": "zebra", "hits": [], "files": {}, "total": 0}


async def test_a_report_that_cannot_be_written_is_a_tool_error(tools: dict[str, Tool], reports: Path) -> None:
    """One too large; and any on a function whose disk is read-only: the model goes on without a report."""
    with pytest.raises(ToolError, match="write at most 200000"):
        await run(tools["write_report"], title="Long", text="x" * 200_001, sources=[])
    assert names_in(reports.parent) == []
    reports.parent.touch()
    with pytest.raises(ToolError, match="is the folder writable") as caught:
        await run(tools["write_report"], title="Oil", text="x", sources=[])
    assert caught.value.type == "NotWritten"


@pytest.mark.parametrize("arguments", [{"query": ""}, {"query": "x" * 201}, {"query": "x", "limit": 0}])
async def test_a_search_checks_its_arguments(tools: dict[str, Tool], arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArguments):
        await run(tools["search_files"], **arguments)


@pytest.mark.parametrize("name", ["read_file", "count_words"])
async def test_a_path_that_leads_out_is_refused(tools: dict[str, Tool], name: str) -> None:
    with pytest.raises(ToolError, match=r"'\.\./a\.md' contains"):
        await run(tools[name], path="../a.md")


async def test_a_report_is_written_with_title_and_sources(tools: dict[str, Tool], reports: Path) -> None:
    written = await run(
        tools["write_report"], title="Whale  oil: why?\n", text="Because.\n\n", sources=["a.md", "b.md"]
    )
    assert written["path"].startswith("whale-oil-why-")
    text = (reports / written["path"]).read_text(encoding="utf-8")
    assert text == "# Whale oil: why?\n\nBecause.\n\n## Sources\n\n- a.md\n- b.md\n"
    assert written["words"] == len(text.split())


async def test_a_second_attempt_of_one_call_gives_the_same_file(tools: dict[str, Tool], reports: Path) -> None:
    """Another call with the same title gets its own; nothing half-written is left."""
    report = {"title": "Oil", "text": "x", "sources": []}
    first = await run(tools["write_report"], key="key-1", **report)
    again = await run(tools["write_report"], key="key-1", **report)
    other = await run(tools["write_report"], key="key-2", **report)
    assert first == again
    assert names_in(reports) == sorted([first["path"], other["path"]])


@pytest.mark.parametrize("title", ["../../etc/passwd", "…", "/", "a" * 200, "Ünïcode"])
async def test_no_title_leads_out_of_the_reports_folder(tools: dict[str, Tool], reports: Path, title: str) -> None:
    """A title is a text, never a path."""
    written = await run(tools["write_report"], title=title, text="x", sources=[])
    assert names_in(reports) == [written["path"]]
    assert len(written["path"]) < 100


async def test_a_writable_folder_has_a_tool_that_writes(tmp_path: Path) -> None:
    """Only where the author says so; making the tools touches no disk."""
    assert "write_file" not in {item.name for item in file_tools(tmp_path / "nowhere", tmp_path / "reports")}
    assert names_in(tmp_path) == []
    tools = {item.name: item for item in file_tools(str(tmp_path), writable=True)}
    assert list(tools) == ["list_files", "search_files", "read_file", "count_words", "write_file"]
    assert await run(tools["write_file"], path="a/b.md", text="hello") == {"path": "a/b.md", "size_bytes": 5}
    assert await run(tools["read_file"], path="a/b.md") == "hello"


async def test_files_are_listed_read_and_counted(tools: dict[str, Tool]) -> None:
    """A long text is cut and says so, so that a model knows that there is more."""
    listing = await run(tools["list_files"])
    assert [(row["path"], row["size_bytes"]) for row in listing["files"]] == [("a.md", 34), ("b.md", 31), ("c.bin", 7)]
    assert listing["not_listed"] == 0
    assert await run(tools["read_file"], path="b.md") == "No such animal, but one whale.\n"
    cut = await run(tools["read_file"], path="b.md", max_chars=7)
    assert cut == "No such\n[cut: 24 more characters; ask with from_char=7]"
    assert await run(tools["read_file"], path="b.md", max_chars=7, from_char=24) == "whale.\n"
    with pytest.raises(ToolError, match=r"'b\.md' has 31 characters, so from_char is at most 31"):
        await run(tools["read_file"], path="b.md", from_char=32)
    assert await run(tools["count_words"], path="a.md") == {"path": "a.md", "words": 6, "lines": 3}
