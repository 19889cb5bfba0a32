"""The official conformance suite of MCP, with the scenarios that a server of agents can pass: `conformance: N of M`."""

import asyncio
import json
import re
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.dev_stack import DevStack
from tests.e2e.mcp_conformance.with_key import with_key
from tests.npm_packages import find_node, npm_packages

pytestmark = [pytest.mark.e2e, pytest.mark.node, pytest.mark.long]

AGENTS = "mcp_conformance.agents"
ENVIRONMENT = {"APPROVAL_LINKS": "true", "RATE_LIMIT_PER_MINUTE": "60000"}
HERE = Path(__file__).parent / "mcp_conformance"
SUITE = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
REVISIONS = ("2026-07-28", "2025-11-25")
LIMIT_SECONDS = 240
_STAMP = re.compile(r"-\d{4}-\d\d-\d\dT.*$")
# Scenarios about what this server does not offer, and why not.
AGENTS_ALONE = "agents are tools: there are no resources, prompts or completions"
TEXT_ALONE = "an agent answers with text and JSON"
APPROVALS_ALONE = "the one question is an approval, with the server's own key and form"
NOT_TO_CLIENT = "the server asks its client for no model, no roots and no logs"
LEFT_OUT = {
    "caching": AGENTS_ALONE,
    "completion-complete": AGENTS_ALONE,
    "prompts-": AGENTS_ALONE,
    "resources-": AGENTS_ALONE,
    "input-required-result-non-tool-request": AGENTS_ALONE,
    "tools-call-image": TEXT_ALONE,
    "tools-call-audio": TEXT_ALONE,
    "tools-call-embedded-resource": TEXT_ALONE,
    "tools-call-mixed-content": TEXT_ALONE,
    "elicitation-sep": APPROVALS_ALONE,
    "tools-call-elicitation": APPROVALS_ALONE,
    "input-required-result-basic-elicitation": APPROVALS_ALONE,
    "input-required-result-result-type": APPROVALS_ALONE,
    "input-required-result-capability-check": NOT_TO_CLIENT,
    "input-required-result-multiple-input-requests": NOT_TO_CLIENT,
    "input-required-result-basic-sampling": NOT_TO_CLIENT,
    "input-required-result-basic-list-roots": NOT_TO_CLIENT,
    "tools-call-sampling": NOT_TO_CLIENT,
    "tools-call-with-logging": NOT_TO_CLIENT,
    "logging-set-level": NOT_TO_CLIENT,
    "tasks-required-task-error": "a call without tasks waits for its answer, so no tool requires them",
    "tasks-mrtr-composition": "an agent asks while it works, and not before its task begins",
    "tasks-status-notifications": "the suite itself leaves it out",
    "json-schema-2020-12": "an agent takes a text and data, not a schema of its author's",
    "http-custom-header-server-validation": "no argument of an agent is repeated in a header",
}
# Single checks of the other scenarios.
LEFT_OUT_CHECKS = {
    "tasks-sync-tool-call": "every agent is a task for a client that takes tasks",
    "sep-2663-legacy-task-param-ignored": "the same",
    "tasks-result-type-complete-on-non-task-responses": "the same",
    "tasks-headers-tolerate-mcp-method-on-tools-call": "the same",
    "sep-2663-tasks-get-status-failed": "an agent's failure is a result; it needs a server that cannot do its work",
    "sep-2575-server-rejects-undeclared-capability": NOT_TO_CLIENT,
    "sep-2575-missing-capability-http-400": NOT_TO_CLIENT,
}


async def test_the_applicable_scenarios_of_the_official_suite_pass(
    stack: DevStack, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    suite = npm_packages(HERE, "mcp-conformance") / SUITE
    port, faults = urlsplit(str(stack.described["app_url"])).port, dict[str, list[str]]()
    assert port
    async with with_key(port, str(stack.described["client_key"])) as door:
        for revision in REVISIONS:
            found = await _faults(suite, door, revision, tmp_path / revision)
            passed = sum(not each for each in found.values())
            counted = f"conformance: {passed} of {len(found)} applicable scenarios of MCP {revision}"
            record_property("counted", counted)
            faults |= {f"{revision} {name}": each for name, each in found.items() if each}
    assert faults == {}


async def _faults(suite: Path, door: int, revision: str, folder: Path) -> dict[str, list[str]]:
    url = f"http://127.0.0.1:{door}/mcp"
    arguments = (str(suite), "server", "--url", url, "--requirements", revision, "-o", str(folder))
    running = await asyncio.create_subprocess_exec(find_node()[0], *arguments, stdout=PIPE, stderr=STDOUT)
    out, _ = await asyncio.wait_for(running.communicate(), LIMIT_SECONDS)
    found = _read(folder)
    assert found, out.decode()
    return found


def _read(folder: Path) -> dict[str, list[str]]:
    found = dict[str, list[str]]()
    for path in sorted(folder.rglob("checks.json")):
        name = _STAMP.sub("", path.parent.name.removeprefix("server-"))
        if any(name.startswith(left_out) for left_out in LEFT_OUT):
            continue
        checks = [check for check in json.loads(path.read_text()) if check["id"] not in LEFT_OUT_CHECKS]
        found[name] = [f"{one['id']}: {one.get('errorMessage')}" for one in checks if one["status"] == "FAILURE"]
    return found
