"""Select rows and columns of CSV, from text or from a file of a workspace."""

from typing import Annotated, Any

from pydantic import Field

from baton.tools.builtin.csv_table import Condition, CsvQuery, Delimiter, select_csv
from baton.tools.tool import Tool, tool
from baton.tools.workspace import Workspace

_CAPABILITIES = frozenset({"csv"})

RowLimit = Annotated[int, Field(ge=1, le=1_000)]


@tool(capabilities=_CAPABILITIES, retries=0)
def query_csv(
    text: str,
    columns: list[str] | None = None,
    where: list[Condition] | None = None,
    order_by: str = "",
    limit: RowLimit = 50,
    delimiter: Delimiter = ",",
) -> dict[str, Any]:
    """Select rows and columns of a CSV text; gives the rows, how many matched, and how many there are.

    Args:
        text: the CSV, with the columns' names in its first line.
        columns: which columns to give; all of them if left out.
        where: conditions that a row must all fulfil.
        order_by: a column to order by; with "-" before its name, descending.
        limit: how many rows to give at most.
        delimiter: what stands between fields.
    """
    query = CsvQuery(columns=columns, where=where or (), order_by=order_by, limit=limit, delimiter=delimiter)
    return select_csv(text, query)


def query_csv_file_tool(workspace: Workspace) -> Tool:
    """Make the tool that queries CSV files of a workspace."""

    @tool(capabilities={*_CAPABILITIES, "files"}, retries=0)
    def query_csv_file(
        path: str,
        columns: list[str] | None = None,
        where: list[Condition] | None = None,
        order_by: str = "",
        limit: RowLimit = 50,
        delimiter: Delimiter = ",",
    ) -> dict[str, Any]:
        """Select rows and columns of a CSV file; gives the rows, how many matched, and how many there are.

        Args:
            path: the file, as listed by list_files; the columns' names stand in its first line.
            columns: which columns to give; all of them if left out.
            where: conditions that a row must all fulfil.
            order_by: a column to order by; with "-" before its name, descending.
            limit: how many rows to give at most.
            delimiter: what stands between fields.
        """
        query = CsvQuery(columns=columns, where=where or (), order_by=order_by, limit=limit, delimiter=delimiter)
        return select_csv(workspace.text(path), query)

    return query_csv_file
