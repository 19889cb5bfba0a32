"""What a model's server answers, drawn by chance: the answer says what the server said, or is a failure.

An oracle reads the same body by the rules of `docs/models.md`. Invariant: half an answer is none, the tokens of each
answer count, and each call has an id of its own, its arguments as they were sent, or the reason why it does not run.
"""

import json
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count
from typing import Any
from unittest.mock import patch

import httpx
import pydantic_ai
import respx

from baton.engine.step_results import ModelAnswered
from baton.pydantic_ai import durable
from baton.sdk.agents.runner import JobInfo, Recorded, RunFailedError, Runner
from baton.sdk.models.catalog import ProviderModel
from baton.sdk.models.model import ANSWER_CUT, NOTHING_SPENT, ModelAnswer, ModelError, ModelRequest, ToolSpec
from baton_events.values.text import storable
from tests.fakes.listener import FakeListener
from tests.unit.baton.sdk.models.through_pydantic_ai.provider_cases import OPENAI_CHAT
from tests.unit.baton.sdk.models.through_pydantic_ai.recorded_streams import chunk
from tests.unit.baton.sdk.models.through_pydantic_ai.requesting import ADD, QUESTION
from tests.values.odd import Drawn
from tests.values.steps import model_turn

_PIECES = ("", "a", "é", "\ud83d", "\ude00", "\ud83d\ude00", " ", "x" * 300)
# Arguments as they are sent, and as they are meant; None: they cannot be read.
_ARGUMENTS: tuple[tuple[str, dict[str, Any] | None], ...] = (
    *(('{"a": 1, "b": 2}', {"a": 1, "b": 2}), ('{"a": 1e2, "b": "\\ud83d\\ude00"}', {"a": 1e2, "b": "\U0001f600"})),
    *(("", {}), ("null", {}), ("  ", {}), ('{"a": 1', None), ("7", None)),
)
_FINISH = ("stop", "tool_calls", "length", "max_tokens", "content_filter", "weird", None)
_LOOK = ToolSpec("look", "Look.", {"type": "object", "properties": {}})
_RECORD = Recorded(JobInfo(job_id="job_1", session_id="s", tenant="t", task="What is 1 + 2?"))
_numbers = count()


@cache
def _model() -> ProviderModel:
    return ProviderModel(OPENAI_CHAT.model)


@dataclass(frozen=True)
class Said:
    """What a server says: a text in pieces, calls (id, tool, arguments), its finish reason, end mark and tokens.

    `one_index`: its stream gives all calls the same; `in_a_message`: it is one chunk with a whole message.
    """

    pieces: tuple[str, ...]
    calls: tuple[tuple[str, str, str], ...]
    finish: str | None
    is_done: bool
    tokens: tuple[int, int] | None
    one_index: bool = False
    in_a_message: bool = False

    @property
    def text(self) -> str:
        """The whole text, as it can be stored."""
        return storable("".join(self.pieces))

    def body(self, *, streams: bool) -> bytes:
        """The answer on the wire."""
        calls = [
            {
                "index": 0 if self.one_index else at,
                "id": id_,
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for at, (id_, name, arguments) in enumerate(self.calls)
        ]
        usage = self.tokens and {
            "prompt_tokens": self.tokens[0],
            "completion_tokens": self.tokens[1],
            "total_tokens": sum(self.tokens),
        }
        message = {"role": "assistant", "content": "".join(self.pieces), "tool_calls": calls}
        if not streams:
            whole = chunk() | {"object": "chat.completion", "usage": usage}
            return json.dumps(
                whole | {"choices": [{"index": 0, "message": message, "finish_reason": self.finish}]}
            ).encode()
        chunks = [chunk({"content": piece}) for piece in self.pieces] + [chunk({"tool_calls": [one]}) for one in calls]
        if self.in_a_message:
            chunks = [chunk() | {"choices": [{"index": 0, "message": message, "finish_reason": None}]}]
        chunks += [chunk({}, self.finish)] if self.finish else []
        chunks += [chunk(usage=usage)] if usage else []
        lines = [f"data: {json.dumps(one)}\n\n" for one in chunks] + ["data: [DONE]\n\n"] * self.is_done
        return "".join(lines).encode()


def _said(drawn: Drawn) -> Said:
    chance = drawn.random
    number = next(_numbers)
    calls = tuple(
        (f"call_{number}_{chance.randrange(2)}", chance.choice(("add", "look")), chance.choice(_ARGUMENTS)[0])
        for _ in range(chance.choice((0, 0, 1, 2)))
    )
    return Said(
        tuple(chance.choice(_PIECES) for _ in range(chance.randrange(4))),
        calls,
        chance.choice(_FINISH),
        chance.random() < 0.5,
        chance.choice(((7, 5), None)),
        _are_told_apart(calls) and chance.random() < 0.5,
        chance.random() < 0.1,
    )


def _mark(drawn: Drawn) -> bytes:
    return BOM_UTF8 if drawn.random.random() < 0.1 else b""


def _are_told_apart(calls: Sequence[tuple[str, str, str]]) -> bool:
    """Return whether calls under one index can be told apart: by their ids, the first one being whole."""
    return len({id_ for id_, _, _ in calls}) == len(calls) and not any(each[2] == '{"a": 1' for each in calls)


@cache
def _runner() -> Runner:
    agent: pydantic_ai.Agent[None, str] = pydantic_ai.Agent(OPENAI_CHAT.model, name="a")

    @agent.tool_plain
    def add(a: int, b: int) -> int:
        return a + b

    @agent.tool_plain
    def look() -> int:
        return 0

    made = durable(agent).runner
    assert made is not None
    return made


async def an_answer_to_a_library(drawn: Drawn) -> None:
    """A server answers an agent of pydantic-ai with it: two calls with one id are two, and half an answer is none."""
    said = _said(drawn)
    answer = httpx.Response(
        200, headers={"content-type": "text/event-stream"}, content=_mark(drawn) + said.body(streams=True)
    )
    with patch.dict("os.environ", OPENAI_API_KEY="x"), respx.mock(using=OPENAI_CHAT.using) as router:
        router.post(url__startswith=OPENAI_CHAT.url).mock(return_value=answer)
        found, spent = None, NOTHING_SPENT
        try:
            found = (await _runner().turn(_RECORD, FakeListener())).answer
        except (ModelError, RunFailedError) as error:
            spent = error.spent
    if found is None or said.finish == "weird":
        assert found is None, said
        assert (spent.input_tokens, spent.output_tokens) == (said.tokens or (0, 0)), said
        return
    assert said.finish or said.is_done or said.tokens, said
    assert found.provider is not None
    ids = found.provider["ids"]
    assert len(set(ids)) == len(ids) == len(found.calls) == len(said.calls), (said, found)
    assert found.text == said.text, (said, found)


async def an_answer_of_a_server(drawn: Drawn) -> None:
    """A server of Chat Completions answers with it, whole or in a stream."""
    said, streams = _said(drawn), drawn.random.random() < 0.7
    media = "text/event-stream" if streams else "application/json"
    answer = httpx.Response(200, headers={"content-type": media}, content=_mark(drawn) + said.body(streams=streams))
    request = ModelRequest("", (QUESTION,), (ADD, _LOOK), 1, listener=FakeListener() if streams else None)
    with patch.dict("os.environ", OPENAI_API_KEY="x"), respx.mock(using=OPENAI_CHAT.using) as router:
        router.post(url__startswith=OPENAI_CHAT.url).mock(return_value=answer)
        try:
            found: ModelAnswer | ModelError = await _model().answer(request)
        except ModelError as error:
            found = error
    _check(said, found, streams=streams)
    if isinstance(found, ModelAnswer):
        step_result = await model_turn(lambda: found)
        if said.finish in ("length", "max_tokens") and isinstance(step_result, ModelAnswered):
            assert all(wanted.fault is not None for wanted in step_result.wanted), (
                said
            )  # no call of half an answer runs
            assert step_result.wanted, said


def _check(said: Said, found: ModelAnswer | ModelError, *, streams: bool) -> None:
    tokens = said.tokens or (0, 0)
    if isinstance(found, ModelError):
        assert (found.spent.input_tokens, found.spent.output_tokens) == tokens, (said, found)
        if said.finish == "content_filter":
            assert not found.retryable
            assert said.text[:100] in found.message
        elif said.finish in ("length", "max_tokens") and not said.text.strip() and not said.calls:
            assert (found.type, found.retryable) == (ANSWER_CUT, False)
        else:
            has_end = said.finish != "weird" and (said.finish or not streams or said.is_done or said.tokens)
            assert found.retryable
            assert not (has_end and (said.text.strip() or said.calls)), (said, found)
        return
    assert said.finish or not streams or said.is_done or said.tokens, (said, found)
    assert said.finish not in ("content_filter", "weird")
    assert found.text == said.text, (said, found)
    assert (found.input_tokens, found.output_tokens) == tokens, (said, found)
    assert found.is_cut == (said.finish in ("length", "max_tokens"))
    meant = dict(_ARGUMENTS)
    assert [(call.tool, None if call.fault else call.arguments) for call in found.calls] == [
        (name, meant[arguments]) for _, name, arguments in said.calls
    ], (said, found)
