"""A text of a user reaches no header that cannot carry it: it is refused where it comes, or written in another form."""

import base64
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from msgspec.structs import replace

from baton import Agent, Call, Registry, ScriptedModel, ToolContext, tool
from baton.sdk.models.model import ModelAnswer, ModelRequest
from baton.worker.runtime.callbacks import HttpCallbacks
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import Api, api_of, with_keys
from tests.unit.baton.server.api.sessions.chatting import delivering
from tests.unit.baton.server.console.operator import operator_of
from tests.unit.baton.server.protocols.a2a.test_tasks import called
from tests.unit.baton.server.protocols.ag_ui.test_runs import run_input

GOOD = ("text/csv", "TEXT/CSV", "image/x.y+z-1_2")
ODD = (
    *("image/\u56fe", "image/caf\u00e9", "\uff49mage/png", "image/\u0661", "image/a\u2028b"),
    *(
        "image/a\r\nx-evil: 1",
        "image/a\n",
        "image/a\x00",
        "image/a\x7f",
        "image/a b",
        " image/a",
        "image/a;b",
        'image/"',
    ),
    *("image/", "/", "image", "", "i" * 64 + "/a", "image/" + "i" * 64),
)
DATA = b"abc"


class Looking:
    """A model that takes all pictures."""

    name, reads_history, takes_files = "looking", True, ("*",)

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        return ModelAnswer("done")


@tool(retries=0)
async def keep(ctx: ToolContext, media_type: str) -> dict[str, Any]:
    return await ctx.keep_file(DATA, media_type)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    looks = Agent("looks", Looking(), description="Looks.", expose="a2a")
    keeper = Agent("keeper", ScriptedModel([[Call("keep", {"media_type": "text/csv"})], "done"]), tools=[keep])
    settings = with_keys(file_types="*")
    async with api_of(Stage(settings=settings, registry=Registry([looks, keeper]))) as served:
        yield served


def content(media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(DATA).decode()}"


async def by_chat(api: Api, media_type: str, session: str) -> httpx.Response:
    parts = [{"type": "file", "mediaType": media_type, "url": content(media_type)}]
    body = {"id": session, "agent": "looks", "messages": [{"id": "m", "role": "user", "parts": parts}]}
    return await delivering(api, api.request("POST", "/api/chat", json=body))


async def by_ag_ui(api: Api, media_type: str, session: str) -> httpx.Response:
    source = {"type": "data", "value": base64.b64encode(DATA).decode(), "mimeType": media_type}
    said = {"id": "m", "role": "user", "content": [{"type": "image", "source": source}]}
    return await delivering(api, api.request("POST", "/api/ag-ui/looks", json=run_input("r", said, thread=session)))


async def by_a2a(api: Api, media_type: str, session: str) -> httpx.Response:
    part = {"raw": base64.b64encode(DATA).decode(), "mediaType": media_type}
    message = {"messageId": "m", "role": "ROLE_USER", "contextId": session, "parts": [part]}
    return await called(api, "looks", "SendMessage", {"message": message})


@pytest.mark.parametrize("door", [by_chat, by_ag_ui, by_a2a])
@pytest.mark.parametrize("media_type", [*GOOD, *ODD], ids=ascii)
async def test_a_file_that_was_taken_can_be_read(api: Api, door: Any, media_type: str) -> None:
    answer = await door(api, media_type, "s")
    refused = answer.status_code >= 400 or "error" in (
        answer.json() if "json" in answer.headers["content-type"] else {}
    )
    assert answer.status_code < 500
    assert refused is (media_type in ODD)
    if not refused:
        [file] = (await api.request("GET", "/api/sessions/s")).json()["messages"][0]["parts"]
        read = await api.request("GET", file["url"])
        assert (read.status_code, read.headers["content-type"], read.content) == (200, media_type.lower(), DATA)


@pytest.mark.parametrize("media_type", [*GOOD, *ODD], ids=ascii)
async def test_a_tool_keeps_no_file_that_cannot_be_read(media_type: str) -> None:
    model = ScriptedModel([[Call("keep", {"media_type": media_type})], "done"])
    async with api_of(Stage(settings=with_keys(), registry=Registry([Agent("keeper", model, tools=[keep])]))) as api:
        job = await api.submitted(jobType="keeper", sessionId="s")
        await api.stage.run()
        [call] = (await api.read(job["id"]))["toolCalls"]
        assert call["status"] == ("failed" if media_type in ODD else "completed")
        if call["status"] == "completed":
            read = await api.request("GET", f"/api/sessions/s/files/{call['result']['name']}")
            assert (read.status_code, read.headers["content-type"]) == (200, media_type.lower())


async def test_a_result_is_downloaded_whatever_its_call_is_named() -> None:
    """An outcome that came before its call has a name of whoever sent it."""
    stage = Stage(settings=with_keys())
    await stage.played("answers")
    async with operator_of(stage) as operator:
        for name in ("caf\u00e9", "\u56fe", 'a"b', "a\nb"):
            tree = stage.redis.trees["job_1"]
            stage.redis.trees["job_1"] = replace(tree, results={"job_1": {name: '{"ok":1}'}})
            answer = await operator.http.get(f"/console/jobs/job_1/calls/{quote(name)}/result")
            assert answer.status_code == 200
            assert answer.headers["content-disposition"] == f'attachment; filename="{quote(name)}.json"'


@pytest.mark.parametrize("host", ["\u2488.example", "xn--\u00e9.example", "a" * 64 + ".example", "b\u00fccher.invalid"])
async def test_a_host_that_is_none_ends_no_delivery(host: str) -> None:
    """An address is a text of a user, and the `Host` of the request."""
    why = await HttpCallbacks(resolver=_nobody).send(f"https://{host}/", {}, b"{}")
    assert "cannot be reached" in why or "host" in why


async def _nobody(host: str, _port: int) -> list[str]:
    host.encode("idna")
    raise OSError(f"{host} is unknown")
