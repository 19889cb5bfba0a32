"""Tools over a folder of text files: list, search, read, count words; where allowed, write a file or a report.

Invariant: they read (and, where allowed, write) below one folder, and write reports into one other, nothing else. A
report's file name depends on its title and the call's idempotency key alone, so a second attempt of a call replaces the
first one's file. Every refusal is a `ToolError` with an alternative for the model. Must not: touch the disk before a
tool runs, or take a report's path from a model.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from baton.sdk.tools.builtin.workspace import Workspace, write_whole_file
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import Tool, tool
from baton.sdk.tools.tool_error import ToolError
from baton_events.ids import key_digest

MAX_REPORT_SIZE_BYTES = 200_000
_MAX_SLUG_CHARS = 60


def write_report_file(folder: Path, title: str, body: str, idempotency_key: str) -> str:
    """Write the report and return its file name."""
    content = body.encode()
    if len(content) > MAX_REPORT_SIZE_BYTES:
        raise ToolError(
            f"the report has {len(content)} bytes; write at most {MAX_REPORT_SIZE_BYTES}, or several reports",
            type="TooLarge",
        )
    name = _file_name(title, idempotency_key)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole_file(folder / name, content)
    except OSError as error:
        raise ToolError(
            f"cannot write {name!r} into {folder.name!r}: {error.strerror}; is the folder writable?", type="NotWritten"
        ) from error
    return name


def _file_name(title: str, idempotency_key: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:_MAX_SLUG_CHARS].strip("-") or "report"
    return f"{slug}-{key_digest(idempotency_key)}.md"


_MAX_FILES_LISTED = 200
_MAX_HIT_CHARS = 240

Title = Annotated[str, Field(min_length=1, max_length=200)]
Query = Annotated[str, Field(min_length=1, max_length=200)]
HitLimit = Annotated[int, Field(ge=1, le=100)]
CharLimit = Annotated[int, Field(ge=1, le=100_000)]
Start = Annotated[int, Field(ge=0)]


def file_tools(root: Path | str, reports: Path | str | None = None, *, writable: bool = False) -> tuple[Tool, ...]:
    """Make the tools: reading below `root`; `write_report` into `reports`, `write_file` below `root` if writable."""
    workspace = Workspace(Path(root))
    writing = (_writing_tool(workspace),) if writable else ()
    reporting = (_report_tool(Path(reports)),) if reports is not None else ()
    return (*_finding_tools(workspace), *_reading_tools(workspace), *writing, *reporting)


def _finding_tools(workspace: Workspace) -> tuple[Tool, ...]:
    @tool(capabilities={"files"})
    def list_files() -> dict[str, Any]:
        """List the text files that can be searched and read, with their sizes."""
        paths = workspace.paths()
        files = [{"path": path, "size_bytes": workspace.size_bytes(path)} for path in paths[:_MAX_FILES_LISTED]]
        return {"files": files, "not_listed": max(0, len(paths) - _MAX_FILES_LISTED)}

    @tool(capabilities={"files"})
    def search_files(query: Query, limit: HitLimit = 20) -> dict[str, Any]:
        """Find the lines that contain a text, in all files; upper and lower case are the same.

        Args:
            query: the text to look for, best a single word.
            limit: how many lines to give at most; `files` counts all hits of each file.
        """
        return _search(workspace, query, limit)

    return list_files, search_files


def _reading_tools(workspace: Workspace) -> tuple[Tool, ...]:
    @tool(capabilities={"files"})
    def read_file(path: str, max_chars: CharLimit = 20_000, from_char: Start = 0) -> str:
        """Read a text file.

        Args:
            path: the file, as listed by list_files.
            max_chars: how much of it to give; a longer text is cut, and says so in its last line.
            from_char: where to begin: the number of characters to leave out, as the last line of a cut text says.
        """
        text = workspace.text(path)
        if from_char > len(text):
            message = f"{path!r} has {len(text)} characters, so from_char is at most {len(text)}"
            raise ToolError(message, type="OutOfRange")
        end = from_char + max_chars
        if len(text) <= end:
            return text[from_char:]
        return f"{text[from_char:end]}\n[cut: {len(text) - end} more characters; ask with from_char={end}]"

    @tool(capabilities={"files"})
    def count_words(path: str) -> dict[str, Any]:
        """Count the words and lines of a text file.

        Args:
            path: the file, as listed by list_files.
        """
        text = workspace.text(path)
        return {"path": path, "words": len(text.split()), "lines": len(text.splitlines())}

    return read_file, count_words


def _writing_tool(workspace: Workspace) -> Tool:
    # A permanent failure is not retried; the same call, run again after a crash, writes the same text.
    @tool(capabilities={"files:write"})
    def write_file(path: str, text: str, replace: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - by name only
        """Write a text file, whole; folders on its way are made.

        Args:
            path: the file, relative to the folder, such as "notes/plan.txt".
            text: all of its text.
            replace: whether a file that is there is replaced; if not, its being there is an error.
        """
        return {"path": path, "size_bytes": workspace.write(path, text, replace=replace)}

    return write_file


def _report_tool(reports: Path) -> Tool:
    @tool(capabilities={"reports"})
    def write_report(title: Title, text: str, sources: list[str], context: ToolContext) -> dict[str, Any]:
        """Write a report as a Markdown file and give its name; the same call never writes a second file.

        Args:
            title: the report's title; the file's name comes from it.
            text: the report's text, in Markdown.
            sources: the files that the report rests on.
            context: the call, for its idempotency key.
        """
        heading = " ".join(title.split())
        listed = "".join(f"- {source}\n" for source in sources)
        body = f"# {heading}\n\n{text.strip()}\n" + (f"\n## Sources\n\n{listed}" if listed else "")
        return {"path": write_report_file(reports, heading, body, context.idempotency_key), "words": len(body.split())}

    return write_report


def _search(workspace: Workspace, query: str, limit: int) -> dict[str, Any]:
    """Search every file; `files` has all counts, so that a limit on lines never hides a file."""
    hits: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    wanted = query.casefold()
    for path in workspace.paths():
        for number, line in enumerate(_lines(workspace, path), start=1):
            if wanted in line.casefold():
                counts[path] += 1
                hits.append({"path": path, "line": number, "text": line.strip()[:_MAX_HIT_CHARS]})
    return {"query": query, "hits": hits[:limit], "files": dict(counts.most_common()), "total": len(hits)}


def _lines(workspace: Workspace, path: str) -> list[str]:
    """Return a file's lines; none where it is not text or too large: a search must not fail over one file."""
    try:
        return workspace.text(path).splitlines()
    except ToolError:
        return []
