"""A turn's page: what its model was sent and answered; a call's page: its attempts, its key, and where it failed."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import pytest

from baton import Agent, Call, DropOldest, Registry, ScriptedModel, ToolContext, tool
from baton.engine.commit.answers import History
from baton.engine.fork import Edits
from baton.sdk.models.fingerprint import request_digests
from baton.server.console.shown import foldable
from baton.server.console.turn_page import before_turn
from baton.worker.executors.model_turn import request_again
from tests.unit.baton.kit.forking import fork
from tests.unit.baton.kit.plan_kit import Kit, diamond
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import ADMIN, with_keys
from tests.unit.baton.server.console.operator import Operator, operator_of
from tests.unit.baton.whole.test_forks import CASES, Case

Begin = Callable[[Case], Awaitable[None]]
SECRET = "s3cr3t-of-a-call"


class Reading(ScriptedModel):
    reads_history = True


@tool(retries=1, retry_delay_seconds=1.0, retry_on=[ValueError])
async def open_door(number: int, password: str, ctx: ToolContext) -> dict[str, object]:
    """Open a door that is stuck at first."""
    if ctx.attempt == 1 or number == 2:
        raise ValueError(f"{password} does not open {number}")
    return {"number": number, "rooms": [{"name": "<hall>"}, None, 2**60]}


def registry(instructions: str = "Open doors.") -> Registry:
    script = [Call("open_door", {"number": number, "password": SECRET}) for number in (1, 2)]
    porter = Agent(
        name="porter",
        instructions=instructions,
        model=Reading([[script[0]], [script[1]], "The first is open."]),
        tools=[open_door],
        history=DropOldest(max_tokens=4_000),
    )
    return Registry([porter, Agent(name="planned", plan=diamond(Kit()))])


@asynccontextmanager
async def porter_has_run() -> AsyncIterator[Operator]:
    async with operator_of(Stage(settings=with_keys(), registry=registry())) as operator:
        await operator.stage.submit("porter", task="Open <both>")
        await operator.stage.run()
        yield operator


async def test_a_turn_shows_what_its_model_was_sent_and_answered() -> None:
    """Made again from what is recorded, the question has the digests of the one that was asked."""
    async with porter_has_run() as operator:
        last = await operator.see("/console/jobs/job_1/turns/3")
        for text in ("Open doors.", "Open &lt;both&gt;", "The first is open.", "open_door, failed", "&lt;hall&gt;"):
            assert text in last
        assert "and the same as what was sent" in last
        assert SECRET not in last
        first = await operator.see("/console/jobs/job_1/turns/1")
        assert "and the same as what was sent" in first
        assert "open_door, result" not in first
        assert "has no turn 4" in await operator.see("/console/jobs/job_1/turns/4", 404)
        await operator.stage.submit("planned", "job_2")
        await operator.stage.run()
        planned = await operator.see("/console/jobs/job_2/turns/1")
        assert ("No model is asked" in planned, planned.count('id="call-')) == (True, 4)


@pytest.mark.parametrize("make", CASES.values(), ids=CASES)
async def test_every_kind_of_request_is_made_again_as_it_was(make: Callable[[], tuple[Case, Begin]]) -> None:
    """In chats, with memory, with messages in between, and of planners."""
    case, begin = make()
    await begin(case)
    await case.stage.run()
    snapshot, registry = await case.stage.snapshot(), case.stage.container.registry
    entries = await case.stage.reader.transcript("job_1")
    asked = [entry for entry in entries if "requestDigests" in entry]
    for entry in asked:
        before, _ = before_turn(entries, snapshot.job, entry["turn"])
        history = History(tuple(before), snapshot.results)
        request = request_again(registry, registry.agent("agent"), snapshot.job, history)
        assert request_digests(request) == entry["requestDigests"]
    assert len(asked) == snapshot.job.turn


async def test_a_turn_says_what_a_deploy_has_changed_since() -> None:
    async with porter_has_run() as operator:
        for after, text in (
            (registry("Close doors."), "These parts have changed since: instructions."),
            (Registry([]), "is not registered any more"),
        ):
            operator.stage.restart(after)
            async with operator_of(operator.stage) as later:
                assert text in (markup := await later.see("/console/jobs/job_1/turns/2"))
                assert "Open &lt;both&gt;" in markup


async def test_a_forks_turns_are_taken_over_or_asked_with_its_edits() -> None:
    async with porter_has_run() as operator:
        forked = await fork(operator.stage, 2, Edits(instructions="Knock first."))
        path = f"/console/jobs/{forked.job.id}/turns"
        assert "taken over from job job_1" in await operator.see(f"{path}/1")
        second = await operator.see(f"{path}/2")
        assert "Knock first." in second
        assert "and the same as what was sent" in second


async def test_a_failed_call_shows_its_traceback_to_operators_alone() -> None:
    """From the user's own frames on, without secrets; no client is sent it."""
    async with porter_has_run() as operator:
        failed = (await operator.stage.calls())[1]
        markup = await operator.see(f"/console/jobs/job_1/calls/{failed.id}")
        assert "test_turn_page.py" in markup
        assert "tool_run.py" not in markup
        assert f'<dt>idempotency key</dt><dd class="id">{failed.id}</dd>' in markup
        assert markup.count('data-name="attempt"') == 2
        assert SECRET not in markup
        for path in ("", "/stream", "/recording"):
            response = await operator.api.request("GET", f"/api/agent-jobs/job_1{path}", ADMIN)
            assert "ValueError" in response.text
            assert "test_turn_page.py" not in response.text


@pytest.mark.parametrize("value", [{"a": [1, {"b": 'x" i\n'}], "c": {}, "d": None}, [2**60, 1.5, True]])
async def test_the_text_of_a_folded_value_is_its_json(operator: Operator, value: object) -> None:
    """What is copied from it is the value."""
    await operator.stage.submit("answers", data={"value": value})
    markup = await operator.see("/console/jobs/job_1")
    tree = markup.split('<div class="tree mono">')[1].split("</div>")[0]
    # A text of several lines is shown as it is, and copied as JSON.
    tree = re.sub(
        r'<span class="prose">(.*?)</span>', lambda found: json.dumps(unescape(found[1])), tree, flags=re.DOTALL
    )
    text = unescape(re.sub(r"<[^>]*>", "", tree))
    assert json.loads(text) == {"value": value}


def test_what_is_too_much_is_not_folded() -> None:
    deep: list[object] = []
    for _ in range(60):
        deep = [deep]
    values: list[Any] = [list(range(6_000)), deep, "text", {}, [[]]]
    assert [foldable(value) for value in values] == [False] * 4 + [True]
