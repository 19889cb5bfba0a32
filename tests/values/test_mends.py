"""Each door's mends, one at a time removed: the generators notice, not the case alone that each was mended for."""

from collections.abc import Iterator
from typing import Any

import pytest

from baton.sdk.agents import agent, code_mode
from baton.sdk.models.model import NOTHING_SPENT, ModelAnswer
from baton.sdk.models.through_pydantic_ai import client, whole
from baton.sdk.planning import reference
from baton.server.api import audit, problem
from baton.store.transport import bodies
from baton.worker.executors import executor, model_call, tool_run
from baton_events.values import durations, json_value
from tests.values import clients, steps
from tests.values.clients import a_body
from tests.values.doors import Door
from tests.values.durations import a_duration, an_endless_result
from tests.values.odd import Drawn
from tests.values.providers import an_answer_of_a_server, an_answer_to_a_library
from tests.values.scripts import a_script
from tests.values.steps import (
    a_result,
    a_task_of_a_plan,
    a_tool_error,
    a_usage,
    a_wait,
    an_answer_of_a_runner,
    an_error,
)

_SEEDS = 4_000


def _as_it_is(value: Any, *_: Any, **__: Any) -> Any:
    return value


Mend = tuple[str, Any, str, Any, Door]
# What is removed, where (or in several places), what stands in its place, and the door whose values notice.
MENDS: list[Mend] = [
    ("an error's text is read as it is", tool_run, "text_of", str, an_error),
    ("what a model answers is not made JSON", model_call, "plain", _as_it_is, an_answer_of_a_runner),
    ("what a tool waits for is not made JSON", executor, "bounded_plain", _as_it_is, a_wait),
    ("a count is taken as it is", model_call, "count", _as_it_is, a_usage),
    ("a wait is taken as it is", executor, "wait_seconds", _as_it_is, a_tool_error),
    ("half a character stays", json_value, "storable", _as_it_is, a_result),
    ("numbers that JSON has not stay", json_value._Walk, "_number", lambda _, value, __: value, a_result),
    ("whole numbers may be endless", json_value, "_NUMBER_LIMIT", 10**9_999, a_result),
    ("a stream needs no end mark", whole.ChatChunks, "have_end_mark", True, an_answer_of_a_server),
    ("a word that nobody knows is a whole answer", whole, "meaning_of", lambda _: "stop", an_answer_of_a_server),
    ("no answer is cut", ModelAnswer, "is_cut", False, an_answer_of_a_server),
    ("halves of a text stay apart", whole, "_clean", _as_it_is, an_answer_of_a_server),
    ("two calls keep one id", whole, "_another_id", lambda taken, _: taken, an_answer_to_a_library),
    ("calls are joined by their index", whole._Begun, "is_followed_by", lambda *_: False, an_answer_of_a_server),
    ("no arguments are a fault", whole, "_NONE", frozenset(), an_answer_of_a_server),
    ("tokens of refused answers do not count", client, "_spent", lambda _: NOTHING_SPENT, an_answer_of_a_server),
    ("a coded body is read", (bodies, problem), "check_announced", _as_it_is, a_body),
    ("all faults are listed", problem, "FAULTS", 1_000_000, a_body),
    ("words around a script stay", code_mode, "blocks_of", lambda *_: [], a_script),
    ("a timedelta stays one", agent, "plain_seconds", _as_it_is, a_duration),
    ("durations have no end", durations, "seconds_of", durations.plain_seconds, a_duration),
    ("pydantic reads iterators", json_value, "_has_iterator", lambda *_: False, an_endless_result),
    ("iterators have no end", json_value._Walk, "_items", lambda _, value, __: value, an_endless_result),
    ("a task's data is recorded as it is", reference, "_as_literal", _as_it_is, a_task_of_a_plan),
    ("operators' bodies are kept as they are", audit, "plain", _as_it_is, a_body),
]


async def _played(door: Door) -> None:
    for seed in range(_SEEDS):
        await door(Drawn(seed))


@pytest.fixture(autouse=True)
def _worlds_of_its_own() -> Iterator[None]:
    """What a removed mend has let in is in no world that another test plays."""
    yield
    for world in (clients._odd_outcomes, clients._odd_requests, steps._odd_tool, steps._odd_model):
        world.cache_clear()


@pytest.mark.long
@pytest.mark.parametrize("mend", MENDS, ids=lambda mend: mend[0])
async def test_a_generator_notices_that_it_is_gone(mend: Mend, monkeypatch: pytest.MonkeyPatch) -> None:
    _, target, name, instead, door = mend
    for module in target if isinstance(target, tuple) else (target,):
        monkeypatch.setattr(module, name, instead)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the door says
        await _played(door)
