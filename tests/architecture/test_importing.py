"""Importing is free: it opens nothing, reads no environment, and a function imports only what it needs."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.architecture.source_files import PACKAGES, ROOT, module_of, source_files

MODELS_EXTRA = (
    "baton.sdk.models.through_pydantic_ai",
    "baton.sdk.pydantic_ai",
    "baton.pydantic_ai",
)  # all of these need it, nothing else does
OPENAI_EXTRA = ("baton.sdk.openai_agents", "baton.openai_agents")  # likewise
LANGGRAPH_EXTRA = ("baton.sdk.langgraph", "baton.langgraph")  # likewise
REDIS_EXTRA = ("baton.store.transport.redis_resp", "baton.store.transport.redis_node")  # likewise
SITE_EXTRA = ("baton.server.api.admin.metrics",)  # likewise
MCP_EXTRA = (  # likewise
    *("baton.sdk.mcp.http_client", "baton.sdk.mcp.odd_results", "baton.sdk.mcp.tasks"),
    "baton.sdk.tools.schema_steps",
)
PATHS = [str(ROOT), *(str((ROOT / place).parent) for place in PACKAGES.values())]
PROBE = Path(__file__).with_name("import_probe.py")

WEBHOOKS = ("agent_loop", "tool_executor", "tool_result_complete", "tool_result_failed", "delivery_failed", "sweep")
# What `tests.bench.startup` calls the bare libraries.
BARE_LIBRARIES = (
    "starlette.applications",
    "starlette.routing",
    "mangum",
    "httpx",
    "qstash",
    "upstash_redis.asyncio",
    "pydantic.main",
    "pydantic.type_adapter",
)
# Pydantic looks for plugins in whatever is installed: here that is much more than in a bundle.
NO_PLUGINS = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
NOT_FOR_WEBHOOKS = tuple(
    f"baton.{name}"
    for name in (
        *("store.transport.http1", "store.transport.redis_node", "store.transport.redis_resp", "queue.qstash.setup"),
        *("observability.open_telemetry", "server.api", "server.console", "server.site", "server.web."),
        *("sdk.agents.samples", "sdk.models.demo", "sdk.models.through_pydantic_ai", "sdk.tools.builtin"),
        *("pydantic_ai", "langgraph", "openai_agents", "sdk.langgraph", "sdk.libraries", "sdk.openai_agents"),
    )
)
FOR_TURNS_ALONE = (
    *("baton.worker.executors.model_turn", "baton.worker.executors.plan_turns", "baton.sdk.models.answer_cache"),
    *("baton.worker.conversation.conversation", "baton.worker.executors.remembering"),
)

# What a webhook function that runs no model loads, beside the standard library: each line was weighed.
OF_A_WEBHOOK = {
    "baton",
    "baton_events",
    "anyio",  # of starlette and httpx
    "httpx",  # of qstash and upstash_redis
    "idna",  # of httpx
    "jwt",  # of qstash: verifies signatures
    "mangum",
    "msgspec",  # reads and writes stored records
    "pydantic",
    "pydantic_core",
    "qstash",
    "starlette",
    "typing_extensions",  # of pydantic and starlette
    "typing_inspection",  # of pydantic
    "upstash_redis",
}


def _production_distributions() -> set[str]:
    """What `pip install durable-baton` brings, without the extras and the development group: from the lock file."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    needs = {package["name"]: [need["name"] for need in package.get("dependencies", [])] for package in packages}
    found: set[str] = set()
    waiting = ["durable-baton"]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += needs[name]
    return found


@cache
def not_in_production() -> tuple[str, ...]:
    """Top-level modules of this environment that a deployed function would not have."""
    there = _production_distributions()
    return tuple(
        module
        for module, owners in packages_distributions().items()
        if not {owner.lower().replace("_", "-") for owner in owners} & there and module not in PACKAGES
    )


def _printed_by_probe(
    modules: Sequence[str], missing: Sequence[str], *, counts: bool = False, beside: Path | None = None
) -> str:
    """What the probe prints; modules may also be in the folder `beside`."""
    request = json.dumps({"modules": list(modules), "missing": list(missing), "counts": counts})
    paths = [*PATHS, *([str(beside)] if beside is not None else [])]
    code = f"import runpy, sys; sys.path[:0] = {paths!r}; runpy.run_path({str(PROBE)!r}, run_name='__main__')"
    command, env = [sys.executable, "-I", "-c", code, request], NO_PLUGINS if counts else {}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _probe(modules: Sequence[str], missing: Sequence[str] = (), beside: Path | None = None) -> dict[str, list[str]]:
    report: dict[str, list[str]] = json.loads(_printed_by_probe(modules, missing, beside=beside))
    return report


@cache
def _imported_by(function: str) -> dict[str, list[str]]:
    return _probe([f"baton.worker.handlers.{function}"], not_in_production())


@cache
def _calls(modules: tuple[str, ...]) -> int:
    """How many functions are called while these are imported, as a deployed function has them."""
    return int(_printed_by_probe(modules, not_in_production(), counts=True))


def _modules_of(*packages: str) -> list[str]:
    return [
        module_of(file)
        for file in source_files(*(PACKAGES[package] for package in packages))
        if not file.name.endswith("__main__.py")
    ]


@pytest.mark.parametrize("function", ["tool_executor", "tool_result_complete", "tool_result_failed"])
def test_a_webhook_function_imports_only_what_it_needs(function: str) -> None:
    """No command line, no local stack, no model library; and it works without the extras of a developer's machine."""
    assert set(_imported_by(function)["loaded"]) == OF_A_WEBHOOK


@pytest.mark.parametrize(
    "function", [*WEBHOOKS[:2], *(pytest.param(name, marks=pytest.mark.long) for name in WEBHOOKS[2:])]
)
def test_imports_of_a_webhook_cost_little_more_than_the_libraries(function: str) -> None:
    """Under a third more calls than the bare libraries; a count does not depend on how busy a machine is."""
    assert _calls((f"baton.worker.handlers.{function}",)) <= 1.29 * _calls(BARE_LIBRARIES)


@pytest.mark.parametrize("module", [*(f"worker/handlers/{name}" for name in WEBHOOKS), "server/app", "server/site"])
def test_a_start_looks_for_no_garbage_from_its_first_import_on(module: str) -> None:
    """Of what is ours: each search would go through all that is imported."""
    source = (ROOT / PACKAGES["baton"] / f"{module}.py").read_text(encoding="utf-8")
    first = next(line for line in source.splitlines() if line.startswith(("import baton", "from baton")))
    assert first.startswith("import baton.worker.quick_start")


@pytest.mark.parametrize("function", WEBHOOKS)
def test_a_webhook_function_imports_nothing_of_what_others_do(function: str) -> None:
    """No page of the site, no sample agent, no tracing that nobody asked for; models where turns are made alone."""
    ours = set(_imported_by(function)["ours"])
    others = NOT_FOR_WEBHOOKS if function == "agent_loop" else (*NOT_FOR_WEBHOOKS, *FOR_TURNS_ALONE)
    assert [name for name in ours if name.startswith(others)] == []


def test_production_works_without_the_local_stack() -> None:
    """Every module of baton and baton_events imports with baton_local and the local extra not installed.

    So does what asks a provider, speaks RESP, looks at tasks of MCP or writes metrics, once the extra of each is.
    """
    ours = _modules_of("baton", "baton_events")
    extras = (
        *MODELS_EXTRA,
        *OPENAI_EXTRA,
        *LANGGRAPH_EXTRA,
        *REDIS_EXTRA,
        *MCP_EXTRA,
        *SITE_EXTRA,
        "baton.sdk.code_mode.interpreter",
        "baton.sdk.code_mode.interpreter",
    )
    modules = [name for name in ours if not name.startswith(extras)]
    report = _probe(modules, [*not_in_production(), "baton_local"])
    assert not {"baton_local", "pydantic_ai", "redis", "hiredis", "jinja2", "upstash_vector"} & set(report["loaded"])


@pytest.mark.parametrize("name", ["qstash", "redis", "vector"])
def test_a_stand_in_runs_with_nothing_of_baton(name: str) -> None:
    report = _probe([f"baton_local.{name}.__main__"], ["baton", "baton_events", "qstash", "upstash_redis"])
    parts = (f"baton_local.{name}", "baton_local.stand_in")
    assert [module for module in report["ours"] if module != "baton_local" and not module.startswith(parts)] == []


RUNS_A_TOOL = """
import asyncio
from baton.sdk.agents.agent import Agent
from baton.sdk.agents.registry import Registry
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.tool import tool

@tool
def add(a: int, b: int) -> int:
    return a + b

registry = Registry(agents=[Agent("a", model=["openai:gpt-5-mini", "anthropic:claude-haiku-4-5"], tools=[add])])
assert asyncio.run(registry.tool("add").run({"a": 1, "b": 2}, ToolContext.for_test())) == 3
assert registry.model_of("a").name == "openai:gpt-5-mini, anthropic:claude-haiku-4-5"
"""


def test_agents_with_models_of_providers_run_tools_without_any_model_library(tmp_path: Path) -> None:
    """Building the registry, running a tool, even making the model: only its first request loads the library."""
    (tmp_path / "runs_a_tool.py").write_text(RUNS_A_TOOL)
    report = _probe(["runs_a_tool"], not_in_production(), tmp_path)
    assert set(report["loaded"]) - {"runs_a_tool", "annotated_types"} <= OF_A_WEBHOOK  # pydantic's, for fields


def test_importing_opens_nothing_and_reads_no_environment() -> None:
    """But for LangGraph: what it imports tries whether the machine has IPv6."""
    report = _probe([name for name in _modules_of(*PACKAGES) if not name.startswith(LANGGRAPH_EXTRA)])
    assert (report["audits"], report["readers"]) == ([], [])


def test_the_client_loads_nothing_of_what_it_talks_to() -> None:
    report = _probe(["baton.client"], not_in_production())
    shared = {"baton", "baton_events", "baton_events.proxies"}  # the one place that decides about proxies
    assert [name for name in report["ours"] if name not in shared and not name.startswith("baton.client")] == []
    assert not {"pydantic", "qstash", "starlette", "upstash_redis"} & set(report["loaded"])


def test_the_probe_sees_what_it_looks_for(tmp_path: Path) -> None:
    """A module that opens a socket and reads the environment is found out."""
    planted = tmp_path / "functions_planted.py"
    planted.write_text("import os, socket\n__name__ = 'baton.planted'\nsocket.socket().close()\nos.environ.get('A')\n")
    report = _probe(["functions_planted"], beside=tmp_path)
    assert report["readers"] == ["baton.planted"]
    assert any(audit.startswith("socket.") for audit in report["audits"])
