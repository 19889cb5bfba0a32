"""Agents of pydantic-ai, run by `agent.run` and as jobs over fakes, and what came of both in a form to compare."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace as dataclass_replace
from typing import Any

from msgspec.structs import replace
from pydantic_ai.messages import (
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ToolCallPart,
)
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.run import AgentRunResult
from pydantic_ai.usage import RunUsage
from pydantic_core import to_jsonable_python

from baton import Registry
from baton.engine.state import Job
from baton.engine.transitions import JobStatus
from baton.sdk.agents.registry import policy_of
from baton.sdk.agents.runner import JobInfo, Recorded
from baton.sdk.pydantic_ai.run_state import RunState
from baton.sdk.records.transcript import turns_of
from baton.store.records.jobs import Snapshot
from tests.fakes.stored import FakeStore
from tests.unit.baton.kit.stage import SETTINGS, Stage

Turn = Sequence[ModelResponsePart] | Exception | str
INLINE = dataclass_replace(SETTINGS, continuation="inline")


def scripted(*turns: Turn) -> FunctionModel:
    """A model that gives these answers, by how often it has answered before in what it is told."""

    def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        turn = turns[sum(isinstance(message, ModelResponse) for message in messages)]
        if isinstance(turn, Exception):
            raise turn
        return ModelResponse(parts=[TextPart(turn)] if isinstance(turn, str) else list(turn))

    return FunctionModel(answer)


def call(tool: str, tool_call_id: str = "", args: str | None = None, **arguments: Any) -> ToolCallPart:
    """A call with an id that does not change; `args`: its arguments as a text."""
    return ToolCallPart(tool, arguments if args is None else args, tool_call_id or f"id-{tool}-{arguments}")


class PlayedStage(Stage):
    """A stage whose jobs are as a submission makes them."""

    def job(self, agent: str = "adds", job_id: str = "job_1", **changes: str) -> Job:
        registry = self.container.registry
        job = super().job(agent, job_id, **changes)
        return replace(job, model=policy_of(registry, registry.agent(agent)), limits=registry.agent(agent).limits)


async def played(agent: Any, store: FakeStore | None = None, *, inline: bool = False, task: str = "do it") -> Snapshot:
    stage = PlayedStage(registry=Registry([agent]), store=store, settings=INLINE if inline else SETTINGS)
    await stage.submit(agent.name, task=task)
    await stage.run()
    return await stage.snapshot()


async def state_of(stage_store: FakeStore, snapshot: Snapshot) -> RunState:
    texts = stage_store.tree(snapshot.job.id).transcript[snapshot.job.id]
    return _state(snapshot, [json.loads(text) for text in texts])


def _state(snapshot: Snapshot, transcript: Sequence[dict[str, Any]]) -> RunState:
    info = JobInfo(job_id="job_1", session_id="", tenant="", task="")
    return RunState.of(Recorded(info, turns=turns_of(transcript), results=snapshot.results))


def check_same(
    snapshot: Snapshot,
    transcript: Sequence[dict[str, Any]],
    expected: AgentRunResult[Any],
    compared: Callable[[Any], Any] = lambda value: value,
) -> None:
    """`compared`: what of the messages' JSON is compared."""
    job, state = snapshot.job, _state(snapshot, transcript)
    assert (job.status, job.error) == (JobStatus.COMPLETED, None), job.agent
    assert job.result is not None
    assert job.result.get("output") == to_jsonable_python(expected.output), job.agent
    found, wanted = [compared(comparable(messages)) for messages in (state.messages, expected.all_messages())]
    assert found == wanted, job.agent
    assert _counted(state.usage) == _counted(expected.usage), job.agent


_SUMMARISED = "pydantic-ai-harness.compaction.summary.created_at"
_OF_THE_MOMENT = {"duration", "timestamp", "run_id", "conversation_id", "workspace_ref", _SUMMARISED}


# Of a result: pydantic-ai writes it for a time, and not for the text that it is read as.
_NO_FILES: tuple[str, list[str]] = ("content_file_digests", [])


def comparable(messages: Sequence[ModelMessage]) -> Any:
    """Messages without what is another one each time."""
    return without(ModelMessagesTypeAdapter.dump_python(list(messages), mode="json"), _OF_THE_MOMENT)


def without(value: Any, names: Collection[str]) -> Any:
    """JSON without these fields, anywhere in it."""
    if isinstance(value, dict):
        rows = [row for row in value.items() if row[0] not in names and row != _NO_FILES]
        return {name: without(item, names) for name, item in rows}
    return [without(item, names) for item in value] if isinstance(value, list | tuple) else value


def _counted(usage: RunUsage) -> tuple[int, int, int, int]:
    return usage.requests, usage.tool_calls, usage.input_tokens, usage.output_tokens
