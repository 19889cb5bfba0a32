"""A chat's job is played back with what was said before it, whatever its session holds by now."""

from typing import Any

from baton import Agent, Registry
from baton.api.jobs.recording import collect, recording, requested_texts
from baton.api.session_line import Sessions
from baton.models.model import ModelAnswer, ModelRequest
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton_local.replay.recorder import difference


class Echo:
    name = "echo"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        return ModelAnswer(f"{len(request.messages)} messages")


def agents() -> Registry:
    return Registry([Agent(name="talks", model=Echo())])


async def recorded_second(stage: Stage) -> dict[str, Any]:
    for number in (1, 2):
        stage.clock.ms += 1_000
        job = stage.job("talks", f"job_{number}", session="chat-1")
        files = [{"mediaType": "image/png", "url": "https://example.com/a.png"}]
        task = {"text": f"question {number}", "data": {}, "chat": {}, "files": files}
        await Sessions(stage.container).submit(job, task)
        await stage.run()
    sources = await collect(stage.reader, "job_2")
    return recording("job_2", sources, requested_texts(agents(), "talks"))


async def test_what_was_recorded_before_is_sent_again() -> None:
    """As it is recorded; another conversation is seen as a difference."""
    document = await recorded_second(Stage(registry=agents()))
    entry = document["job"]["transcript"][1]
    assert (entry["role"], [shown["asked"] for shown in entry["exchanges"]]) == ("session", ["question 1"])
    assert (len(entry["exchanges"][0]["files"]), len(document["job"]["transcript"][0]["files"])) == (1, 1)
    assert document["job"]["result"] == {"answer": "3 messages"}
    assert difference(document, agents()) == ""
    entry["exchanges"][0]["answered"] = "something else"
    assert difference(document, agents()) != ""
