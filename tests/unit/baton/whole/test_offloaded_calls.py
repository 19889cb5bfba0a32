"""Model calls that the queue makes: the job waits without compute, and the answer counts as a direct one does."""

import json
from base64 import b64encode
from os import urandom
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from baton import Agent, CallLimit, Registry, ScriptedModel, ToolContext, tool
from baton.engine.commit.codec import dump
from baton.engine.transitions import JobStatus
from baton.engine.waits import status_and_wait
from baton.sdk.agents.registry import RegistryError
from baton.server.app import build_app
from baton.testing import asgi
from baton.testing.queue import delivery_headers
from baton.worker.runtime.job_view import job_view
from baton_events.errors import QueueRefusedError
from baton_events.messages import Outgoing
from baton_events.schema import Steering
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage
from tests.unit.baton.sdk.models.through_pydantic_ai import openai_bodies as openai
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import ANTHROPIC, KEY, OPENAI
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import requesting

CUT = object()  # an answer of which the queue keeps half


class OffloadedStage(Stage):
    def __init__(self, *agents: Agent, **more: Any) -> None:
        super().__init__(registry=Registry(agents), settings=more.pop("settings", SETTINGS), **more)
        self._brought = 0

    def requests(self) -> list[Outgoing]:
        by_name = {message.deduplication_id: message for message in self.outgoing() if message.callback}
        return list(by_name.values())

    async def asks(self, agent: str = "a") -> Outgoing:
        await self.submit(agent)
        return await self.goes_on()

    async def goes_on(self) -> Outgoing:
        await self.run(within_seconds=1)
        return self.requests()[-1]

    async def bring(
        self,
        request: Outgoing,
        body: dict[str, Any] | None = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
        *,
        cut: bool = False,
    ) -> asgi.Answer:
        self._brought += 1
        answer = json.dumps(body or {}).encode()
        given = {"Content-Type": "application/json", **(headers or {})}
        callback = {
            "status": status,
            "header": {name: [text] for name, text in given.items()},
            "body": b64encode(answer[: len(answer) // 2] if cut else answer).decode(),
            "maxRetries": 0,
            "sourceMessageId": "msg_1",
            "url": request.url,
        }
        message = Outgoing(json.dumps(callback), request.callback)
        delivered = delivery_headers(message, f"cb_{self._brought}", 0, "any")
        path = request.callback.removeprefix(BASE)
        answered = await asgi.request(build_app(self.container), path, delivered, message.body.encode())
        await self.run(within_seconds=1)
        return answered


CALL = openai.response(openai.call_item(0, "add", '{"a": 1, "b": 2}'))
DONE = openai.response_with("It is 3.")
THREE = {"answer": "It is 3."}


@tool
def add(a: int, b: int) -> int:
    return a + b


def agent(**more: object) -> Agent:
    """An agent whose model the queue asks."""
    return Agent(**{"name": "a", "model": OPENAI.model, "tools": [add], "offload": "queue", **more})  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for case in (OPENAI, ANTHROPIC):
        monkeypatch.setenv(case.key_variable, KEY)


async def test_a_job_is_answered_by_what_the_queue_brings() -> None:
    stage = OffloadedStage(agent())
    first = await stage.asks()
    assert (first.url, first.retries, first.timeout_seconds) == (OPENAI.url, 0, 120)
    assert first.headers["authorization"] == f"Bearer {KEY}"
    await stage.bring(first, CALL)
    second = await stage.goes_on()
    kinds = [item.get("type") for item in json.loads(second.body)["input"]]
    assert kinds[1:] == ["function_call", "function_call_output"]
    await stage.bring(second, DONE)
    shown = job_view(await stage.snapshot(), stage.clock.now_ms())
    assert (shown["status"], shown["result"]) == ("completed", THREE)
    usage = shown["usage"]
    assert (usage["inputTokens"], usage["outputTokens"], usage["modelCalls"]) == (200, 20, 2)
    assert usage["costUsd"] > 0


async def test_a_job_that_waits_holds_no_slot_and_says_so() -> None:
    """And nothing that is stored or published besides has the key."""
    stage = OffloadedStage(agent())
    request = await stage.asks()
    snapshot = await stage.snapshot()
    status, line = status_and_wait(snapshot.job, snapshot.items, snapshot.slot_state, stage.clock.ms)
    assert (status, line) == (JobStatus.WAITING, "the model's answer in turn 1, until 2027-01-15T08:03:00.000Z")
    assert not stage.entry().slot
    stored = [dump(snapshot.job), *map(dump, snapshot.items), repr(stage.store.trees)]
    stored += [message.body for message in stage.outgoing()]
    assert not any(KEY in text for text in (*stored, request.callback))
    await stage.submit("a", "job_2")
    await stage.goes_on()
    assert len(stage.requests()) == 2, "one request would be the other job's"


async def test_an_answer_that_comes_again_or_to_an_attempt_that_was_given_up_changes_nothing() -> None:
    stage = OffloadedStage(agent())
    first = await stage.asks()
    await stage.run(within_seconds=200)
    second = stage.requests()[-1]
    assert second is not first
    assert (await stage.bring(first, DONE)).status == 200
    assert (await stage.now()).status is JobStatus.PROCESSING
    await stage.bring(second, DONE)
    ended = await stage.now()
    assert (await stage.bring(second, CALL)).status == 200
    assert await stage.now() == ended


async def test_a_lost_answer_is_a_failure_that_may_pass() -> None:
    stage = OffloadedStage(agent())
    await stage.asks()
    await stage.run()
    error = (await stage.now()).error
    assert error is not None
    assert (error.type, error.message) == ("model_error", "the queue brought no answer within 180 s")
    assert len(stage.requests()) == 1 + 3


async def test_a_rate_limit_delays_the_turn_as_long_as_the_provider_asks() -> None:
    """By the delayed event of the next attempt; the queue's own retries are off."""
    stage = OffloadedStage(agent())
    request = await stage.asks()
    await stage.bring(request, openai.refusal(429, "Slow down."), 429, {"Retry-After": "60"})
    assert stage.requests() == [request]
    await stage.run(within_seconds=61)
    await stage.bring(stage.requests()[-1], DONE)
    assert (await stage.now()).status is JobStatus.COMPLETED


async def test_the_next_model_of_a_list_is_asked_in_the_same_turn() -> None:
    stage = OffloadedStage(agent(model=[OPENAI.model, ANTHROPIC.model], model_settings={"max_tokens": 1024}))
    first = await stage.asks()
    await stage.bring(first, openai.refusal(503, "Overloaded."), 503)
    second = stage.requests()[-1]
    assert (second.url, second.timeout_seconds) == (ANTHROPIC.url, 60)
    await stage.bring(first, DONE)
    assert (await stage.now()).status is not JobStatus.COMPLETED
    await stage.bring(second, ANTHROPIC.plain("From Claude."))
    job = await stage.now()
    assert (job.result, job.used.turns) == ({"answer": "From Claude."}, 1)


@pytest.mark.parametrize("refused", [False, True])
async def test_an_answer_that_says_nothing_is_paid_also_where_the_next_model_is_asked_directly(refused: bool) -> None:
    stage = OffloadedStage(agent(model=[OPENAI.model, ANTHROPIC.model], model_settings={"max_tokens": 1024}))
    first = await stage.asks()
    stage.queue.failing.append(QueueRefusedError("too large"))
    with requesting(ANTHROPIC) as requested:
        if refused:
            requested.fails(400, "No.")
        else:
            requested.answers(ANTHROPIC.plain("From Claude."))
        await stage.bring(first, openai.response())
    job = await stage.now()
    expected = (None, 1, 10) if refused else ({"answer": "From Claude."}, 2, 20)
    assert (job.result, job.used.model_calls, job.used.output_tokens) == expected


@pytest.mark.parametrize("refused", [True, False])
async def test_what_the_queue_refuses_or_brings_in_part_is_asked_for_directly(refused: bool) -> None:
    """As one that is larger than its messages may be. The job goes on, and one call counts."""
    stage = OffloadedStage(agent())
    event = await stage.submit("a")
    with requesting(OPENAI) as requested:
        requested.answers(DONE)
        if refused:
            stage.queue.failing.append(QueueRefusedError("too large"))
            await stage.deliver(event)
        else:
            await stage.bring(await stage.goes_on(), DONE, cut=True)
        assert requested.route.call_count == 1
    job = await stage.now()
    assert (job.result, job.used.model_calls) == (THREE, 1)


async def test_an_answer_may_be_faster_than_the_record_of_its_wait() -> None:
    """Its process died after it had published the request: the redelivery finds the turn done."""
    stage = OffloadedStage(agent())
    event = await stage.submit("a")
    waiting = stage.store.tree("job_1")
    await stage.deliver(event)
    stage.store.trees["job_1"] = waiting
    await stage.bring(stage.requests()[-1], DONE)
    assert (await stage.now()).result == THREE
    await stage.deliver(event)
    assert len(stage.requests()) == 1


async def test_an_answer_that_finds_its_turn_at_work_comes_again() -> None:
    stage = OffloadedStage(agent())
    request = await stage.asks()
    tree = stage.store.tree("job_1")
    (item,) = (item for item in tree.items.values() if item.offloaded)
    held = replace(item, owner="another", lease_until_ms=stage.clock.ms + 12_000)
    stage.store.trees["job_1"] = replace(tree, items={**tree.items, item.key: held})
    answered = await stage.bring(request, DONE)
    assert (answered.status, int(answered.headers["retry-after"]) >= 10) == (503, True)


async def test_what_its_user_sends_meanwhile_comes_after_the_answer() -> None:
    """The model had not got it, so the job does not end without it."""
    stage = OffloadedStage(agent())
    request = await stage.asks()
    await stage.container.commands.signal(await stage.now(), Steering(id="s1", text="And in Roman?"))
    await stage.bring(request, DONE)
    again = await stage.goes_on()
    assert "And in Roman?" in again.body
    await stage.bring(again, openai.response_with("III"))
    assert (await stage.now()).result == {"answer": "III"}


async def test_what_was_answered_before_is_not_asked_again() -> None:
    """The cache of answers is asked first, and keeps what the queue brings."""
    stage = OffloadedStage(agent(cache_seconds=600))
    await stage.bring(await stage.asks(), DONE)
    await stage.submit("a", "job_2")
    await stage.run(within_seconds=1)
    job = await stage.now("job_2")
    assert (job.result, job.used.cached_calls, len(stage.requests())) == (THREE, 1, 1)


async def test_a_body_that_is_no_callback_is_refused_for_good() -> None:
    stage = OffloadedStage(agent())
    request = await stage.asks()
    assert (await stage.bring(request, status=None)).status == 489  # type: ignore[arg-type]


@pytest.mark.parametrize("model", ["demo", "bedrock:some", ScriptedModel(["x"])])
def test_a_model_whose_requests_the_queue_cannot_send_is_refused(model: object) -> None:
    with pytest.raises(RegistryError, match=r"offload='queue': the queue cannot send the request of .*name models as"):
        Registry([agent(model=model)])


def test_other_options_of_it_are_refused() -> None:
    """An unknown offload; and a place in flight, which is none for a request that the queue sends."""
    with pytest.raises(ValueError, match="unknown offload 'cloud'; there are: queue"):
        agent(offload="cloud")
    with pytest.raises(RegistryError, match="limit per_minute"):
        Registry([agent(call_limits=[CallLimit("openai", in_flight=1)])])


async def test_a_limit_counts_a_call_once() -> None:
    stage = OffloadedStage(agent(call_limits=[CallLimit("openai", per_minute=1)]))
    await stage.bring(await stage.asks(), DONE)
    assert (await stage.now()).status is JobStatus.COMPLETED


@tool
async def draw(ctx: ToolContext) -> dict[str, Any]:
    return await ctx.keep_file(b"\x89PNG\r\n\x1a\n" + urandom(32), "image/png", "a.png")


async def test_a_picture_that_the_provider_refuses_is_told_by_its_name() -> None:
    """The queue has brought the refusal, so it is asked directly."""
    stage = OffloadedStage(agent(tools=[draw]))
    await stage.bring(await stage.asks(), openai.response(openai.call_item(0, "draw", "{}")))
    second = await stage.goes_on()
    assert "input_image" in second.body
    asked = list[str]()

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request.content.decode())
        refused = OPENAI.refusal(400, "no such picture")
        return httpx.Response(400, json=refused) if "input_image" in asked[-1] else httpx.Response(200, json=DONE)

    with requesting(OPENAI) as provider:
        provider.route.mock(side_effect=answered)
        await stage.bring(second, OPENAI.refusal(400, "no such picture"), 400)
    assert (await stage.snapshot()).job.result == THREE
    assert "The file 'a.png' (image/png) is left out here." in asked[-1]
