"""A recording names large results; one that is saved has them, and a step that needs one is played with it."""

from pathlib import Path
from typing import Any

from baton import Agent, Registry, Step, result_of, tool
from baton_local.cli.stored.replay import with_large_results
from baton_local.dev.stack_error import StackError
from baton_local.replay.recorded import read_recording
from baton_local.replay.replaying import replay_now
from tests.unit.baton.server.api.client import api_with


@tool
async def export(rows: int) -> dict[str, list[str]]:
    """Export rows."""
    return {"texts": ["x" * 90 for _ in range(rows)]}


@tool
async def total(rows: list[str]) -> int:
    """Count rows."""
    return len(rows)


PLAN = [
    Step("export", "export", {"rows": 20_000}),
    Step("total", "total", {"rows": result_of("export")["texts"]}, depends_on=["export"]),
]
REGISTRY = Registry([Agent(name="counts", plan=PLAN, tools=[export, total])])


class Place:
    """A deployment whose results are these, by their addresses."""

    def __init__(self, results: dict[str, Any]) -> None:
        self.results = results

    def request(self, _method: str, path: str) -> dict[str, Any]:
        if path not in self.results:
            raise StackError("410: the result is gone")
        return {"result": self.results[path]}


async def test_a_saved_recording_is_played_without_a_difference(tmp_path: Path) -> None:
    async with api_with(REGISTRY, object_store_url=f"file://{tmp_path}/objects") as api:
        job_id = (await api.submitted(jobType="counts"))["id"]
        await api.stage.run()
        text = (await api.request("GET", f"/api/agent-jobs/{job_id}/recording")).text
        [ref, _] = [call.get("resultRef") for call in (await api.read(job_id))["toolCalls"]]
        result = (await api.request("GET", ref["url"])).json()["result"]
    place: Any = Place({ref["url"]: result})
    whole = with_large_results(place, text)
    assert len(text) < 20_000 < len(whole)
    assert replay_now(read_recording(whole, "here"), REGISTRY).difference is None
    gone: Any = Place({})
    kept = with_large_results(gone, text)
    assert "value" not in kept
    assert "texts" in str(replay_now(read_recording(kept, "here"), REGISTRY).difference)
