"""Queries over the JSON and CSV files of a folder."""

from pathlib import Path

from baton.tools.builtin.query_csv import query_csv_file_tool
from baton.tools.builtin.query_json import query_json_file_tool
from baton.tools.tool import Tool
from baton.tools.workspace import Workspace


def data_file_tools(root: Path | str) -> tuple[Tool, ...]:
    """Make `query_json_file` and `query_csv_file`, reading below `root`."""
    workspace = Workspace(Path(root))
    return (query_json_file_tool(workspace), query_csv_file_tool(workspace))
