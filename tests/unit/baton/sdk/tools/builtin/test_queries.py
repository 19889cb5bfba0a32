"""Queries over CSV (columns, conditions, order, limit) and, with JMESPath, over JSON: values, texts and files."""

from pathlib import Path
from typing import Any

import pytest

from baton.sdk.tools.arguments import InvalidArguments
from baton.sdk.tools.builtin.queries import data_file_tools, query_csv, query_json
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool_error import ToolError

TEXT = 'name,city,age\nAda,London,36\nBob,"Graz, Styria",9\nCyd,,100\nDee,Linz\n'


async def query(text: str = TEXT, **arguments: Any) -> Any:
    return await query_csv.run({"text": text, **arguments}, ToolContext.for_test())


async def names(**arguments: Any) -> list[str]:
    return [row["name"] for row in (await query(**arguments))["rows"]]


async def test_a_table_is_read_whole() -> None:
    found = await query()
    assert found["columns"] == ["name", "city", "age"]
    assert found["rows"][1] == {"name": "Bob", "city": "Graz, Styria", "age": "9"}
    assert found["rows"][3] == {"name": "Dee", "city": "Linz", "age": ""}
    assert (found["matched"], found["total"]) == (4, 4)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ([{"column": "age", "operator": ">", "value": 9}], ["Ada", "Cyd"]),
        ([{"column": "age", "value": "9.0"}], ["Bob"]),
        ([{"column": "name", "operator": "<=", "value": "Bob"}], ["Ada", "Bob"]),
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
    with pytest.raises(ToolError, match=message) as caught:
        await query(text, **arguments)
    assert (caught.value.type, caught.value.retryable) == ("UnknownColumn" if arguments else "NotCsv", False)


async def test_another_delimiter_is_reported_and_an_unknown_operator_refused() -> None:
    assert (await query("a;b\n1;2\n", delimiter=";"))["rows"] == [{"a": "1", "b": "2"}]
    with pytest.raises(InvalidArguments):
        await query(where=[{"column": "age", "operator": "like", "value": 1}])


async def test_a_file_below_the_folder_is_queried_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TEXT, encoding="utf-8")
    (tmp_path / "people.json").write_text('{"n": [1, 2, 3]}', encoding="utf-8")
    tools = {item.name: item for item in data_file_tools(tmp_path)}
    csv, json, context = tools["query_csv_file"].run, tools["query_json_file"].run, ToolContext.for_test()
    assert (await csv({"path": "t.csv", "columns": ["name"], "limit": 1}, context))["rows"] == [{"name": "Ada"}]
    assert await json({"path": "people.json", "expression": "sum(n)"}, context) == 6
    with pytest.raises(ToolError, match="contains"):
        await csv({"path": "../t.csv"}, context)
    with pytest.raises(ToolError, match="contains"):
        await json({"path": "../people.json", "expression": "n"}, context)


DATA = {"people": [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 20}]}


async def query_value(data: Any, expression: str) -> Any:
    return await query_json.run({"data": data, "expression": expression}, ToolContext.for_test())


@pytest.mark.parametrize(
    ("data", "expression", "found"),
    [
        (DATA, "people[?age > `30`].name", ["Ada"]),
        (DATA, "sort_by(people, &age)[0].name", "Bob"),
        (DATA, "people[5]", None),
        ('{"a": [1, 2]}', "a[1]", 2),
    ],
)
async def test_an_expression_picks_values(data: Any, expression: str, found: Any) -> None:
    assert await query_value(data, expression) == found


@pytest.mark.parametrize(
    ("data", "expression", "message"),
    [
        ({}, "people[", "does not work"),
        ({}, "unknown_function(@)", "does not work"),
        ({"people": [{"name": "a"}, {"name": 1}]}, "sort_by(people, &name)", "does not work"),
        ("{a: 1}", "a", "not JSON"),
    ],
)
async def test_a_faulty_query_is_a_permanent_failure(data: Any, expression: str, message: str) -> None:
    """Named, so that a model can mend it."""
    with pytest.raises(ToolError, match=message) as caught:
        await query_value(data, expression)
    assert caught.value.retryable is False
