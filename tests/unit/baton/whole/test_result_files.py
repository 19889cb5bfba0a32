"""Files that tools return: kept with the session, named in the result, and sent to models that take them."""

from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, ToolContext, tool
from baton.sdk.models.model import File, ToolMessage
from baton.sdk.records.result_files import files_in_result
from tests.unit.baton.kit.listening import Listening
from tests.unit.baton.kit.stage import SETTINGS, Stage

PICTURE = b"\x89PNG\r\n\x1a\n"
LIMIT_BYTES = 1_000


@tool
async def draw(kind: str, ctx: ToolContext, size: int = len(PICTURE)) -> dict[str, Any]:
    data = (PICTURE + bytes([size % 256]) * size)[:size]
    return {"picture": await ctx.keep_file(data, kind, "a.png"), "lines": 3}


class Looking(Listening):
    """A model that makes these calls, one a turn, and knows what it is sent of their results."""

    takes_files = ("image/*",)

    def __init__(self, *calls: Call) -> None:
        super().__init__(ScriptedModel([*([call] for call in calls), "seen"]).answer)

    @property
    def results(self) -> list[ToolMessage]:
        return [message for message in self.found[-1] if isinstance(message, ToolMessage)]


async def played(model: Looking, *tools: Any) -> Stage:
    registry = Registry([Agent("looks", model=model, tools=tools or [draw])])
    stage = Stage(settings=replace(SETTINGS, files_limit_bytes=LIMIT_BYTES), registry=registry)
    await stage.played("looks")
    return stage


async def test_a_model_is_sent_the_pictures_that_a_tool_returns() -> None:
    """Its result has their names; other files, and files that a model does not take, are only named."""
    model = Looking(Call("draw", {"kind": "image/png"}), Call("draw", {"kind": "audio/wav"}))
    stage = await played(model)
    first, second = model.results
    named = first.content["picture"]
    assert (named["type"], named["mediaType"], named["filename"]) == ("file", "image/png", "a.png")
    assert named["bytes"] == len(PICTURE)
    [file] = first.files
    assert (file.media_type, file.name, urlsafe_b64decode(file.data)) == ("image/png", named["name"], PICTURE)
    assert second.files == ()
    assert second.content["picture"]["mediaType"] == "audio/wav"
    assert all("files" not in result for result in (await stage.snapshot()).results.values())


async def test_a_file_that_is_not_kept_any_more_is_only_named() -> None:
    model = Looking(*(Call("draw", {"kind": "image/png", "size": size}) for size in (600, 601, 100)))
    await played(model)
    assert [bool(file.data) for message in model.results for file in message.files] == [False, True, True]

    @tool
    async def lose(ctx: ToolContext) -> dict[str, Any]:
        return await ctx.keep_file(PICTURE, "image/png") | {"name": "0" * 64}

    lost = Looking(Call("lose"))
    await played(lost, lose)
    assert lost.results[0].files == (File("image/png", name="0" * 64),)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"kind": "image/png", "size": 1_001}, "over the limit of 1000"),
        ({"kind": "image/png", "size": 0}, "needs the bytes of a file"),
        ({"kind": "image/gif"}, "bytes that are no image/gif: they begin with b'\\x89PNG"),
        ({"kind": "png"}, "needs a media type such as 'image/png', got 'png'"),
    ],
)
async def test_what_is_no_file_or_too_large_is_refused(arguments: dict[str, Any], error: str) -> None:
    model = Looking(Call("draw", arguments))
    await played(model)
    assert error in model.results[0].content["message"]
    assert (model.results[0].content["type"] == "file_too_large") is ("limit" in error)


@pytest.mark.parametrize(
    "wrong", [{"name": "../secrets"}, {"mediaType": "image"}, {"bytes": -1}, {"filename": None}, {"type": "image"}]
)
def test_what_only_looks_like_a_file_is_none(wrong: dict[str, Any]) -> None:
    """Anybody may have written a result."""
    right = {"type": "file", "mediaType": "image/png", "name": "0" * 64, "bytes": 3}
    assert files_in_result([right | wrong]) == []
    assert files_in_result(right) == files_in_result([1, right]) == files_in_result({"one": right}) == [right]


async def test_a_unit_test_of_a_tool_finds_what_it_kept() -> None:
    ctx = ToolContext.for_test()
    named = (await draw.run({"kind": "image/png"}, ctx))["picture"]
    assert ctx.recorder.outlet.files == {named["name"]: PICTURE}
