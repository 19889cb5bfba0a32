"""What pydantic-ai documents, as a job and as its forks: the same output, messages, usage and effects."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_core import to_jsonable_python

from baton import Registry
from tests.unit.baton.kit.forking import fork
from tests.unit.baton.kit.stage import SETTINGS
from tests.unit.baton.sdk.pydantic_ai.documented_agents import Case
from tests.unit.baton.sdk.pydantic_ai.documented_features import DOCUMENTED
from tests.unit.baton.sdk.pydantic_ai.played import INLINE, PlayedStage, check_same, comparable, without

# Ids that are drawn for each run, and one that a suspended answer has once it is recorded.
_OF_THE_RUN = {"capability_id", "model_id"}


class Told(WrapperModel):
    """Notes what the wrapped model is told in each request."""

    def __init__(self, wrapped: Model) -> None:
        super().__init__(wrapped)
        self.told = list[Any]()

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        self._note(messages, model_settings, model_request_parameters)
        return await self.wrapped.request(messages, model_settings, model_request_parameters)

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: Any = None,
    ) -> AsyncGenerator[StreamedResponse]:
        self._note(messages, model_settings, model_request_parameters)
        given = (messages, model_settings, model_request_parameters, run_context)
        async with self.wrapped.request_stream(*given) as stream:
            yield stream

    def _note(self, messages: Sequence[ModelMessage], *others: Any) -> None:
        told = [comparable(messages), to_jsonable_python(others, fallback=repr)]
        self.told.append(without(told, _OF_THE_RUN))


def told_to(case: Case) -> list[Any]:
    """What the model of the agent will be told; a model that is chosen later is not listened to."""
    if not isinstance(case.agent.model, Model):
        return []
    case.agent.model = model = Told(case.agent.model)
    return model.told


@pytest.mark.parametrize("inline", [False, pytest.param(True, marks=pytest.mark.long)], ids=["queue", "inline"])
@pytest.mark.parametrize("name", DOCUMENTED)
async def test_a_job_is_as_a_run(name: str, inline: bool) -> None:
    direct, case = DOCUMENTED[name](), DOCUMENTED[name]()
    told, told_in_job = told_to(direct), told_to(case)
    expected = await direct.run()
    stage = PlayedStage(registry=Registry([case.durable()]), settings=INLINE if inline else SETTINGS)
    await stage.submit("agent", task="do it")
    await stage.run()
    transcript = [json.loads(text) for text in stage.store.tree("job_1").transcript["job_1"]]
    check_same(await stage.snapshot(), transcript, expected)
    assert case.effects == direct.effects
    assert told_in_job == told


_QUICK = {"text", "retry_beside_others", "file_returned", "sequential_tool"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in _QUICK else pytest.mark.long) for name in DOCUMENTED]
)
async def test_a_fork_is_as_its_job(name: str) -> None:
    """Output, messages and usage; what is taken over asks nobody."""
    expected, case = await DOCUMENTED[name]().run(), DOCUMENTED[name]()
    stage = PlayedStage(registry=Registry([case.durable()]))
    await stage.submit("agent")
    await stage.run()
    turns = (await stage.snapshot()).job.used.turns
    for turn in range(1, turns + 1):
        if case.fresh is not None:
            case.fresh()
        forked = await fork(stage, turn)
        check_same(forked, await stage.reader.transcript(forked.job.id), expected)
        assert forked.job.used.cached_calls == turn - 1
