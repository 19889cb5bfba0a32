"""Files in chats: checked, kept with their session, told to models that take them, and given back."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from baton import Agent, Registry
from baton.models.model import ModelAnswer, ModelRequest, UserMessage
from tests.unit.baton.api.client import ACME, OTHER, Api, api_of, assert_problem, with_keys
from tests.unit.baton.api.sessions.chatting import delivering, send, sending, text_of
from tests.unit.baton.kit.stage import Stage

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 400
LIMIT_BYTES = 200_000


class Looking:
    """A model that says which files it is given."""

    name, reads_history = "looking", True
    takes_files: tuple[str, ...] = ("image/*", "text/plain")

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """List the files of all messages."""
        files = [one for message in request.messages if isinstance(message, UserMessage) for one in message.files]
        shown = [f"{one.filename} {one.url or len(base64.urlsafe_b64decode(one.data))}" for one in files]
        return ModelAnswer(", ".join(shown) or "none")


class Blind(Looking):
    """One that takes none."""

    name, takes_files = "blind", ()


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """The API over both."""
    registry = Registry([Agent("looks", model=Looking()), Agent("blind", model=Blind())])
    settings = replace(with_keys(), files_limit_bytes=LIMIT_BYTES)
    async with api_of(Stage(settings=settings, registry=registry)) as made:
        yield made


def file_part(data: bytes = PICTURE, media_type: str = "image/png", **fields: Any) -> dict[str, Any]:
    """A file as AI SDK's client sends it."""
    url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    return {"type": "file", "mediaType": media_type, "filename": "a.png", "url": url} | fields


async def asked(api: Api, name: str, *parts: Any, key: str = ACME, **fields: Any) -> httpx.Response:
    """Send a message of these parts."""
    body = {"id": "c", "messages": [{"id": name, "role": "user", "parts": [*parts]}], **fields}
    return await delivering(api, api.request("POST", "/api/chat", key, json=body))


async def shown_file(api: Api) -> dict[str, Any]:
    """The file of the session's first message, as a page gets it after a reload."""
    session = (await api.request("GET", "/api/sessions/c")).json()
    part: dict[str, Any] = session["messages"][0]["parts"][-1]
    return part


async def test_a_file_reaches_the_model_and_travels_in_no_message(api: Api) -> None:
    """Nor is it in what is recorded of the job; the next message's model is given it, too."""
    assert text_of(await asked(api, "m1", {"type": "text", "text": "What is it?"}, file_part())) == "a.png 102408"
    assert text_of(await asked(api, "m2", {"type": "text", "text": "And now?"})) == "a.png 102408"
    content = base64.b64encode(PICTURE)[:100].decode()
    trees = repr([tree.transcript for tree in api.stage.store.trees.values()])
    assert not any(content in message.body for _, message in api.stage.queue.published)
    assert content.replace("+", "-").replace("/", "_") not in trees


async def test_a_file_is_given_back_to_its_tenant_and_can_be_sent_again(api: Api) -> None:
    """By the address in the session's view, which holds no content; not to others, and not once it is deleted."""
    await asked(api, "m1", file_part())
    part = await shown_file(api)
    assert (part["type"], part["mediaType"], part["filename"]) == ("file", "image/png", "a.png")
    found = await api.request("GET", part["url"])
    assert (found.content, found.headers["content-type"]) == (PICTURE, "image/png")
    assert (found.headers["content-disposition"], found.headers["x-content-type-options"]) == ("attachment", "nosniff")
    assert text_of(await asked(api, "m1", part, trigger="regenerate-message")) == "a.png 102408"
    assert text_of(await asked(api, "m2", part)) == "a.png 102408, a.png 102408"
    assert_problem(await api.request("GET", part["url"], OTHER), 404)
    assert (await api.request("DELETE", "/api/sessions/c")).status_code == 204
    assert_problem(await api.request("GET", part["url"]), 404)


async def test_a_public_address_is_told_as_it_is(api: Api) -> None:
    """Nothing is fetched."""
    assert (
        text_of(await asked(api, "m1", file_part(url="https://example.com/a.png"))) == "a.png https://example.com/a.png"
    )


@pytest.mark.parametrize(
    ("part", "code"),
    [
        (file_part(bytes(LIMIT_BYTES + 1)), "TOO_LARGE"),
        (file_part(media_type="application/x-msdownload"), "UNSUPPORTED_FILE"),
        (file_part(mediaType="image/gif"), "UNSUPPORTED_FILE"),
        (file_part(media_type="image/gif"), "UNSUPPORTED_FILE"),
        (file_part(mediaType="picture"), "INVALID"),
        (file_part(b""), "INVALID"),
        (file_part(url="data:image/png;base64,%%%"), "INVALID"),
        (file_part(url="data:image/png"), "INVALID"),
        (file_part(url="file:///etc/passwd"), "INVALID"),
        (file_part(url="javascript:alert(1)"), "INVALID"),
        (file_part(url="http://example.com/a.png"), "INVALID"),
        (file_part(url="https://10.0.0.1/a.png"), "INVALID"),
        (file_part(url="/api/sessions/c/files/" + "0" * 64), "INVALID"),
    ],
)
async def test_what_is_no_file_is_refused(api: Api, part: dict[str, Any], code: str) -> None:
    """413, 415 or 422, and there is no job."""
    response = await asked(api, "m1", part)
    assert response.json()["code"] == code, response.text
    assert (await api.request("GET", "/api/agent-jobs")).json()["jobs"] == []


async def test_files_count_together(api: Api) -> None:
    """Each is small enough; and there may not be any number of them."""
    assert_problem(await asked(api, "m1", file_part(), file_part(PICTURE + b"x")), 413)
    assert_problem(await asked(api, "m1", *[file_part(url="https://example.com/a.png")] * 21), 413)


async def test_a_model_that_takes_no_such_file_is_named(api: Api) -> None:
    """422, before there is a job."""
    for agent, part in (("blind", file_part()), ("looks", file_part(b"%PDF-", "application/pdf"))):
        detail = assert_problem(await asked(api, "m1", part, agent=agent), 422, "messages")
        assert f"agent {agent!r} takes no files" in detail


async def test_another_file_under_the_same_id_is_refused(api: Api) -> None:
    """As another text is."""
    await asked(api, "m1", file_part())
    assert_problem(await asked(api, "m1", file_part(PICTURE + b"x")), 422, "messages.0.id")


async def test_a_job_whose_file_is_gone_fails_and_says_so(api: Api) -> None:
    """An earlier message's file is left out instead."""
    await asked(api, "m1", file_part())
    api.stage.chats.files.clear()
    response = await asked(api, "m2", {"type": "text", "text": "And now?"})
    assert text_of(response) == "a.png 0"

    messages = [{"id": "m3", "role": "user", "parts": [file_part()]}]
    requesting = await sending(api, "c", "m3", "", messages=messages)
    api.stage.chats.files.clear()
    await api.stage.run()
    await requesting
    (job, *_) = (await api.request("GET", "/api/agent-jobs?sessionId=c")).json()["jobs"]
    assert (await api.read(job["id"]))["error"]["type"] == "file_gone"


async def test_a_chat_without_files_reads_none(api: Api) -> None:
    """Its model is told of none."""
    assert text_of(await send(api, "c", "m1", "Hello")) == "none"
