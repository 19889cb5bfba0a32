"""Tools that query data: rows and columns of CSV, and JSON with JMESPath; from text, or from files of a workspace.

JMESPath: https://jmespath.org/specification.html. Invariant: a query only reads. CSV is filtered by comparisons, never
by code, and JMESPath has no way to reach outside its document. A faulty CSV query names the columns that there are.
"""

import csv
import json
import math
import operator
from collections.abc import Callable, Iterable
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, ConfigDict, Field

from baton.sdk.tools.builtin.workspace import Workspace
from baton.sdk.tools.tool import Tool, tool
from baton.sdk.tools.tool_error import ToolError

Delimiter = Literal[",", ";", "\t", "|"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "contains"]
Row = dict[str, str]


class Condition(BaseModel):
    """What a row must fulfil. Numbers are compared as numbers where both sides are, else as text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    operator: Operator = "="
    value: str | float = Field(union_mode="left_to_right")


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge
}  # fmt: skip


def select_csv(
    text: str, columns: list[str] | None, where: list[Condition] | None, order_by: str, limit: int, delimiter: str
) -> dict[str, Any]:
    """Return `{"columns", "rows", "matched", "total"}`: `matched` counts fitting rows, `rows` has at most the limit.

    Raises:
        ToolError: the text is no table, or the query names a column that is not there; permanent.
    """
    known, rows = _read(text, delimiter)
    order_column = order_by.removeprefix("-")
    for name in filter(None, [*(columns or ()), *(condition.column for condition in where or ()), order_column]):
        if name not in known:
            raise ToolError(f"there is no column {name!r}; there are: {', '.join(known)}", type="UnknownColumn")
    found = [row for row in rows if all(_fits(row, condition) for condition in where or ())]
    if order_column:
        found.sort(key=lambda row: _order(row[order_column]), reverse=order_by.startswith("-"))
        found.sort(key=lambda row: not row[order_column])  # empty ones last, in both directions
    shown = columns or known
    picked = [{name: row[name] for name in shown} for row in found[:limit]]
    return {"columns": shown, "rows": picked, "matched": len(found), "total": len(rows)}


def _read(text: str, delimiter: str) -> tuple[list[str], list[Row]]:
    lines: Iterable[list[str]] = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        filled = [line for line in lines if line]
    except csv.Error as error:
        raise ToolError(f"the text is not CSV: {error}; is the delimiter {delimiter!r}?", type="NotCsv") from error
    if not filled:
        raise ToolError("the text is empty; give CSV with the columns' names in its first line", type="NotCsv")
    columns = [name.strip() for name in filled[0]]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ToolError(f"two columns are named {twice[0]!r}; give each a name of its own", type="NotCsv")
    # A short line ends in empty fields; a long one is a mistake that must not be hidden.
    for number, line in enumerate(filled[1:], start=2):
        if len(line) > len(columns):
            raise ToolError(f"row {number} has {len(line)} fields, the first has {len(columns)}", type="NotCsv")
    return columns, [dict(zip(columns, [*line, *[""] * len(columns)], strict=False)) for line in filled[1:]]


def _fits(row: Row, condition: Condition) -> bool:
    cell, value = row[condition.column], condition.value
    if condition.operator == "contains":
        return str(value).casefold() in cell.casefold()
    left, right = _number(cell), _number(value)
    compare = _COMPARISONS[condition.operator]
    return compare(cell, str(value)) if left is None or right is None else compare(left, right)


def _order(cell: str) -> tuple[bool, float, str]:
    """Return the sort key of a cell: numbers first, by size; then texts."""
    number = _number(cell)
    return (number is None, number or 0.0, cell)


def _number(value: str | float) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


RowLimit = Annotated[int, Field(ge=1, le=1_000)]


@tool(capabilities={"csv"}, retries=0)
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
    return select_csv(text, columns, where, order_by, limit, delimiter)


Expression = Annotated[str, Field(min_length=1, max_length=2_000)]


@tool(capabilities={"json"}, retries=0)
def query_json(data: Any, expression: Expression) -> Any:
    """Pick values out of JSON with a JMESPath expression; what is not there is null.

    Args:
        data: the JSON value, or its text.
        expression: such as "people[?age > `30`].name", "length(items)" or "sort_by(rows, &price)[0]".
    """
    return search_json(_parsed(data) if isinstance(data, str) else data, expression)


def search_json(data: Any, expression: str) -> Any:
    """Evaluate the expression on the data.

    Raises:
        ToolError: the expression is wrong, or does not fit the data; permanent.
    """
    try:
        return jmespath.search(expression, data)
    except (JMESPathError, RecursionError, TypeError, ValueError, KeyError) as error:
        detail = " ".join(str(error).split())
        raise ToolError(f"the JMESPath expression {expression!r} does not work: {detail}", type="BadQuery") from error


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ToolError(f"the data is not JSON: {error}; give a JSON value or its text", type="NotJson") from error


def data_file_tools(root: Path | str) -> tuple[Tool, ...]:
    """Make `query_json_file` and `query_csv_file`, reading below `root`."""
    workspace = Workspace(Path(root))

    @tool(capabilities={"csv", "files"}, retries=0)
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
        return select_csv(workspace.text(path), columns, where, order_by, limit, delimiter)

    @tool(capabilities={"json", "files"}, retries=0)
    def query_json_file(path: str, expression: Expression) -> Any:
        """Pick values out of a JSON file with a JMESPath expression; what is not there is null.

        Args:
            path: the file, as listed by list_files.
            expression: such as "people[?age > `30`].name", "length(items)" or "sort_by(rows, &price)[0]".
        """
        return search_json(_parsed(workspace.text(path)), expression)

    return query_json_file, query_csv_file
