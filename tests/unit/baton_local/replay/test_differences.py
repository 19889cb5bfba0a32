"""Each change of the code is shown as the first difference, with both sides."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from baton import Limits, Registry, tool
from baton_local.replay.replaying import Difference
from tests.unit.baton_local.replay.recorder import difference, recorded
from tests.unit.baton_local.replay.sample_agents import Tools, agents_of, registry_of


@pytest.fixture
async def loop() -> dict[str, Any]:
    """The recording of a job of `loop`."""
    return await recorded(registry_of(), "loop")


async def test_a_changed_tool_schema(loop: dict[str, Any]) -> None:
    tools = Tools()

    @tool(retries=0)
    async def add(a: int, b: int = 0, c: int = 0) -> int:
        """Add two numbers."""
        return a + b + c

    changed: Any = add
    tools.add = changed
    shown = difference(loop, registry_of(tools))
    assert "turn 1: tool 'add' as described to the model" in shown
    assert '+      "c": {' in shown


async def test_a_removed_tool(loop: dict[str, Any]) -> None:
    tools = Tools()
    shown = difference(loop, registry_of(tools, tools=[tools.add, tools.broken]))
    assert "turn 1: tool 'shaky'" in shown
    assert "now:      there is no tool 'shaky'" in shown


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"instructions": "Do it well.\nSlowly."}, ["instructions that the model reads", "-And quickly.", "+Slowly."]),
        ({"model_settings": {"temperature": 1}}, ['now:      {"temperature": 1}']),
        ({"limits": Limits(turns=2)}, ["(agent loop): limit turns\n  recorded: 20\n  now:      2"]),
    ],
)
async def test_a_changed_agent(loop: dict[str, Any], changes: dict[str, Any], shown: list[str]) -> None:
    found = difference(loop, registry_of(**changes))
    assert [text for text in shown if text not in found] == []


async def test_instructions_that_were_deployed_away_before_the_export(loop: dict[str, Any]) -> None:
    loop["texts"] = {}
    shown = difference(loop, registry_of(instructions="New."))
    assert "the text is not in the recording" in shown
    assert "New." in shown


async def test_a_limit_that_bites_ends_the_job_elsewhere(loop: dict[str, Any]) -> None:
    loop["job"]["limits"]["turns"] = 2
    shown = difference(loop, registry_of(limits=Limits(turns=2)))
    assert "turn 3\n  recorded: the model is asked\n  now:      the job is completed, stopped by turns" in shown


def with_changed(name: str, **changes: Any) -> Registry:
    return Registry([replace(one, **changes) if one.name == name else one for one in agents_of(Tools())])


@pytest.mark.parametrize(
    ("agent", "changed", "changes", "shown"),
    [
        ("overloaded", "overloaded", {"model_retries": 1}, "model policy retries\n  recorded: 3\n  now:      1"),
        ("boss", "helper", {"limits": Limits(turns=7)}, "(agent helper): limit turns"),
    ],
)
async def test_a_change_of_an_agent_or_of_one_below(
    agent: str, changed: str, changes: dict[str, Any], shown: str
) -> None:
    assert shown in difference(await recorded(registry_of(), agent), with_changed(changed, **changes))


async def test_a_model_that_would_be_called_once_more() -> None:
    document = await recorded(registry_of(), "endless")
    document["job"]["limits"]["turns"] = 5
    shown = difference(document, with_changed("endless", limits=Limits(turns=5)))
    assert "turn 4\n  recorded: the job is completed, stopped by turns" in shown
    assert "now:      the model is asked once more" in shown


async def test_a_tool_that_is_retried_less_or_more_often(loop: dict[str, Any]) -> None:
    tools = Tools()
    tools.shaky = replace(tools.shaky, retries=0)
    shown = difference(loop, registry_of(tools))
    assert 'turn 2, call 1 (shaky): attempts\n  recorded: ["ToolError: not yet", "returned"]' in shown
    document = await recorded(registry_of(tools), "loop")
    assert 'now:      ["ToolError: not yet", "one attempt more"]' in difference(document, registry_of())


async def test_another_conversation(loop: dict[str, Any]) -> None:
    """What the model is told now stands beside what is known of the recorded side."""
    damaged = copy.deepcopy(loop)
    damaged["job"]["transcript"][1]["text"] = "three at once"
    shown = difference(damaged, registry_of())
    assert "turn 2: messages that the model reads" in shown
    assert "three at once" in shown


async def test_another_answer_than_recorded_is_never_taken_for_the_same(loop: dict[str, Any]) -> None:
    loop["job"]["result"] = {"answer": "nothing done"}
    assert 'its result\n  recorded: {"answer": "nothing done"}\n  now:      {"answer": "all done"}' in difference(
        loop, registry_of()
    )


def test_short_sides_are_in_a_line_each() -> None:
    shown = str(Difference("turn 1", "a", {"b": 1}))
    assert shown == 'The first difference: turn 1\n  recorded: a\n  now:      {"b": 1}'


def test_long_texts_are_compared_by_line() -> None:
    lines = [f"line {n}" for n in range(50)]
    shown = str(Difference("turn 1", "\n".join(lines), "\n".join([*lines[:30], "new", *lines[31:]])))
    assert "  -line 30\n  +new" in shown
    assert "line 5\n" not in shown


def test_what_is_all_different_is_cut() -> None:
    shown = str(Difference("turn 1", "\n".join(["x" * 1000] * 500), "\n".join(["y"] * 500))).splitlines()
    assert len(shown) < 70
    assert max(map(len, shown)) < 500
    assert shown[-1].endswith("more lines")
