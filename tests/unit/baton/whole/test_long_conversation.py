"""Long jobs and repeated jobs through the whole product over fakes: what models are asked, and what is recorded."""

import json
from dataclasses import dataclass, field

from baton import Agent, Call, DropOldest, Registry, Summarize, tool
from baton.engine.transitions import JobStatus
from baton.sdk.agents.history import HistoryPolicy
from baton.sdk.models.model import ModelAnswer, ModelMessage, ModelRequest, ToolMessage, UserMessage
from baton.worker.conversation.conversation import size_bytes
from baton_events.errors import StoreError
from tests.unit.baton.kit.stage import Stage

MAX_TOKENS = 1_000
TURNS = 15
REAL_BYTES_PER_TOKEN = 3  # what this provider counts: more than the estimate's four bytes


@dataclass
class Counting:
    """A model that reads a page each turn until it has read enough, and that notes what it is told."""

    requests: list[ModelRequest] = field(default_factory=list[ModelRequest])
    name = "counting"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        tokens = history_bytes(request) // REAL_BYTES_PER_TOKEN
        if request.turn > TURNS:
            return ModelAnswer("read all", (), tokens, 10, 0.001)
        return ModelAnswer(f"page {request.turn}", (Call("page", {"n": request.turn}),), tokens, 10, 0.001)


@dataclass
class Writer:
    requests: list[ModelRequest] = field(default_factory=list[ModelRequest])
    name = "writer"
    reads_history = True

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.requests.append(request)
        return ModelAnswer(f"summary {len(self.requests)}", (), 300, 30, 0.01)


@tool
def page(n: int) -> str:
    return f"page {n}: ".ljust(500, "x")


def history_bytes(request: ModelRequest) -> int:
    total = size_bytes(request.instructions) + sum(size_bytes(item.parameters) for item in request.tools)
    for message in request.messages:
        match message:
            case UserMessage():
                total += size_bytes(message.text)
            case ModelMessage():
                total += size_bytes([message.text, [[call.tool, call.arguments] for call in message.calls]])
            case ToolMessage():
                total += size_bytes(message.content)
    return total


def stage_with(model: Counting, policy: HistoryPolicy, cache_seconds: int = 0) -> Stage:
    agent = Agent("reads", model=model, tools=[page], history=policy, cache_seconds=cache_seconds)
    return Stage(registry=Registry([agent]))


def recorded(stage: Stage, role: str) -> list[dict[str, object]]:
    entries = map(json.loads, stage.store.tree("job_1").transcript["job_1"])
    return [entry for entry in entries if entry["role"] == role]


def within(model: Counting) -> bool:
    """Whether the provider, by its own count, was never sent more than the limit."""
    return all(history_bytes(request) // REAL_BYTES_PER_TOKEN <= MAX_TOKENS for request in model.requests)


async def test_summaries_are_written_once_each_and_counted() -> None:
    model, writer = Counting(), Writer()
    stage = stage_with(model, Summarize(MAX_TOKENS, keep_turns=2, model=writer))
    job = await stage.played("reads")
    summaries = recorded(stage, "summary")
    assert within(model)
    assert [entry["text"] for entry in summaries] == [f"summary {n + 1}" for n in range(len(writer.requests))]
    ends = [int(str(entry["upTo"])) for entry in summaries]
    assert 2 <= len(ends) < TURNS / 2
    assert ends == sorted(set(ends))
    assert job.used.model_calls == TURNS + 1 + len(summaries)
    assert job.used.turns == TURNS + 1
    assert job.compacted == (1, 1 + ends[-1] + len(ends) - 1)
    assert [entry["turn"] for entry in recorded(stage, "model")] == list(range(1, TURNS + 2))
    sent_last = [message for message in model.requests[-1].messages if isinstance(message, UserMessage)]
    assert sent_last[1].text.endswith(f"summary {len(summaries)}")


async def test_a_cache_that_is_down_fails_no_job() -> None:
    """Every turn asks the model."""
    model = Counting()
    stage = stage_with(model, DropOldest(MAX_TOKENS), cache_seconds=3_600)
    stage.cache.connection.down = StoreError("gone")
    assert (await stage.played("reads")).status is JobStatus.COMPLETED
    assert len(model.requests) == TURNS + 1
