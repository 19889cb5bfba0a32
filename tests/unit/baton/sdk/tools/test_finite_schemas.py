"""Types whose bounds, defaults or patterns JSON or pydantic cannot hold: schemas can be sent, refusals are clear."""

import json
import math
from dataclasses import make_dataclass
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from baton.sdk.agents.agent import Agent
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import tool

CONTEXT = ToolContext.for_test()
ODD = (math.inf, -math.inf, math.nan)
Behind = Annotated[str, Field(pattern="^(?!root).*$")]  # as pydantic's own engine has no look-around


class Span(BaseModel):
    begin: float = -math.inf
    end: Annotated[float, Field(gt=-math.inf, lt=math.inf)] = math.inf
    default: float = math.nan
    marks: list[float] = Field(default=[1.0, math.inf], examples=[[math.nan]])
    minimum: float = 2.0


class Guess(BaseModel):
    span: Span = Span()
    share: Annotated[float, Field(ge=0, le=math.inf)]


@tool
def cut(span: Span, ratio: Annotated[float, Field(le=math.inf)] = math.nan, default: float = 1.5) -> list[Any]:
    """Cut."""
    return [span.begin, span.end, ratio, default]


def test_every_schema_can_be_sent() -> None:
    output = Agent(name="a", model="demo", output_type=Guess).output
    assert output is not None
    for schema in (cut.parameters, output.spec.parameters):
        json.dumps(schema, allow_nan=False)
        properties = schema["$defs"]["Span"]["properties"]
        assert set(properties) == set(Span.model_fields)
        assert properties["minimum"]["default"] == 2.0
    assert cut.parameters["properties"]["default"]["default"] == 1.5


@pytest.mark.parametrize("default", ODD)
def test_a_default_that_json_has_not_is_the_function_s_own(default: float) -> None:
    @tool
    def wait(seconds: float = default) -> float:
        """Wait."""
        return seconds

    assert wait.parameters["properties"] == {"seconds": {"type": "number"}}
    assert wait.function() is default


async def test_such_defaults_reach_the_function() -> None:
    found = await cut.run({"span": {}}, CONTEXT)
    assert (found[:2], math.isnan(found[2]), found[3]) == ([-math.inf, math.inf], True, 1.5)


def test_a_pattern_that_pydantic_does_not_know_is_refused_with_the_tool_s_name() -> None:
    def find(name: Behind) -> str:
        """Find."""
        return name

    with pytest.raises(TypeError, match=r"tool 'find': an argument's type cannot be read from JSON: .*look-around"):
        tool(find)
    with pytest.raises(TypeError, match=r"agent 'a': output_type cannot be read from JSON: .*look-around"):
        Agent(name="a", model="demo", output_type=make_dataclass("Found", [("name", Behind)]))
