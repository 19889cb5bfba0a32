"""JMESPath over JSON values, texts and files."""

from pathlib import Path
from typing import Any

import pytest

from baton.tools.builtin.queries import data_file_tools, query_json
from baton.tools.context import ToolContext
from baton.tools.tool_error import ToolError

DATA = {"people": [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 20}]}


async def query(data: Any, expression: str) -> Any:
    """As a job runs it."""
    return await query_json.run({"data": data, "expression": expression}, ToolContext.for_test())


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("people[?age > `30`].name", ["Ada"]),
        ("length(people)", 2),
        ("sort_by(people, &age)[0].name", "Bob"),
        ("people[5]", None),
        ("{names: people[].name}", {"names": ["Ada", "Bob"]}),
    ],
)
async def test_an_expression_picks_values(expression: str, found: Any) -> None:
    """What is not there is null."""
    assert await query(DATA, expression) == found


async def test_json_as_text_is_read() -> None:
    """As a tool's result often is."""
    assert await query('{"a": [1, 2]}', "a[1]") == 2


@pytest.mark.parametrize("expression", ["people[", "unknown_function(@)", "length(`5`)", "sort_by(people, &nothing)"])
async def test_a_faulty_expression_is_a_permanent_failure(expression: str) -> None:
    """Named, so that a model can mend it."""
    with pytest.raises(ToolError, match="does not work") as caught:
        await query({"people": [{"name": "a"}, {"name": 1}]}, expression)
    assert (caught.value.type, caught.value.retryable) == ("BadQuery", False)


async def test_what_is_not_json_is_reported() -> None:
    """A text that cannot be parsed."""
    with pytest.raises(ToolError, match="not JSON"):
        await query("{a: 1}", "a")


async def test_a_file_below_the_folder_is_queried_and_no_other(tmp_path: Path) -> None:
    """The folder's rules hold."""
    (tmp_path / "people.json").write_text('{"n": [1, 2, 3]}', encoding="utf-8")
    tools = {item.name: item for item in data_file_tools(tmp_path)}
    run = tools["query_json_file"].run
    assert await run({"path": "people.json", "expression": "sum(n)"}, ToolContext.for_test()) == 6
    with pytest.raises(ToolError, match="contains"):
        await run({"path": "../people.json", "expression": "n"}, ToolContext.for_test())
