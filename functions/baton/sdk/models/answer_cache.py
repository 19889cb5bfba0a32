"""Answers of models kept for a while: the same request of the same agent within this time costs no model call.

Invariant: the cache can only save work. A cache that does not answer, or gives something unreadable, is a miss; so is a
request that has no JSON form. Must not: keep errors, or mix tenants.
"""

import asyncio
import logging
from dataclasses import asdict, replace
from typing import Any

from msgspec import Struct, json

from baton.sdk.models.model import NOTHING_SPENT, Model, ModelAnswer, ModelRequest
from baton.sdk.records.memory import ModelCache
from baton.sdk.records.redaction import secrets_in
from baton_events.errors import StoreError
from baton_events.ids import canonical_json, digest

_log = logging.getLogger("baton.models")

KEY_VERSION = 1
CACHED_LIMIT_BYTES = 256 * 1024
# A slow cache must not eat the time of the call that it is to save.
TIMEOUT_SECONDS = 2.0

_ANSWER = json.Decoder(ModelAnswer, strict=False)


class AnswerCache(Struct, frozen=True):
    """The answers of one agent's models for one tenant within the last `seconds`."""

    cache: ModelCache
    tenant: str
    agent: str
    seconds: int

    async def lookup(self, model: Model, request: ModelRequest) -> ModelAnswer | None:
        """Return the stored answer to the same request, marked as cached; None: call the model."""
        key = self._key(model, request)
        if key is None:
            return None
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                text = await self.cache.get(self.tenant, key)
            answer = None if text is None else _ANSWER.decode(text)
        except (StoreError, TimeoutError, ValueError, TypeError) as error:
            _log.warning("the model cache gave nothing, so the model is asked: %s", error)
            return None
        return answer and replace(answer, cached=True, spent_before=NOTHING_SPENT)

    async def keep(self, model: Model, request: ModelRequest, answer: ModelAnswer) -> None:
        """Store a model's answer, unless it is too large, or cut off."""
        key = self._key(model, request)
        text = _text_of(answer)
        if key is None or text is None:
            return
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self.cache.put(self.tenant, key, text, self.seconds)
        except (StoreError, TimeoutError) as error:
            _log.warning("the model cache did not keep an answer: %s", error)

    def _key(self, model: Model, request: ModelRequest) -> str | None:
        try:
            return digest("model-answer", KEY_VERSION, self.agent, model.name, _question(request))
        except (TypeError, ValueError) as error:
            _log.warning("a question that is not JSON is not kept: %s", error)
            return None


def _question(request: ModelRequest) -> dict[str, Any]:
    """Return the request without what differs by job: a call's id, which names the job, becomes its position."""
    question = asdict(replace(request, time_limit_seconds=None, listener=None))
    numbers: dict[str, int] = {}
    for message in question["messages"]:
        for call in (message, *message.get("calls", ())):
            if "call_id" in call:
                call["call_id"] = numbers.setdefault(call["call_id"], len(numbers))
    return question


def _text_of(answer: ModelAnswer) -> str | None:
    try:
        if answer.is_cut:
            return None
        values = asdict(answer)
        text = canonical_json(values)
        size_bytes = len(text.encode())
        _ANSWER.decode(text)
    except (TypeError, ValueError, AttributeError):
        return None  # no JSON, or no answer: it goes back to the model as its fault, and must not come again
    if secrets_in(values):
        return None  # a secret that a tool is given is kept while its call is open, and nowhere else
    return text if size_bytes <= CACHED_LIMIT_BYTES else None
