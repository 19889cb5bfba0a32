"""A codec that cannot get its keys while a large payload is put away: that is repeated, the work is not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.worker import payloads
from baton_events.errors import OWN_CODEC, UnreadablePayloadError
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.kit.stage import SETTINGS, Stage

LARGE = "x" * 200_000
TIMES = len(payloads.PAUSES_SECONDS)


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payloads, "PAUSES_SECONDS", (0.0,) * TIMES)


def stage_of(path: Path, ran: list[str]) -> Stage:
    @tool
    async def fetch() -> str:
        """Fetch much."""
        ran.append("fetch")
        return LARGE

    class Model(ScriptedModel):
        """Answers with much."""

        async def answer(self, request: Any) -> Any:
            ran.append("model")
            return await super().answer(request)

    settings = replace(SETTINGS, object_store_url=f"file://{path}/objects", object_from_bytes=100_000)
    return Stage(settings=settings, registry=Registry([Agent("a", Model([[Call("fetch")], LARGE]), tools=[fetch])]))


def refusing(stage: Stage, times: int, key_id: str = OWN_CODEC) -> dict[bytes, int]:
    """So many times, each payload is refused at first; return how often each was requested."""
    refused, objects = dict[bytes, int](), stage.container.payloads

    async def put(original: Method, place: str, tenant: str, data: bytes) -> Any:
        refused[data] = refused.get(data, 0) + 1
        if refused[data] <= times:
            raise UnreadablePayloadError(key_id, "is not ready")
        return await original(place, tenant, data)

    assert objects is not None
    around(objects.objects, "put", put)
    return refused


async def test_what_a_tool_and_a_model_have_made_is_kept_until_the_codec_is_back(tmp_path: Path) -> None:
    ran = list[str]()
    stage = stage_of(tmp_path, ran)
    await stage.submit("a")
    refusing(stage, TIMES)
    await stage.run()
    assert (await stage.now()).ended
    assert ran == ["model", "fetch", "model"]


@pytest.mark.parametrize(("times", "key_id", "requested"), [(99, OWN_CODEC, TIMES + 1), (1, "k1", 1)])
async def test_it_is_waited_for_so_long_only_and_a_key_of_a_setting_is_not(
    tmp_path: Path, times: int, key_id: str, requested: int
) -> None:
    """Then the message is left to the queue."""
    stage = stage_of(tmp_path, [])
    await stage.submit("a")
    refused = refusing(stage, times, key_id)
    with pytest.raises(UnreadablePayloadError):
        await stage.run()
    assert [*refused.values()] == [requested]
