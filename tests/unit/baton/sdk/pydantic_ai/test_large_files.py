"""A large file is stored once, however often a run tells it."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest
from pydantic_ai import Agent, RunContext
from pydantic_ai.models.test import TestModel

from baton import Registry
from baton.pydantic_ai import durable
from baton.sdk.agents.registry import agent_takes
from baton.sdk.records.file_contents import LARGE_BYTES, FileContents
from tests.fakes.stored import FakeStore
from tests.unit.baton.sdk.pydantic_ai.documented_models import DETAIL, PICTURE, looks_at_files
from tests.unit.baton.sdk.pydantic_ai.played import played


async def test_the_bytes_of_a_file_are_written_and_counted_once() -> None:
    """In a job with ten calls, each of which returns it; one enqueues it as well."""
    case, store = looks_at_files(9), FakeStore()

    @case.agent.system_prompt(dynamic=True)
    def step(ctx: RunContext[Any]) -> str:
        return f"Step {ctx.run_step}."  # so that each turn keeps the first message, with the picture, anew

    snapshot = await played(case.durable(), store)
    assert snapshot.job.result == {"answer": "seen again", "output": "seen again"}
    tree = store.tree("job_1")
    stored = "".join([*tree.transcript["job_1"], *tree.results["job_1"].values(), *tree.parts["job_1"]])
    picture, detail = (urlsafe_b64encode(one.data).decode() for one in (PICTURE, DETAIL))
    assert (stored.count(picture), stored.count(f'"{detail}')) == (1, 1)
    assert tree.usage["job_1"].written < 1.2 * (len(picture) + len(detail))


def test_what_was_shortened_is_read_as_it_was() -> None:
    """Also where a text has the same content twice; a smaller one stays in its place.

    A content that is not there is an error where the run goes on from it, and else empty.
    """
    large, small = "A" * (LARGE_BYTES * 4 // 3), "A" * (LARGE_BYTES * 4 // 3 - 1)
    texts = [f'[{{"data":"{large}"}},{{"data":"{large}"}}]', f'[{{"data":"{large}"}},{{"data":"{small}"}}]']
    written, read = FileContents(), FileContents()
    kept = list[str]()
    for text in texts:
        kept.append(written.short(text))
        assert written.whole(kept[-1]) == text
    assert [large in text for text in kept] == [True, False]
    assert [read.whole(text) for text in kept] == texts
    gone = '{"data":"\\sha256:' + "0" * 64 + '"}'
    with pytest.raises(LookupError, match="is not recorded"):
        FileContents().whole(gone)
    assert FileContents(complete=False).whole(gone) == '{"data":""}'


@pytest.mark.parametrize(
    ("media_type", "takes"), [("image/png", False), ("application/pdf", True), ("video/mp4", True)]
)
def test_a_model_takes_what_its_profile_says(media_type: str, *, takes: bool) -> None:
    model = TestModel(profile={"supports_image_input": False})
    agents = durable(Agent(model, name="a")), durable(Agent("openai:gpt-5-mini", name="b", defer_model_check=True))
    registry = Registry(agents)
    assert [agent_takes(registry, agent, media_type) for agent in agents] == [takes, True]
