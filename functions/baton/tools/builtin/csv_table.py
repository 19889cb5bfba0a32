"""Select rows and columns of CSV text: filter, order, limit; with comparisons, never with code.

Invariant: a faulty query names the columns that there are. Must not: evaluate anything of the query.
"""

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from baton.tools.tool_error import ToolError

Delimiter = Literal[",", ";", "\t", "|"]
Operator = Literal["=", "!=", "<", "<=", ">", ">=", "contains"]
Row = dict[str, str]


class Condition(BaseModel):
    """What a row must fulfil. Numbers are compared as numbers where both sides are, else as text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    operator: Operator = "="
    value: str | float = Field(union_mode="left_to_right")


@dataclass(frozen=True, kw_only=True)
class CsvQuery:
    """Which rows and columns: `columns` None: all; `order_by` '' : as they come; '-' before a name: descending."""

    columns: Sequence[str] | None = None
    where: Sequence[Condition] = ()
    order_by: str = ""
    limit: int = 50
    delimiter: str = ","


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def select_csv(text: str, query: CsvQuery) -> dict[str, Any]:
    """`{"columns", "rows", "matched", "total"}`: `matched` counts all rows that fit, `rows` has at most the limit.

    Raises:
        ToolError: the text is no table, or the query names a column that is not there; permanent.
    """
    columns, rows = _read(text, query.delimiter)
    order_column = query.order_by.removeprefix("-")
    named = [*(query.columns or ()), *(condition.column for condition in query.where)]
    for name in [*named, *([order_column] if order_column else [])]:
        if name not in columns:
            raise ToolError(f"there is no column {name!r}; there are: {', '.join(columns)}", type="UnknownColumn")
    found = [row for row in rows if all(_fits(row, condition) for condition in query.where)]
    if order_column:
        found.sort(key=lambda row: _order(row[order_column]), reverse=query.order_by.startswith("-"))
        found.sort(key=lambda row: not row[order_column])  # empty ones last, in both directions
    shown = list(query.columns) if query.columns else columns
    picked = [{name: row[name] for name in shown} for row in found[: query.limit]]
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
    """Numbers first, by size; then texts."""
    number = _number(cell)
    return (number is None, number or 0.0, cell)


def _number(value: str | float) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
