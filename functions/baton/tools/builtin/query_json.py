"""Pick values out of JSON with a JMESPath expression (https://jmespath.org/specification.html).

Invariant: a query reads and never runs anything: JMESPath has no way to reach outside its document.
"""

import json
from typing import Annotated, Any

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import Field

from baton.tools.tool import Tool, tool
from baton.tools.tool_error import ToolError
from baton.tools.workspace import Workspace

_CAPABILITIES = frozenset({"json"})

Expression = Annotated[str, Field(min_length=1, max_length=2_000)]


@tool(capabilities=_CAPABILITIES, retries=0)
def query_json(data: Any, expression: Expression) -> Any:
    """Pick values out of JSON with a JMESPath expression; what is not there is null.

    Args:
        data: the JSON value, or its text.
        expression: such as "people[?age > `30`].name", "length(items)" or "sort_by(rows, &price)[0]".
    """
    return search_json(_parsed(data) if isinstance(data, str) else data, expression)


def query_json_file_tool(workspace: Workspace) -> Tool:
    """Make the tool that queries JSON files of a workspace."""

    @tool(capabilities={*_CAPABILITIES, "files"}, retries=0)
    def query_json_file(path: str, expression: Expression) -> Any:
        """Pick values out of a JSON file with a JMESPath expression; what is not there is null.

        Args:
            path: the file, as listed by list_files.
            expression: such as "people[?age > `30`].name", "length(items)" or "sort_by(rows, &price)[0]".
        """
        return search_json(_parsed(workspace.text(path)), expression)

    return query_json_file


def search_json(data: Any, expression: str) -> Any:
    """What the expression finds.

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
