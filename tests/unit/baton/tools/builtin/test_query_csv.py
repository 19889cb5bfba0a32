"""CSV queries: columns, conditions, order, limit."""

from pathlib import Path
from typing import Any

import pytest

from baton.tools.arguments import InvalidArguments
from baton.tools.builtin.queries import data_file_tools, query_csv
from baton.tools.context import ToolContext
from baton.tools.tool_error import ToolError

TEXT = 'name,city,age\nAda,London,36\nBob,"Graz, Styria",9\nCyd,,100\nDee,Linz\n'


async def query(text: str = TEXT, **arguments: Any) -> Any:
    """As a job runs it."""
    return await query_csv.run({"text": text, **arguments}, ToolContext.for_test())


async def names(**arguments: Any) -> list[str]:
    """Whom a query finds."""
    return [row["name"] for row in (await query(**arguments))["rows"]]


async def test_a_table_is_read_whole() -> None:
    """Quoted fields, empty ones, and short lines."""
    found = await query()
    assert found["columns"] == ["name", "city", "age"]
    assert found["rows"][1] == {"name": "Bob", "city": "Graz, Styria", "age": "9"}
    assert found["rows"][3] == {"name": "Dee", "city": "Linz", "age": ""}
    assert (found["matched"], found["total"]) == (4, 4)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ([{"column": "age", "operator": ">", "value": 9}], ["Ada", "Cyd"]),
        ([{"column": "age", "operator": ">", "value": "9"}], ["Ada", "Cyd"]),
        ([{"column": "age", "value": "9.0"}], ["Bob"]),
        ([{"column": "name", "operator": "<=", "value": "Bob"}], ["Ada", "Bob"]),
        ([{"column": "name", "operator": "!=", "value": "Ada"}], ["Bob", "Cyd", "Dee"]),
        ([{"column": "city", "operator": "contains", "value": "STYRIA"}], ["Bob"]),
        ([{"column": "city", "value": ""}], ["Cyd"]),
        ([{"column": "age", "operator": "<", "value": 50}, {"column": "city", "value": "London"}], ["Ada"]),
    ],
)
async def test_conditions_compare_numbers_as_numbers(where: list[dict[str, Any]], expected: list[str]) -> None:
    """And texts as texts; all conditions hold."""
    assert await names(where=where) == expected


async def test_order_and_limit_are_kept_apart_from_the_count() -> None:
    """`matched` says how many there are beyond the limit."""
    found = await query(order_by="-age", limit=2, columns=["name"])
    assert found == {"columns": ["name"], "rows": [{"name": "Cyd"}, {"name": "Ada"}], "matched": 4, "total": 4}
    assert await names(order_by="-age") == ["Cyd", "Ada", "Bob", "Dee"]
    assert await names(order_by="age") == ["Bob", "Ada", "Cyd", "Dee"]


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (TEXT, {"columns": ["nam"]}, "no column 'nam'; there are: name, city, age"),
        (TEXT, {"where": [{"column": "x", "value": 1}]}, "no column 'x'"),
        (TEXT, {"order_by": "-x"}, "no column 'x'"),
        ("", {}, "is empty"),
        ("a,a\n1,2\n", {}, "two columns are named 'a'"),
        ("a,b\n1,2,3\n", {}, "row 2 has 3 fields"),
        ('a,b\n"1"2,3\n', {}, "is not CSV"),
        ("a\n" + "x" * 200_000, {}, "is not CSV"),
    ],
)
async def test_a_fault_is_named(text: str, arguments: dict[str, Any], message: str) -> None:
    """As a permanent failure."""
    with pytest.raises(ToolError, match=message) as caught:
        await query(text, **arguments)
    assert caught.value.retryable is False


async def test_another_delimiter_is_reported_and_an_unknown_operator_refused() -> None:
    """Nothing is guessed."""
    assert (await query("a;b\n1;2\n", delimiter=";"))["rows"] == [{"a": "1", "b": "2"}]
    with pytest.raises(InvalidArguments):
        await query(where=[{"column": "age", "operator": "like", "value": 1}])


async def test_a_file_below_the_folder_is_queried_and_no_other(tmp_path: Path) -> None:
    """The folder's rules hold."""
    (tmp_path / "t.csv").write_text(TEXT, encoding="utf-8")
    run = {item.name: item for item in data_file_tools(tmp_path)}["query_csv_file"].run
    found = await run({"path": "t.csv", "columns": ["name"], "limit": 1}, ToolContext.for_test())
    assert found["rows"] == [{"name": "Ada"}]
    with pytest.raises(ToolError, match="contains"):
        await run({"path": "../t.csv"}, ToolContext.for_test())
