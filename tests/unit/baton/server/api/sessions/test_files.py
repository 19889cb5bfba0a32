"""Files in chats: checked, kept with their session, told to models that take them, and given back."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from baton import Agent, Registry
from baton.sdk.models.model import ModelAnswer, ModelRequest, UserMessage
from baton.server.api.problem import ApiError
from baton.server.api.sessions.files import ChatFiles
from tests.unit.baton.server.api.client import ACME, OTHER, Api, api_with, assert_problem
from tests.unit.baton.server.api.sessions.chatting import delivering, sending, text_of

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400
LIMIT_BYTES = 200_000


class Looking:
    name, reads_history = "looking", True
    takes_files: tuple[str, ...] = ("image/*", "text/plain")

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        files = [one for message in request.messages if isinstance(message, UserMessage) for one in message.files]
        shown = [f"{one.filename} {one.url or len(base64.urlsafe_b64decode(one.data))}" for one in files]
        return ModelAnswer(", ".join(shown) or "none")


class Blind(Looking):
    name, takes_files = "blind", ()


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    registry = Registry([Agent("looks", model=Looking()), Agent("blind", model=Blind())])
    async with api_with(registry, files_limit_bytes=LIMIT_BYTES) as made:
        yield made


def file_part(data: bytes = PICTURE, media_type: str = "image/png", **fields: Any) -> dict[str, Any]:
    url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    return {"type": "file", "mediaType": media_type, "filename": "a.png", "url": url} | fields


async def asked(api: Api, name: str, *parts: Any, key: str = ACME, **fields: Any) -> httpx.Response:
    body = {"id": "c", "messages": [{"id": name, "role": "user", "parts": [*parts]}], **fields}
    return await delivering(api, api.request("POST", "/api/chat", key, json=body))


async def test_a_file_reaches_the_model_and_travels_in_no_message(api: Api) -> None:
    """Nor is it in what is recorded of the job; the next message's model is given it, too."""
    assert text_of(await asked(api, "m1", {"type": "text", "text": "What is it?"}, file_part())) == "a.png 102408"
    assert text_of(await asked(api, "m2", {"type": "text", "text": "And now?"})) == "a.png 102408"
    content = base64.b64encode(PICTURE)[:100].decode()
    trees = repr([tree.transcript for tree in api.stage.store.trees.values()])
    assert not any(content in message.body for _, message in api.stage.queue.published)
    assert content.replace("+", "-").replace("/", "_") not in trees
    public = file_part(url="https://example.com/a.png")
    assert text_of(await asked(api, "m3", public)).endswith("a.png https://example.com/a.png")


async def test_a_file_that_comes_twice_counts_once(api: Api) -> None:
    """Two of its size are over the limit, and would leave no room for the third."""
    small = file_part(PICTURE[:100], filename="b.png")
    answers = [
        text_of(await asked(api, name, {"type": "text", "text": "Look."}, part))
        for name, part in (("m1", small), ("m2", file_part()), ("m3", file_part()))
    ]
    assert answers[-1] == "b.png 100, a.png 102408, a.png 102408"


async def test_a_file_is_given_back_to_its_tenant_and_can_be_sent_again(api: Api) -> None:
    """By the address in the session's view, which holds no content; not to others, and not once it is deleted."""
    await asked(api, "m1", file_part())
    assert_problem(await asked(api, "m1", file_part(PICTURE + b"x")), 422, "messages.0.id")
    part = (await api.request("GET", "/api/sessions/c")).json()["messages"][0]["parts"][-1]
    assert (part["type"], part["mediaType"], part["filename"]) == ("file", "image/png", "a.png")
    found = await api.request("GET", part["url"])
    assert (found.content, found.headers["content-type"]) == (PICTURE, "image/png")
    assert (found.headers["content-disposition"], found.headers["x-content-type-options"]) == ("attachment", "nosniff")
    assert text_of(await asked(api, "m1", part, trigger="regenerate-message")) == "a.png 102408"
    assert text_of(await asked(api, "m2", part)) == "a.png 102408, a.png 102408"
    assert_problem(await api.request("GET", part["url"], OTHER), 404)
    assert (await api.request("DELETE", "/api/sessions/c")).status_code == 204
    assert_problem(await api.request("GET", part["url"]), 404)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (file_part(media_type="application/x-msdownload"), "UNSUPPORTED_FILE"),
        (file_part(mediaType="image/gif"), "UNSUPPORTED_FILE"),
        (file_part(media_type="image/gif"), "UNSUPPORTED_FILE"),
        (file_part(mediaType="picture"), "mediaType"),
        (file_part(b""), "the file is empty"),
        (file_part(url="data:image/png;base64,%%%"), "its content is not Base64"),
        (file_part(url="data:image/png"), "it has no comma"),
        (file_part(url="file:///etc/passwd"), "neither a data URL nor"),
        (file_part(url="http://example.com/a.png"), "neither a data URL nor"),
        (file_part(url="https://10.0.0.1/a.png"), "10.0.0.1"),
        (file_part(url="/api/sessions/c/files/" + "0" * 64), "no such file"),
    ],
)
async def test_what_is_no_file_is_refused(api: Api, part: dict[str, Any], said: str) -> None:
    """415 or 422, and there is no job."""
    response = await asked(api, "m1", part)
    assert said in response.text
    assert all(fault["field"].startswith("messages.0.parts.0") for fault in response.json().get("errors", []))
    blamed = [fault["field"].rpartition(".")[2] for fault in response.json().get("errors", [])]
    assert (response.status_code, blamed) in [(415, []), (422, ["url"]), (422, ["mediaType"])]
    assert (await api.request("GET", "/api/agent-jobs")).json()["jobs"] == []


@pytest.mark.parametrize(
    ("parts", "agent", "status", "said"),
    [
        ([file_part(bytes(LIMIT_BYTES + 1))], "looks", 413, ""),
        ([file_part(bytes(LIMIT_BYTES))], "looks", 200, ""),
        ([file_part(url="https://example.com/a.png")] * 20, "looks", 200, ""),
        ([file_part(), file_part(PICTURE + b"x")], "looks", 413, ""),
        ([file_part(url="https://example.com/a.png")] * 21, "looks", 413, ""),
        ([file_part()], "blind", 422, "agent 'blind' takes no files"),
        ([file_part(b"%PDF-", "application/pdf")], "looks", 422, "agent 'looks' takes no files"),
    ],
    ids=[
        "large",
        "as large as may be",
        "as many as may be",
        "large together",
        "many",
        "for a model without eyes",
        "for a model of pictures",
    ],
)
async def test_what_is_too_much_or_not_for_the_model_is_refused(
    api: Api, parts: list[Any], agent: str, status: int, said: str
) -> None:
    if status == 200:
        assert (await asked(api, "m1", *parts, agent=agent)).status_code == 200
        return
    fields = ["messages"] if status == 422 else []
    assert said in assert_problem(await asked(api, "m1", *parts, agent=agent), status, *fields)


async def test_a_job_whose_file_is_gone_fails_and_says_so(api: Api) -> None:
    """An earlier message's file is left out instead."""
    await asked(api, "m1", file_part())
    api.stage.redis.forget("baton:files:")
    response = await asked(api, "m2", {"type": "text", "text": "And now?"})
    assert text_of(response) == "a.png 0"

    messages = [{"id": "m3", "role": "user", "parts": [file_part()]}]
    requesting = await sending(api, "c", "m3", "", messages=messages)
    api.stage.redis.forget("baton:files:")
    await api.stage.run()
    await requesting
    (job, *_) = (await api.request("GET", "/api/agent-jobs?sessionId=c")).json()["jobs"]
    assert (await api.read(job["id"]))["error"]["type"] == "file_gone"


HASH = "0" * 64


@pytest.mark.parametrize(
    ("part", "status", "detail", "fields"),
    [
        ({"url": 5}, 422, "the file is not valid: Input should be a valid string", ["f.url"]),
        ({"mediaType": "no type"}, 422, "the file is not valid: String should match pattern", ["f.mediaType"]),
        ({"mediaType": "x/y"}, 415, "f: a file of type 'x/y' is not taken here; FILE_TYPES has ", []),
        (
            {"url": f"/api/sessions/c/files/{HASH}"},
            422,
            "f: the session has no such file (any more): send it",
            ["f.url"],
        ),
        ({"url": "ftp://x/y"}, 422, "f: 'ftp://x/y' is neither a data URL nor a public https URL", ["f.url"]),
    ],
)
async def test_a_file_that_is_not_taken_is_named(
    api: Api, part: dict[str, Any], status: int, detail: str, fields: list[str]
) -> None:
    with pytest.raises(ApiError) as caught:
        await ChatFiles(api.stage.container).read("acme", "c", [("f", file_part() | part)])
    assert (caught.value.status, [field for field, _ in caught.value.faults]) == (status, fields)
    assert str(caught.value).startswith(detail)


async def test_a_kept_file_counts_with_its_size(api: Api) -> None:
    data = PICTURE[:-1]
    await asked(api, "m1", {"type": "text", "text": "What is it?"}, file_part(data))
    files = ChatFiles(api.stage.container)
    ((first, _),) = await files.read("acme", "c", [("f", file_part(data))])
    kept = file_part(url=f"/api/sessions/c/files/{first['name']}")
    named = {"mediaType": "image/png", "filename": "a.png", "name": first["name"], "bytes": len(data)}
    assert await files.read("acme", "c", [("f", kept)]) == [(named, "")]
