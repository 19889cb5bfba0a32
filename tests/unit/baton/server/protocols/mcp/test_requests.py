"""`POST /mcp`: what is a request of which revision, and what is refused, and how."""

from typing import Any

import pytest

from baton import Agent, Call, Limits, Registry, ScriptedModel
from tests.unit.baton.server.api.client import ACME, OTHER, api_with, assert_problem
from tests.unit.baton.server.protocols.mcp.calling import (
    LEGACY,
    MODERN,
    TAKES_TASKS,
    TASKS,
    Client,
    Price,
    exposed,
    greet,
    text_of,
)

META = "io.modelcontextprotocol"


async def test_what_there_is_is_said_in_both_revisions() -> None:
    """Exposed agents alone are tools; a fixed plan says what it takes."""
    async with exposed() as api:
        new, old = Client(api), Client(api, LEGACY)
        found = await new.result("server/discover")
        assert found["supportedVersions"][:2] == [MODERN, LEGACY]
        assert found["capabilities"] == {"tools": {}, "extensions": {TASKS: {}}}
        listed = await new.result("tools/list")
        assert (listed["ttlMs"], listed["cacheScope"]) == (300_000, "private")
        tools = {tool["name"]: tool for tool in listed["tools"]}
        assert list(tools) == ["talks", "pays", "prices", "greets", "fails"]
        assert (tools["talks"]["description"], tools["pays"]["description"]) == (
            "Talks.",
            "Give a task to the agent pays.",
        )
        assert [tools[name]["inputSchema"].get("minProperties") for name in ("prices", "greets", "fails")] == [
            1,
            None,
            None,
        ]
        assert tools["greets"]["inputSchema"]["required"] == ["name"]
        assert tools["prices"]["outputSchema"]["required"] == ["euros"]
        params = {"protocolVersion": "2099-01-01", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
        said = await old.result("initialize", **params)
        assert (said["protocolVersion"], said["serverInfo"]["name"]) == (LEGACY, "baton")
        assert said["capabilities"]["tasks"] == {"cancel": {}, "requests": {"tools": {"call": {}}}}
        older = await old.result("initialize", **params | {"protocolVersion": "2025-06-18"})
        assert older["protocolVersion"] == "2025-06-18"
        assert await old.result("ping") == {}
        listed = await old.result("tools/list")
        assert "ttlMs" not in listed
        assert listed["tools"][0]["execution"] == {"taskSupport": "optional"}
        (said,) = await new.streamed("subscriptions/listen", notifications={"toolsListChanged": True})
        acknowledged = ("2.0", "notifications/subscriptions/acknowledged")
        assert (said["jsonrpc"], said["method"]) == acknowledged, "there are no changes to tell of"
        assert said["params"] == {"_meta": {f"{META}/subscriptionId": "call-1"}, "notifications": {}}
        sent = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await old.sent(sent, {"mcp-protocol-version": LEGACY})).status_code == 202


@pytest.mark.parametrize(
    ("revision", "method", "params", "wanted"),
    [
        (MODERN, "initialize", {}, (404, -32601)),
        (MODERN, "tasks/result", {"taskId": "job_x"}, (404, -32601)),
        (LEGACY, "server/discover", {}, (200, -32601)),
        (LEGACY, "tasks/update", {"taskId": "job_x"}, (200, -32601)),
        (MODERN, "tools/call", {"name": "hidden"}, (400, -32602)),
        (LEGACY, "tools/call", {"name": "hidden"}, (200, -32602)),
        (MODERN, "tools/call", {}, (400, -32602)),
        (MODERN, "tools/list", {"cursor": "x"}, (400, -32602)),
        (MODERN, "tasks/get", {"taskId": "job_x"}, (400, -32602)),
        (LEGACY, "tasks/result", {"taskId": "job_x"}, (200, -32602)),
        (MODERN, "tasks/cancel", {"taskId": "job_x"}, (400, -32602)),
    ],
)
async def test_errors_are_the_protocols(revision: str, method: str, params: Any, wanted: Any) -> None:
    """With its codes, and the status that each revision has for them."""
    async with exposed() as api:
        assert (await Client(api, revision, **TAKES_TASKS).error(method, **params))[:2] == wanted


@pytest.mark.parametrize("name", [None, "", 3, ["talks"]])
@pytest.mark.parametrize("revision", [MODERN, LEGACY])
async def test_a_call_names_its_tool(revision: str, name: Any) -> None:
    async with exposed() as api:
        body, headers = Client(api, revision).message("tools/call", **({} if name is None else {"name": name}))
        headers.pop("mcp-name", None)
        headers |= {"mcp-name": name} if name == "" and revision == MODERN else {}
        said = (await Client(api, revision).sent(body, headers)).json()["error"]["message"]
    if revision == LEGACY or not isinstance(name, int | list):
        assert said == f"params.name: a text is needed, got {str(name)!r}"


@pytest.mark.parametrize(
    ("headers", "meta", "code"),
    [
        ({"mcp-protocol-version": None}, {}, -32020),
        ({"mcp-protocol-version": LEGACY}, {}, -32020),
        ({"mcp-protocol-version": "1900-01-01"}, {f"{META}/protocolVersion": None}, -32022),
        ({"mcp-method": "tools/list"}, {}, -32020),
        ({"mcp-method": None}, {}, -32020),
        ({"mcp-name": "pays"}, {}, -32020),
        ({"mcp-name": "=?base64?!?="}, {}, -32020),
        ({"mcp-name": "=?base64?dGFsa3M=?="}, {}, 0),
        ({"mcp-name": "talks \t"}, {}, 0),
        ({"mcp-protocol-version": "1900-01-01"}, {f"{META}/protocolVersion": "1900-01-01"}, -32022),
        ({}, {f"{META}/clientCapabilities": None}, -32602),
        ({}, {f"{META}/clientCapabilities": []}, -32602),
        ({}, {f"{META}/protocolVersion": None}, -32602),
    ],
)
async def test_a_request_of_the_newer_revision_says_who_asks(headers: Any, meta: Any, code: int) -> None:
    """In its body, and its headers repeat it: None stands for one that is missing."""
    async with exposed() as api:
        client = Client(api)
        body, sent = client.message("tools/call", name="talks", arguments={"task": "x"})
        body["params"]["_meta"] = _without(body["params"]["_meta"] | meta)
        answer = (await client.sent(body, _without(sent | headers))).json()
        assert answer["id"] == "call-1"
        assert answer.get("error", {"code": 0})["code"] == code
        if code == -32022:
            assert answer["error"]["data"]["requested"] == "1900-01-01"
            assert MODERN in answer["error"]["data"]["supported"]


def _without(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}


async def test_tasks_are_declared_and_owned() -> None:
    async with exposed() as api:
        task_id = (await Client(api, **TAKES_TASKS).called("talks"))["taskId"]
        needs: dict[str, Any] = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
        assert await Client(api).error("tasks/get", taskId=task_id) == (400, -32021, needs)
        hidden = (await api.submitted(jobType="hidden"))["id"]
        for key, named in ((OTHER, task_id), (ACME, hidden)):
            found = await Client(api, key=key, **TAKES_TASKS).error("tasks/get", taskId=named)
            assert found == (400, -32602, None)
        body, headers = Client(api, **TAKES_TASKS).message("tasks/get", taskId=task_id)
        answer = await Client(api).sent(body, headers | {"mcp-name": "job_other"})
        assert answer.json()["error"]["code"] == -32020


async def test_requests_that_are_none_are_refused() -> None:
    async with exposed() as api:
        for content, code in (
            (b"{", -32700),
            (b"[]", -32600),
            (b'{"jsonrpc": "1.0", "id": 1, "method": "x"}', -32600),
            (b'{"jsonrpc": "2.0", "id": null, "method": "x"}', -32600),
            (b'{"jsonrpc": "2.0", "id": 1}', -32600),
        ):
            for revision in (MODERN, LEGACY):
                answer = await api.request("POST", "/mcp", content=content, headers={"mcp-protocol-version": revision})
                assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
        for method in ("GET", "DELETE"):
            assert_problem(await api.request(method, "/mcp"), 405)


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://evil.example.com", 403), ("null", 403), ("https://friend.example.com", 200), ("own", 200)],
)
async def test_pages_of_strangers_are_refused(origin: str, status: int) -> None:
    """Whatever host they say they ask; CORS_ORIGINS names friends."""
    async with exposed(cors_origins="https://friend.example.com") as api:
        own = api.stage.container.settings.worker_base_url.rstrip("/")
        body, headers = Client(api).message("server/discover")
        sent = headers | {"origin": own if origin == "own" else origin, "host": "evil.example.com"}
        assert (await api.request("POST", "/mcp", json=body, headers=sent)).status_code == status


async def test_a_name_in_a_header_matters_only_where_the_body_names_something() -> None:
    async with exposed() as api:
        body, headers = Client(api).message("tools/list")
        assert (await Client(api).sent(body, headers | {"mcp-name": "talks"})).json()["result"]["tools"]


@pytest.mark.parametrize("more", [{"params": None}, {"params": {"cursor": ""}}, {"params": {"cursor": None}}])
async def test_a_parameter_that_says_nothing_is_none(more: Any) -> None:
    async with exposed() as api:
        client = Client(api, LEGACY)
        body, headers = client.message("tools/list")
        assert (await client.sent(body | more, headers)).json()["result"]["tools"]


@pytest.mark.parametrize("revision", [MODERN, LEGACY])
async def test_an_answer_without_its_promised_form_is_an_error(revision: str) -> None:
    """Clients refuse a success that does not fit the tool's schema, and show nothing of it."""
    model = ScriptedModel([[Call("greet", {"name": "Ann"})]] * 3)
    limits = Limits(turns=2)
    agent = Agent(name="prices", model=model, tools=[greet], output_type=Price, limits=limits, expose="mcp")
    async with api_with(Registry([agent])) as api:
        found = await Client(api, revision).called("prices")
        assert (found["isError"], "structuredContent" in found) == (True, False)
        assert text_of(found).startswith("limit_exceeded: ")
        client = Client(api, **TAKES_TASKS)
        task = await client.called("prices", {"task": "again"})
        await api.stage.run()
        assert (await client.result("tasks/get", taskId=task["taskId"]))["result"]["isError"]
