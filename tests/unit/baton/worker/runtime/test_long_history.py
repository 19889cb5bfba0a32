"""A long job whose model reads all that was said: its last steps take no more of our code than its first."""

import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.commit.answers import History
from baton.sdk.models.model import ModelAnswer, ModelMessage, ModelRequest, ToolMessage, UserMessage
from baton.worker.executors.history import kinds_of
from baton.worker.executors.model_turn import messages
from tests.architecture.source_files import PACKAGES, ROOT
from tests.unit.baton.kit.stage import SETTINGS, Stage

TURNS = 19
OURS = tuple(f"{ROOT / PACKAGES[name]}/" for name in ("baton", "baton_events"))
NOT_OURS = f"{ROOT / PACKAGES['baton']}/baton/store/redis/in_process/"


@tool
async def lookup(n: int) -> dict[str, Any]:
    """Look something up."""
    return {"found": n}


class Steps:
    """Counts the calls of our functions between two requests to a model; the store of the test is no part of them."""

    def __init__(self) -> None:
        self.calls, self.requests = [0], list[ModelRequest]()

    def count(self, frame: FrameType, event: str, _: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and name.startswith(OURS) and not name.startswith(NOT_OURS):
            self.calls[-1] += 1

    def asked(self, request: ModelRequest) -> None:
        self.requests.append(request)
        self.calls.append(0)


class Reading(ScriptedModel):
    reads_history = True

    def __init__(self, asked: Callable[[ModelRequest], None]) -> None:
        super().__init__([*([Call("lookup", {"n": number})] for number in range(TURNS)), "done"])
        self._asked = asked

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self._asked(request)
        return await super().answer(request)


async def test_the_last_steps_take_as_many_calls_as_the_first_and_say_all() -> None:
    steps = Steps()
    registry = Registry([Agent("long", model=Reading(steps.asked), tools=[lookup])])
    stage = Stage(settings=replace(SETTINGS, continuation="inline"), registry=registry)
    sys.setprofile(steps.count)
    try:
        await stage.played("long")
    finally:
        sys.setprofile(None)
    [_, _, first, *between, last, _] = steps.calls  # from the second request on: before it, much is made once
    assert len(between) == TURNS - 3
    assert max(*between, last) <= 1.1 * first, steps.calls
    sent = steps.requests[-1].messages
    assert isinstance(sent[0], UserMessage)
    assert [each.content for each in sent if isinstance(each, ToolMessage)] == [{"found": n} for n in range(TURNS)]
    assert [each.calls[0].arguments for each in sent if isinstance(each, ModelMessage)] == [
        {"n": number} for number in range(TURNS)
    ]


def told(text: str, *calls: str, role: str = "model") -> dict[str, Any]:
    entry = {"role": role, "text": text, "turn": 1, "entries": [], "exchanges": []}
    return entry | {"calls": [{"id": name, "tool": "lookup", "arguments": {}} for name in calls]}


GROWING = (
    told("do it", role="user"),
    told("two calls", "a", "b"),
    told("one more", "late"),
    told("and this", role="user"),
    told("before all", role="session"),
    told("so", "c"),
    told("done"),
)


def test_what_is_made_of_a_growing_history_is_what_is_made_of_it_at_once() -> None:
    """Also where a result comes late, something comes before the task, or a step that began earlier goes on."""
    memo = dict[str, Any]()
    for count in (*range(1, len(GROWING) + 1), 3):
        entries = GROWING[:count]
        results = {name: {"ok": name} for name in ("a", "b", "c", *(["late"] if count > 4 else []))}
        assert messages(History(entries, results, memo=memo)) == messages(History(entries, results))
        kinds = frozenset(entry["role"] for entry in entries)
        assert kinds_of(History(entries, results, memo=memo)) == kinds
        nothing = tuple[str, ...]()
        told_now = History(entries, results, memo=memo)
        names = told_now.of_results("names", nothing, lambda known, more: known + tuple(dict(more)))
        assert sorted(names) == sorted(results)
    assert memo["messages"][0] == len(GROWING)
