"""A model's call without compute: the job waits, and the answer is read as a direct one.

The queue sends the request, or the provider works in the background and is polled: its state is the turn's work item's.
Of several models, the next one's request is sent where the one before answers with a failure that may pass.
Invariant: each request of an attempt has a number, and the queue sends one of that number once. A poll that fails says
nothing of the response, so the next one follows. A request that the queue refuses, and an answer that it does not bring
whole, are the only reasons to ask directly. Must not: store a request, whose headers hold the provider's key, or log
one.
"""

import json
import logging
import math
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

from msgspec import structs

from baton.engine.commit.answers import Claim
from baton.engine.effects import CallModel
from baton.engine.step_results import ModelWaits
from baton.queue.brought_answers import answer_endpoint
from baton.sdk.agents.agent import Agent
from baton.sdk.clock import Clock
from baton.sdk.models.catalog import OffloadedModel, background_provider, can_offload, works_in_background
from baton.sdk.models.chain import models_of
from baton.sdk.models.model import (
    Model,
    ModelAnswer,
    ModelError,
    ModelMessage,
    ModelRequest,
    Origin,
    ToolMessage,
    UserMessage,
)
from baton.sdk.records.foreign_text import ForeignText
from baton.sdk.records.transcript import HttpRequest, HttpResponse
from baton.store.transport.meter import charge
from baton.worker.executors.model_call import ModelCalls, usage_of_spent
from baton_events.emitter import Emitter
from baton_events.errors import QueueRefusedError
from baton_events.values.waits import requested_wait_seconds

_SHORTEST_SECONDS, _LONGEST_SECONDS = 2.0, 30.0
_SUCCESS, _LAST_SUCCESS = 200, 299
LATE, _MAY_PASS, _FIRST_SERVER_STATUS = 408, frozenset({0, 408, 409, 425, 429}), 500
_PENDING = ("queued", "in_progress")
# The status that a failed response has for a direct request; other failures are the request's fault.
_STATUSES = {"server_error": 500, "rate_limit_exceeded": 429}


def after_begin(response: HttpResponse, now_ms: int, seconds: float) -> HttpResponse | ModelWaits:
    """Return the response to a request, to be read, or when to poll, for this many seconds at most."""
    found = _read(response)
    if response.status != _SUCCESS or found.get("status") not in _PENDING or not found.get("id"):
        return _ended(response, found)
    memo = {"id": str(found["id"]), "number": response.number, "sinceMs": now_ms}
    return _waits(memo | {"untilMs": now_ms + round(seconds * 1000)}, now_ms)


def after_poll(response: HttpResponse, memo: dict[str, Any], now_ms: int) -> HttpResponse | ModelWaits:
    """Return the response to a poll, to be read, or when to poll again."""
    missed = response.status in _MAY_PASS or response.status >= _FIRST_SERVER_STATUS
    found = _read(response)
    if not missed and found.get("status") not in _PENDING:
        return _ended(response, found)
    if now_ms < memo["untilMs"]:
        return _waits(memo, now_ms, requested_wait_seconds(response.headers, now_ms) or 0)
    seconds = (memo["untilMs"] - memo["sinceMs"]) / 1000
    return _error(response, LATE, f"the provider had no answer within {seconds:g} s")


def _waits(memo: dict[str, Any], now_ms: int, pause_seconds: float = 0) -> ModelWaits:
    age_seconds = (now_ms - memo["sinceMs"]) / 1000
    seconds = max(pause_seconds, min(max(_SHORTEST_SECONDS, age_seconds), _LONGEST_SECONDS))
    return ModelWaits(min(now_ms + round(seconds * 1000), memo["untilMs"]), memo["number"], memo=memo)


def _ended(response: HttpResponse, found: dict[str, Any]) -> HttpResponse:
    """Return the response; a failed one as the provider answers a direct request that fails."""
    match found.get("status"):
        case "failed":
            error = found.get("error") or {}
            return _error(response, _STATUSES.get(error.get("code", ""), 400), str(error.get("message") or "it failed"))
        case "cancelled":
            return _error(response, 409, "the response was cancelled")
        case _:
            return response


def _error(response: HttpResponse, status: int, message: str) -> HttpResponse:
    body = json.dumps({"error": {"message": message}}).encode()
    return structs.replace(response, status=status, headers={"content-type": "application/json"}, body=body)


def _read(response: HttpResponse) -> dict[str, Any]:
    try:
        found = json.loads(response.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and response.status == _SUCCESS else {}


_log = logging.getLogger("baton.models")

# An answer in time is brought within this margin, also where our endpoint refuses it at first.
MARGIN_SECONDS = 60
_ANY_QUESTION = ModelRequest("", (UserMessage("?"),), (), 1)


class OffloadedCalls:
    """Calls the models of agents with `offload`."""

    def __init__(self, emitter: Emitter, clock: Clock) -> None:
        self._emitter, self._clock = emitter, clock
        self._addresses: dict[str, HttpRequest] = {}

    async def call(
        self, agent: Agent, effect: CallModel, claim: Claim, calls: ModelCalls, model: Model, question: ModelRequest
    ) -> ModelAnswer | ModelWaits:
        """Send the request, or read the answer that the claim was made for.

        Raises ModelError, TimeoutError, Exception: as of a direct call. PublishError: the queue does not answer.
        """
        models = models_of(model)
        if claim.answer is not None:
            return await self._answered(agent, effect, claim.answer, calls, model, question)
        if effect.memo:
            return await calls.call(model, question)  # it cannot be polled any more: the agent was changed meanwhile
        if effect.offloaded:
            seconds = math.ceil(agent.model_timeout_seconds / len(models))
            late = f"the queue brought no answer within {seconds + MARGIN_SECONDS} s"
            raise ModelError(late, retryable=True, unanswered=True)
        found = await calls.cache.lookup(model, question) if calls.cache else None
        return found or await self._sent(agent, effect, calls, model, question, 1)

    async def poll(self, memo: dict[str, Any], model: Model) -> HttpResponse | ModelWaits | None:
        """Poll a provider: return the response to read, or when to poll again; None: the model has no provider.

        Raises ModelError: a setting of the provider, such as its key, is missing.
        """
        models, now_ms = models_of(model), self._clock.now_ms()
        asked, place = models[min(memo["number"], len(models)) - 1], (memo["id"], memo["number"])
        if not can_offload(asked):
            return None
        address = self._addresses.get(asked.name)
        if address is None:  # of any request, since a poll needs no history
            address = self._addresses[asked.name] = await (await asked.offloaded()).request_for(_ANY_QUESTION)
        found = after_poll(await background_provider().polled(address, *place), memo, now_ms)
        if isinstance(found, HttpResponse) and found.status == LATE:
            await background_provider().stopped(address, *place)
        return found

    async def _sent(
        self, agent: Agent, effect: CallModel, calls: ModelCalls, model: Model, question: ModelRequest, number: int
    ) -> ModelAnswer | ModelWaits:
        models, job = models_of(model), effect.job
        asked = models[number - 1]
        in_background = agent.offload == "provider"
        if not can_offload(asked) or (in_background and not works_in_background(asked)):
            return await calls.call(model, question)  # of a fork that tries another model
        request = await (await asked.offloaded()).request_for(question)
        seconds = math.ceil(agent.model_timeout_seconds / len(models))
        if in_background:
            begun = await background_provider().begun(request, number)
            found = after_begin(begun, self._clock.now_ms(), seconds)
            if isinstance(found, ModelWaits):
                return found
            return await self._answered(agent, effect, found, calls, model, question)
        turn = job.first_turn + effect.turn - 1
        try:
            await self._emitter.forward_request(
                request.url,
                request.headers,
                request.body,
                answer_to=answer_endpoint(job.id, job.session_id, turn, effect.attempt, number),
                label=job.id,
                timeout_seconds=seconds,
                deduplication_id=f"{job.id}.{turn}.{effect.attempt}.{number}",
            )
        except QueueRefusedError as error:
            _log.warning(
                "the queue does not send the request of agent %r, so it is asked directly: %s", agent.name, error
            )
            return await calls.call(model, question)
        charge(messages=1)
        return ModelWaits(self._clock.now_ms() + (seconds + MARGIN_SECONDS) * 1000, number)

    async def _answered(
        self,
        agent: Agent,
        effect: CallModel,
        response: HttpResponse,
        calls: ModelCalls,
        model: Model,
        question: ModelRequest,
    ) -> ModelAnswer | ModelWaits:
        models = models_of(model)
        asked = models[min(response.number, len(models)) - 1]
        if not can_offload(asked) or is_cut_short(response):
            _log.warning("the queue brought the answer to agent %r cut short, so it is asked directly", agent.name)
            return await calls.call(model, question)
        try:
            answer = await structs.replace(calls, cache=None).call(_Brought(asked, response), question)
        except ModelError as error:
            if not error.retryable and _has_earlier_files(question):
                return await calls.call(model, question)  # which tries it without them
            if not error.retryable or response.number >= len(models):
                raise
            _log.info("agent %r: the next model is asked: %s", agent.name, ForeignText(error.message))
            return await _after(error, self._sent(agent, effect, calls, model, question, response.number + 1))
        if len(models) > 1:
            answer = replace(answer, origin=replace(answer.origin or Origin(), name=asked.name))
        if calls.cache:
            await calls.cache.keep(model, question, answer)
        return answer


async def _after(failure: ModelError, sent: Awaitable[ModelAnswer | ModelWaits]) -> ModelAnswer | ModelWaits:
    """Ask the next model; the usage of the answer that was not taken counts, whatever follows."""
    try:
        further = await sent
    except ModelError as error:
        error.spent = failure.spent + error.spent
        raise
    if isinstance(further, ModelAnswer):
        return replace(further, spent_before=failure.spent + further.spent_before)
    return structs.replace(further, extra_usage=usage_of_spent(failure.spent) + further.extra_usage)


def _has_earlier_files(question: ModelRequest) -> bool:
    """Return whether there are files of tools, or of messages before the newest one."""
    *earlier, newest = question.messages
    messages = question.messages if isinstance(newest, ToolMessage) else earlier
    return any(not isinstance(message, ModelMessage) and message.files for message in messages)


class _Brought:
    """The model whose answer has been brought."""

    reads_history = True

    def __init__(self, model: OffloadedModel, response: HttpResponse) -> None:
        self.name = model.name
        self._model, self._response = model, response

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        return await (await self._model.offloaded()).answer_of(request, self._response)


def is_cut_short(response: HttpResponse) -> bool:
    """Return whether the callback lacks a part of a successful answer: the queue keeps a limited number of bytes."""
    if not _SUCCESS <= response.status <= _LAST_SUCCESS:
        return False
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) > len(response.body):
        return True
    if "json" not in response.headers.get("content-type", ""):
        return False
    try:
        json.loads(response.body)
    except ValueError:
        return True
    return False
