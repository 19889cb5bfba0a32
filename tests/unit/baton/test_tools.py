"""What `from baton.tools import …` gives."""

import baton.tools
from baton import Agent, Registry, ScriptedModel
from baton.tools.tool import Tool


def test_every_public_name_is_there() -> None:
    """Users' code rests on them."""
    assert sorted(baton.tools.__all__) == [
        "calculate",
        "data_file_tools",
        "file_tools",
        "http_fetch",
        "now",
        "query_csv",
        "query_json",
        "time_after",
        "time_between",
    ]
    assert all(getattr(baton.tools, name) for name in baton.tools.__all__)


def test_all_of_them_fit_into_one_registry_and_describe_themselves() -> None:
    """No two have the same name; a model knows nothing but the descriptions."""
    tools: list[Tool] = [
        baton.tools.calculate,
        baton.tools.now,
        baton.tools.time_between,
        baton.tools.time_after,
        baton.tools.query_json,
        baton.tools.query_csv,
        *baton.tools.file_tools("data", "reports", writable=True),
        *baton.tools.data_file_tools("data"),
        baton.tools.http_fetch(["example.com"]),
    ]
    registry = Registry([Agent(name="a", model=ScriptedModel(["done"]), tools=tools)])
    assert len(registry.specs_of("a")) == len(tools) == 15
    for spec in registry.specs_of("a"):
        assert spec.description
        assert "Args:" not in spec.description
        assert all("description" in argument for argument in spec.parameters["properties"].values()), spec.name
