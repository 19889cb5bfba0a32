"""What `from baton import …` and `from baton.tools import …` give, and what it costs."""

import subprocess
import sys

import baton
import baton.tools
from baton import Agent, Registry, ScriptedModel
from baton.sdk.tools.tool import Tool

FORBIDDEN = {"starlette", "mangum", "httpx", "qstash", "upstash_redis", "aiohttp", "baton_local"}


PUBLIC = [
    "Agent", "Budget", "Call", "CallLimit", "CodeMode", "Decision", "DropOldest", "Emitter", "Event",
    "HandlerContext", "JobInfo", "KeepAll", "LimitedCall", "Limits", "Memory", "PayloadCodec",
    "PayloadContext", "Pending", "Registry", "Schedule", "ScriptedModel", "Step", "Summarize", "ToolContext",
    "ToolError", "approval", "as_tool", "check_operation_status", "emit", "on", "operation_status", "recall",
    "remember", "result_of", "sleep", "sleep_until", "task_data", "task_text", "tool", "wait_for_event",
    "workflow",
]  # fmt: skip


def test_the_public_names_are_those_documented() -> None:
    assert sorted(baton.__all__) == PUBLIC
    assert all(getattr(baton, name) for name in baton.__all__)


def test_importing_the_surface_loads_no_web_framework_no_sdk_and_no_model() -> None:
    """The function that runs tools imports it too, and must stay light."""
    code = "import sys, baton; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    loaded = done.stdout.split()
    assert not FORBIDDEN & {name.split(".")[0] for name in loaded}
    assert "baton.sdk.models.demo" not in loaded


TIMES = ["time_after", "time_between"]


def test_every_public_name_is_there() -> None:
    files = ["data_file_tools", "file_tools", "http_fetch"]
    assert sorted(baton.tools.__all__) == ["calculate", *files, "now", "query_csv", "query_json", *TIMES]
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
