"""MCP servers that are careless, in what their protocol leaves open or forbids: a call loses nothing by it."""

import json
import os
import sys
from base64 import b64encode
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from baton.mcp import McpServer
from baton.sdk.mcp.client import McpError, listed
from baton.sdk.mcp.connections import shared
from baton.sdk.mcp.http_client import Guard, guarded_client
from baton.sdk.mcp.mcp_server import McpContext
from baton.sdk.mcp.server_tools import server_tools
from baton.sdk.tools.context import ToolContext
from baton.sdk.tools.pending import RunAgain
from baton.sdk.tools.tool_error import ToolError
from tests.unit.baton.sdk.mcp.raw_server import (
    ACME,
    HI,
    JSON,
    STREAM,
    TOOL,
    Answer,
    Sent,
    answered_with,
    called,
    events,
    in_turn,
    raw,
    says,
)
from tests.unit.baton.sdk.mcp.served import PNG

PICTURE = PNG + b"\xfb\xff\xfe~"
SENT = b64encode(PICTURE).decode()
LOOKS = {"task": {"id": "t", "sinceMs": 0, "intervalMs": 1000}}


def _reports(*params: dict[str, Any]) -> Answer:
    def answer(request_id: Any) -> Sent:
        reports = [{"progressToken": request_id, **each} for each in params]
        sent = [{"method": "notifications/progress", "params": each} for each in reports]
        return 200, STREAM, events(*sent, {"id": request_id, "result": {"content": [HI]}})

    return answer


@pytest.mark.parametrize(("count", "kept"), [(3, 3), (200, 200), (201, 201), (900, 201)])
async def test_the_newest_report_of_progress_is_kept(count: int, kept: int) -> None:
    """However many there were before it: a call that shows 20 % for an hour looks dead."""
    context = ToolContext.for_test()
    reports = ({"progress": n, "total": count, "message": f"{n}"} for n in range(count))
    assert await called(context, tools_call=_reports(*reports)) == "hi"
    seen = context.recorder.progress_reports
    assert (len(seen), seen[-1]) == (kept, ((count - 1) / count, f"{count - 1}"))
    assert all(one < other for one, other in pairwise(seen))


@pytest.mark.parametrize("params", [{"progress": 10**400, "total": 1}, {"progress": 1, "total": 10**400}])
async def test_a_progress_that_is_no_float_ends_no_connection(params: dict[str, int]) -> None:
    assert await called(tools_call=_reports(params)) == "hi"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ({"code": -32_601, "message": "no such method"}, "no such method"),
        ({"message": "closed today"}, "closed today"),
        ({"code": "E1", "message": "closed today"}, "closed today"),
        ({"code": -32_602, "message": {"why": "closed today"}}, "closed today"),
        ({"code": -32_602}, "-32602"),
    ],
)
async def test_an_error_without_its_requests_id_ends_the_request(error: dict[str, Any], said: str) -> None:
    """And says what the server says; else the call would wait for its limit."""
    sent = json.dumps({"jsonrpc": "2.0", "id": None, "error": error}).encode()
    with pytest.raises(ToolError, match=said) as refused:
        await called(tools_call=answered_with(200, JSON, [sent]))
    assert refused.value.type == "mcp_refused"


@pytest.mark.parametrize(
    "data",
    [
        SENT,
        SENT.rstrip("="),
        SENT.translate(str.maketrans("+/", "-_")),
        f"data:image/png;base64,{SENT}",
        f"{SENT[:8]}\r\n{SENT[8:]}\n",
    ],
)
async def test_a_picture_is_whole_however_it_is_encoded(data: str) -> None:
    block = {"type": "image", "mimeType": "image/png", "data": data}
    [picture] = await called(tools_call=says({"content": [block]}))
    assert picture == await ToolContext.for_test().keep_file(PICTURE, "image/png")


@pytest.mark.parametrize("named", ["text/plain; charset=utf-8", "text/plain;charset=utf-8", " Text/Plain"])
async def test_a_file_s_type_may_have_parameters(named: str) -> None:
    holder = {"uri": "file:///a.txt", "mimeType": named, "blob": b64encode(b"hello").decode()}
    block = {"type": "resource", "resource": holder}
    [file] = await called(tools_call=says({"content": [block]}))
    assert file == await ToolContext.for_test().keep_file(b"hello", "text/plain", "a.txt")


async def test_a_picture_in_no_encoding_is_its_size() -> None:
    block = {"type": "image", "mimeType": "image/png", "data": "iVBO!!!!"}
    [picture] = await called(tools_call=says({"content": [block]}))
    assert picture == {"type": "image", "data": "[6 bytes, left out]"}


class Kept:
    """A cache of lists, with the seconds of each."""

    def __init__(self) -> None:
        self.lists: dict[tuple[str, str], str] = {}
        self.seconds = list[int]()

    async def get(self, tenant: str, key: str) -> str | None:
        return self.lists.get((tenant, key))

    async def put(self, tenant: str, key: str, text: str, seconds: int) -> None:
        self.lists[tenant, key] = text
        self.seconds.append(seconds)


async def test_a_list_that_moves_between_two_pages_has_each_tool_once() -> None:
    """And is kept for the shortest time that a page names."""
    about = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}, "ttlMs": 0, "cacheScope": "private"}
    first = {"tools": [TOOL, TOOL | {"name": "b"}], "nextCursor": "2", "ttlMs": 1_000}
    last = {"tools": [TOOL | {"name": "b"}, TOOL | {"name": "c"}], "ttlMs": 9_000}
    modern = {"resultType": "complete", "cacheScope": "private"}
    kept = Kept()
    pages = in_turn(says(first | modern), says(last | modern))
    async with raw(server_discover=says(about | modern), tools_list=pages) as served:
        names = [each["name"] for each in await listed(McpServer(served.url), ACME, kept)]
    assert (names, kept.seconds) == (["big", "b", "c"], [1])


async def test_who_uses_no_tool_leaves_the_others_their_list() -> None:
    kept = Kept()
    async with raw() as served:
        none, everything = McpServer(served.url, allow=[]), McpServer(served.url)
        assert list(server_tools(none, ACME, await listed(none, ACME, kept))) == []
        [tool] = server_tools(everything, ACME, await listed(everything, ACME, kept))
    assert tool.description == "d"


async def test_a_look_at_a_task_waits_as_long_as_a_busy_server_says() -> None:
    """The task goes on meanwhile: a busy server is one that is away."""
    looking = replace(ToolContext.for_test(), memo=LOOKS, started_at_ms=1000)
    again = await called(looking, tasks_get=answered_with(503, {"retry-after": "77"}))
    assert isinstance(again, RunAgain)
    assert (again.after_seconds, again.memo["task"]["lost"]) == (77, 1)
    again = await called(looking, tasks_get=answered_with(503))
    assert (again.after_seconds, again.memo["task"]["lost"]) == (2, 1)


def test_a_call_may_be_silent_until_its_own_limit() -> None:
    assert [guarded_client({}, None, (), seconds).timeout.read for seconds in (30, 900)] == [300, 900]


async def test_hosts_are_the_same_in_any_case() -> None:
    client = guarded_client({}, None, (), 1)
    await Guard(["Login.Example.com"]).hooks["request"][0](client.build_request("POST", "https://login.example.com/t"))


async def test_neither_a_password_nor_a_query_of_the_address_is_shown() -> None:
    moved = answered_with(302, {"location": "/mcp/?key=s3cret%20word"})
    async with raw(server_discover=moved, initialize=moved) as served:
        url = served.url.replace("//", "//me:s3cret@") + "?key=s3cret%20word"
        server = McpServer(url)
        with pytest.raises(McpError, match="Redirect to") as refused:
            await listed(server, ACME, None)
    assert "s3cret" not in f"{refused.value} {server.name} {server!r}"
    assert server.name == served.url


async def test_headers_that_cannot_be_made_are_a_failure_that_names_them() -> None:
    def of_tenant(context: McpContext) -> dict[str, str]:
        return {"other": {"authorization": "x"}}[context.tenant]

    with pytest.raises(McpError, match=r"shop.example: its headers cannot be made: 'acme'"):
        await listed(McpServer("https://shop.example", headers=of_tenant), ACME, None)


STAYS = """
import json, os, pathlib, sys, time
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
about = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
for line in sys.stdin:
    asked = json.loads(line)
    found = {"initialize": about}.get(asked.get("method"), {"tools": []})
    if "id" in asked:
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": found}), flush=True)
time.sleep(60)
"""


@pytest.mark.long
async def test_a_program_that_does_not_end_by_itself_is_ended(tmp_path: Path) -> None:
    server = McpServer(command=[sys.executable, "-c", STAYS, str(tmp_path / "pid")])
    async with shared():
        assert await listed(server, ACME, None) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
