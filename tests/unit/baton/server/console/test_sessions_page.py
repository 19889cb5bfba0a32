"""Sessions as conversations."""

import re
from collections.abc import AsyncIterator

import pytest

from baton import Agent, Registry
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import OPERATIONS_KEY, with_keys
from tests.unit.baton.server.api.sessions.chatting import send_now, sending
from tests.unit.baton.server.api.sessions.test_background import Says, complete, count, order, pay, run_for_a_minute
from tests.unit.baton.server.console.operator import Operator, operator_of

CHAT = "/console/sessions/chat-1?tenant=acme"


@pytest.fixture
async def desk() -> AsyncIterator[Operator]:
    registry = Registry([Agent(name="says", model=Says(), tools=[order, pay, count])])
    settings = with_keys(operations_api_key=OPERATIONS_KEY)
    async with operator_of(Stage(settings=settings, registry=registry)) as made:
        yield made


async def say(desk: Operator, message_id: str, text: str, **fields: object) -> None:
    requesting = await sending(desk.api, "chat-1", message_id, text, **fields)
    await run_for_a_minute(desk.api)
    await requesting
    desk.stage.clock.ms += 1_000


def texts(markup: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", markup.partition("<main")[2]).split())


async def test_a_list_shows_the_first_task_and_what_was_said_last(desk: Operator) -> None:
    """With state and number of jobs; a page of jobs before it shows no session twice."""
    assert "There are no conversations yet" in await desk.see("/console/sessions")
    await say(desk, "m1", "one?")
    await say(desk, "m2", "two?")
    await desk.api.submitted(sessionId="other", jobType="says", taskDescription="three?")
    await desk.api.submitted(jobType="says", taskDescription="alone?")
    assert "alone?" not in await desk.see("/console/sessions")
    assert "alone?" in await desk.see("/console/sessions?all=1")
    for number in range(99):
        await desk.api.submitted(sessionId=f"s{number:02d}", jobType="says")
    first = await desk.see("/console/sessions")
    (cursor,) = re.findall(r'href="(\?cursor=[^"]+)"', first)
    shown = texts(await desk.see(f"/console/sessions{cursor}"))
    assert re.search(r"pending three\? other three\?", shown)
    assert re.search(r"completed one\? chat-1 two\? says acme .* 2 \$0", shown)
    desk.stage.clock.ms += 1_000
    await say(desk, "m3", "four?")
    assert "one?" in await desk.see("/console/sessions")
    assert "one?" not in await desk.see(f"/console/sessions{cursor}")


async def test_the_state_of_a_session_is_that_of_the_job_whose_turn_it_is(desk: Operator) -> None:
    for task in ("call pay 5", "two?"):
        await desk.api.submitted(sessionId="line", jobType="says", taskDescription=task)
        await run_for_a_minute(desk.api)
        desk.stage.clock.ms += 1_000
    assert re.search(r"waiting call pay 5 line two\? says acme", texts(await desk.see("/console/sessions")))


async def test_a_conversation_tells_what_was_asked_done_and_answered(desk: Operator) -> None:
    """Calls, approvals and operations lead to their pages; an outcome is answered by nobody's question."""
    await say(desk, "m1", "call pay 5")
    await say(desk, "m2", "call order")
    await say(desk, "m3", "<b>loud</b>")
    markup = await desk.see(CHAT)
    shown = texts(markup)
    assert shown.index("call pay 5") < shown.index("call order") < shown.index("&lt;b&gt;loud")
    assert re.search(r'<a href="/console/jobs/\S+/calls/\S+">pay</a> <span class="dim">{&#34;amount&#34;: 5}', markup)
    assert re.search(r'<a href="/console/approvals/\S+">approval, pending</a>', markup)
    assert re.search(r'<a href="/console/jobs/\S+">order, started</a>', markup)
    operations = (await desk.api.request("GET", "/api/sessions/chat-1")).json()["activeOperations"]
    (ordered,) = (each["operationId"] for each in operations if each["tool"] == "order")
    await complete(desk.api, ordered, success=True, result="three")
    after = await desk.see(CHAT)
    assert "is done. Its result: &#34;three&#34;]" in after
    assert after.count('aria-label="user"') == 3


async def test_an_exchange_that_is_taken_back_is_marked(desk: Operator) -> None:
    first = await sending(desk.api, "chat-1", "m1", "one?")
    desk.stage.clock.ms += 1_000
    await say(desk, "m2", "two?", whenBusy="rollback")
    await first
    markup = await desk.see(CHAT)
    assert markup.index('class="void"') < markup.index("No longer part") < markup.index("one?") < markup.index("two?")
    assert markup.count('class="void"') == 1


async def test_what_is_said_to_a_running_job_stands_in_its_answer(desk: Operator) -> None:
    """Before the job has read it, too."""
    first = await sending(desk.api, "chat-1", "m1", "one?")
    await send_now(desk.api, "chat-1", "m2", "and more", whenBusy="steer")
    for _ in range(2):
        shown = texts(await desk.see(CHAT))
        assert shown.index("one?") < shown.index("user and more")
        await run_for_a_minute(desk.api)
    await first


async def test_a_long_answer_is_folded_and_a_long_session_has_pages(desk: Operator) -> None:
    """Nothing is lost; only the newest page changes by itself, and only what has changed."""
    for number in range(21):
        await say(desk, f"m{number}", f"number {number:02d}. " + "x" * 2_000)
    newest = await desk.see(CHAT)
    assert (newest.count("data-stamp"), "number 00" in newest, "data-refresh" in newest) == (20, False, True)
    assert newest.count("the rest of it") == 40
    assert re.findall(r'data-stamp="[^"]+"', newest) == re.findall(r'data-stamp="[^"]+"', await desk.see(CHAT))
    (earlier,) = re.findall(r'href="(\?[^"]+)">Earlier', newest)
    oldest = await desk.see(f"/console/sessions/chat-1{earlier.replace('&amp;', '&')}")
    assert (oldest.count("data-stamp"), "number 00" in oldest, "data-refresh" in oldest) == (1, True, False)


async def test_what_runs_in_a_session_is_cancelled(operator: Operator) -> None:
    for _ in range(2):
        await operator.api.submitted(sessionId="s 1")
    assert "Cancel its jobs that have not ended" in await operator.see("/console/sessions/s 1?tenant=acme")
    assert "This conversation has no jobs" in await operator.see("/console/sessions/s 1?tenant=other")
    markup = await operator.done("/console/sessions/s 1/cancel", tenant="acme")
    assert "2 jobs are cancelled." in markup
    assert "Cancel its jobs that have not ended" not in markup


async def test_what_goes_on_in_the_background_is_cancelled_too(desk: Operator) -> None:
    """As by the API: the button is there, so it does what it says."""
    await say(desk, "m1", "call order")
    assert "Cancel its jobs that have not ended" in await desk.see(CHAT)
    markup = await desk.done("/console/sessions/chat-1/cancel", tenant="acme")
    assert "1 jobs are cancelled." in markup
    assert "Cancel its jobs that have not ended" not in markup


async def test_a_replaced_message_is_marked_on_an_older_page(desk: Operator) -> None:
    """The page before the edited message took it for a part of the conversation."""
    for number in range(22):
        await say(desk, f"m{number}", f"number {number:02d}.")
    await say(desk, "m1", "edited", messageId="m1")
    newest = await desk.see(CHAT)
    assert newest.count('class="void"') == 19
    (earlier,) = re.findall(r'href="(\?[^"]+)">Earlier', newest)
    oldest = await desk.see(f"/console/sessions/chat-1{earlier.replace('&amp;', '&')}")
    assert (oldest.count("data-stamp"), oldest.count('class="void"')) == (3, 2)
