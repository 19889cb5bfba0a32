"""The one shell: what becomes of a message in each case, what it dispatches, and who is broken off, or waits.

What the queue delivers is drawn by chance, too. A process that is told to stop says so, and stops as it would have.
"""

import asyncio
import json
import re
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from baton import Agent, Call, Registry, ScriptedModel, tool
from baton.engine.commit.answers import Claim
from baton.engine.transitions import JobStatus
from baton.engine.work_items import ItemKind, item_key_of
from baton.queue.dispatch import Outcome
from baton.server.app import SPECS
from baton.settings.settings import Settings
from baton.worker.runtime import policy
from baton.worker.runtime.policy import Stopping
from baton_events.errors import PublishError
from baton_events.schema import Event, EventType, parse_event
from tests.unit.baton.kit.edge import LOOP, Edge
from tests.unit.baton.kit.faults import Method, around
from tests.unit.baton.kit.signing import signature
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage
from tests.values.odd import Drawn

INLINE = replace(SETTINGS, continuation="inline")
LEASE_MS = SETTINGS.work_timeout_seconds * 1000 + 10_000


def kinds(stage: Stage, after: int = 0) -> list[str]:
    return [event.type for event in stage.events()[after:]]


async def types(stage: Stage) -> Counter[str]:
    parts = (await stage.reader.parts("job_1", 0)).parts
    return Counter(json.loads(text)["type"] for text in parts)


async def test_a_job_runs_to_its_end_by_messages_alone() -> None:
    """Turn, two calls, two results, turn: each step is one event; every tool runs once."""
    stage = Stage()
    await stage.played("adds")
    snapshot = await stage.snapshot()
    assert (snapshot.job.status, snapshot.job.result) == (JobStatus.COMPLETED, {"answer": "3 and 7"})
    assert stage.step_result.runs == ["add 1 2", "add 3 4"]
    assert snapshot.items == ()
    assert kinds(stage) == [
        "agent.loop.init",  # the backup message
        "agent.loop.init",
        "agent.tool.call",
        "agent.tool.call",
        "tool.execution.complete",
        "tool.execution.complete",
        "agent.loop.init",
    ]


async def test_a_result_needs_no_message_unless_all_four_events_are_asked_for() -> None:
    """It is taken in with its run, and tells as much of it; a retry comes by the call's own event."""
    taken_in, literal = [Stage(settings=replace(SETTINGS, continuation=mode)) for mode in ("queue", "literal")]
    for stage in (taken_in, literal):
        await stage.played("adds")
    told = [await types(stage) for stage in (taken_in, literal)]
    assert told[0] == told[1]
    assert kinds(taken_in) == [each for each in kinds(literal) if each != "tool.execution.complete"]
    retried = Stage(settings=replace(SETTINGS, continuation="queue"))
    await retried.played("breaks")
    assert [each for each in kinds(retried) if each.startswith("tool.")] == []
    assert (await retried.snapshot()).job.result == {"answer": "gave up"}


async def test_a_granted_item_is_done_and_exactly_what_follows_is_dispatched() -> None:
    stage = Stage()
    first = await stage.submit("adds")
    seen = len(stage.events())
    outcome = await stage.deliver(first, "m-turn")
    assert (outcome.label, outcome.dispatched) == ("done", 2)
    items = await stage.items()
    assert [item_key_of(event) for event in stage.events()[seen:]] == [item.key for item in items]
    assert {item.relay_id for item in items} == {"m-turn"}


async def test_what_was_replayed_anew_is_not_swallowed_where_the_same_delivery_hands_it_on() -> None:
    """Two copies of a message count their retries each for itself; what one replayed is the other's to dispatch."""
    stage = Stage()
    first = await stage.submit("adds")
    await stage.deliver(first, "m-turn")
    for since_ms in (0, 0, 60_000):
        tree = stage.store.tree("job_1")
        replayed = {key: structs.replace(item, since_ms=stage.clock.ms + since_ms) for key, item in tree.items.items()}
        stage.store.write("job_1", structs.replace(tree, items=replayed))
        await stage.deliver(first, "m-turn", retried=1)
    once, again, anew = ({message.deduplication_id for message in stage.outgoing()[at:][:2]} for at in (-6, -4, -2))
    assert len(once) == 2
    assert once == again
    assert not once & anew


async def test_a_busy_item_comes_again_after_the_lease() -> None:
    """No retry is burnt; the event is the same, for the time at which the lease ends."""
    stage = Stage()
    first = await stage.submit("adds")
    item = stage.store.tree("job_1").items["loop:job_1:1:1"]
    held = structs.replace(item, owner="o-other", lease_until_ms=stage.clock.ms + LEASE_MS)
    stage.store.write("job_1", structs.replace(stage.store.tree("job_1"), items={item.key: held}))
    outcome = await stage.deliver(first, "m-second")
    last = stage.outgoing()[-1]
    assert outcome.label == "busy"
    assert parse_event(last.body.encode()) == first
    assert last.not_before_ms == stage.clock.ms + LEASE_MS


async def test_an_event_that_is_early_comes_again_when_it_is_due() -> None:
    """For instance because the queue's longest delay is shorter than the job's."""
    stage = Stage()
    job = structs.replace(stage.job("answers"), start_at_ms=stage.clock.ms + 500_000)
    await stage.container.commands.submit(job, {"text": "", "data": {}})
    outcome = await stage.deliver(stage.events()[-1], "m1")
    assert outcome.label == "early"
    assert stage.outgoing()[-1].not_before_ms == job.start_at_ms


async def test_a_queue_that_fails_leaves_the_message_unacknowledged() -> None:
    stage = Stage()
    first = await stage.submit("adds")
    stage.queue.failing.append(PublishError("full"))
    with pytest.raises(PublishError):
        await stage.deliver(first, "m-turn")
    outcome = await stage.deliver(first, "m-turn", retried=1)
    assert (outcome.label, outcome.dispatched) == ("applied", 2)
    await stage.run()
    assert (await stage.now()).status is JobStatus.COMPLETED
    assert stage.step_result.runs == ["add 1 2", "add 3 4"]


async def test_the_tool_executor_never_goes_into_a_model_turn() -> None:
    """So that it stays free of model libraries: the next turn is published."""
    stage = Stage(settings=INLINE)
    first = await stage.submit("adds")
    await stage.deliver(first, "m-turn", retried=1)
    calls = stage.events()[-2:]
    seen = len(stage.events())
    for number, call in enumerate(calls):
        await stage.deliver(call, f"m-call{number}")
    assert kinds(stage, seen) == ["agent.loop.init"]


async def test_a_function_refuses_work_that_is_not_its_own() -> None:
    stage = Stage()
    first = await stage.submit("adds")
    pipeline = stage.pipeline(EventType.LOOP_INIT)
    pipeline._executors = {}
    with pytest.raises(ValueError, match="this function cannot do CallModel"):
        await stage.deliver(first)


class EndOfProcessError(BaseException):
    """What no handler keeps."""


class Slow:
    """Three calls of a turn, which take until they may end."""

    def __init__(self, settings: Settings = SETTINGS) -> None:
        self.began, self.may_end, self.starts = asyncio.Event(), asyncio.Event(), list[int]()

        @tool(retries=2)
        async def slow(n: int) -> int:
            self.starts.append(n)
            if len(self.starts) == 3 or settings is SETTINGS:
                self.began.set()
            await self.may_end.wait()
            return n

        calls = [Call("slow", {"n": n}) for n in range(3)]
        agent = Agent("slow", model=ScriptedModel([calls, "done"]), tools=[slow])
        self.stage = Stage(settings=settings, registry=Registry([agent]))
        self.store, self.given_back = self.stage.store, list[tuple[str, bool]]()
        around(self.store, "give_back", self._later)

    async def _later(self, give_back: Method, claim: Claim, now_ms: int, *, begun: bool) -> bool:
        """After a while that is longer for each."""
        for _ in range(3 * len(claim.item_key) + 5 * len(self.given_back)):
            await asyncio.sleep(0)
        self.given_back.append((claim.item_key, begun))
        given_back: bool = await give_back(claim, now_ms, begun=begun)
        return given_back

    async def calls(self) -> list[Event]:
        first = await self.stage.submit("slow")
        seen = len(self.stage.events())
        await self.stage.deliver(first, "m-turn")
        return self.stage.events()[seen:]

    def change(self, event: Event, **changes: Any) -> None:
        tree, key = self.store.tree("job_1"), item_key_of(event)
        self.store.write(
            "job_1", structs.replace(tree, items={**tree.items, key: structs.replace(tree.items[key], **changes)})
        )

    async def died(self) -> tuple[Event, Event, asyncio.Task[Outcome]]:
        """Of three calls, two have died before, and one of these is at work: the other, the third, the delivery."""
        one, other, pending = await self.calls()
        for event in (one, other):
            self.change(event, abandoned=1)
        self.change(pending, relay_id="m-other")
        at_work = asyncio.create_task(self.stage.deliver(one, "m-one"))
        await self.began.wait()
        return other, pending, at_work


async def test_of_steps_that_died_the_second_waits_for_its_turn_and_its_message_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is given back unstarted, comes again by itself, and what its message carries besides goes out at once."""
    monkeypatch.setattr(policy, "SPREAD_MS", 20)
    slow = Slow()
    other, pending, at_work = await slow.died()
    outcome = await slow.stage.deliver(other, "m-other")
    assert (outcome.label, outcome.dispatched) == ("waits for its turn alone", 1)
    out, again = slow.stage.outgoing()[-2:]
    assert again.not_before_ms == slow.stage.clock.ms + policy.SPREAD_MS
    assert [item_key_of(event) for event in slow.stage.events()[-2:]] == [item_key_of(pending), item_key_of(other)]
    assert out.not_before_ms <= slow.stage.clock.ms
    item = slow.store.tree("job_1").items[item_key_of(other)]
    assert (item.owner, item.abandoned, slow.starts) == ("", 1, [0])
    assert slow.given_back == [(item.key, False)]
    slow.may_end.set()
    await at_work
    await slow.stage.run()
    assert ((await slow.stage.snapshot()).job.result, sorted(slow.starts)) == ({"answer": "done"}, [0, 1, 2])


async def test_steps_that_died_follow_one_another_at_once_where_they_are_quick() -> None:
    """One at a time, each in its own delivery, and none comes again by the queue, which takes seconds for each."""
    slow = Slow()
    calls = await slow.calls()
    for event in calls:
        slow.change(event, abandoned=1)
    sent = len(slow.stage.events())
    deliveries = [asyncio.create_task(slow.stage.deliver(event, f"m-{at}")) for at, event in enumerate(calls)]
    while len(slow.given_back) < len(calls) - 1:  # noqa: ASYNC110 - no event tells it
        await asyncio.sleep(0)
    assert len(slow.starts) == 1
    slow.may_end.set()
    assert [(await delivery).label for delivery in deliveries] == ["done"] * 3
    assert sorted(slow.starts) == [0, 1, 2]
    assert set(kinds(slow.stage, sent)) == {"tool.execution.complete"}


async def test_who_waits_for_its_turn_finds_what_an_earlier_delivery_has_done_meanwhile() -> None:
    """It has lost its claim before it could give it back: what its message carries by now is its to dispatch."""
    slow = Slow()
    other, pending, at_work = await slow.died()

    async def overtaken(give_back: Method, claim: Claim, now_ms: int, *, begun: bool) -> bool:
        tree = slow.store.tree("job_1")
        items = {key: item for key, item in tree.items.items() if key != claim.item_key}
        slow.store.write("job_1", structs.replace(tree, items=items))
        given_back: bool = await give_back(claim, now_ms, begun=begun)
        return given_back

    around(slow.store, "give_back", overtaken)
    outcome = await slow.stage.deliver(other, "m-other")
    assert (outcome.label, outcome.dispatched) == ("applied", 1)
    assert item_key_of(slow.stage.events()[-1]) == item_key_of(pending)
    slow.may_end.set()
    await at_work


async def test_who_has_no_time_left_after_an_earlier_attempt_comes_again_at_once() -> None:
    """Its message is acknowledged, and the tool is not started."""
    began, may_end, starts = asyncio.Event(), asyncio.Event(), list[str]()

    @tool(timeout_seconds=SETTINGS.work_timeout_seconds)
    async def fails_at_first() -> str:
        starts.append("a start")
        began.set()
        await may_end.wait()
        if len(starts) == 1:
            raise ValueError("for now")
        return "done"

    agent = Agent("a", model=ScriptedModel([[Call("fails_at_first")], "done"]), tools=[fails_at_first])
    stage = Stage(registry=Registry([agent]))
    await stage.deliver(await stage.submit("a"), "m-turn")
    call = stage.events()[-1]
    earlier = asyncio.create_task(stage.deliver(call, "m-earlier"))
    await began.wait()
    stage.clock.ms += 60_000  # its claim is over
    later = asyncio.create_task(stage.deliver(call, "m-later"))
    await asyncio.sleep(0.01)
    may_end.set()
    assert [(await delivery).label for delivery in (earlier, later)] == ["done", "waits for its turn alone"]
    assert (stage.outgoing()[-1].not_before_ms, item_key_of(stage.events()[-1])) == (stage.clock.ms, item_key_of(call))
    assert starts == ["a start"]
    await stage.run()
    assert (await stage.now()).result == {"answer": "done"}


async def test_what_ends_the_process_is_not_acknowledged() -> None:
    """Also where several work items are worked on, of which one meets it."""
    slow = Slow(INLINE)
    slow.may_end.set()

    async def ends(commit: Method, *arguments: Any) -> Any:
        if arguments[1].used:
            raise EndOfProcessError
        return await commit(*arguments)

    around(slow.store, "commit", ends)
    with pytest.raises(EndOfProcessError):
        await slow.stage.deliver(await slow.stage.submit("slow"), "m-turn")


async def test_who_is_broken_off_ends_when_all_that_it_worked_on_is_given_back() -> None:
    """A process that is to stop waits for that: whoever is delivered it next begins at once."""
    slow = Slow(INLINE)
    delivery = asyncio.create_task(slow.stage.deliver(await slow.stage.submit("slow"), "m-turn"))
    await slow.began.wait()
    items = {item.key for item in await slow.stage.items() if item.kind is ItemKind.CALL}
    stopping = slow.stage.container.stopping
    assert stopping.at_work == 3
    stopping.begun = True
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery
    assert stopping.at_work == 0
    assert {*slow.given_back} == {(key, True) for key in items}, "a model may have been called"
    assert {item_key_of(event) for event in slow.stage.events()[-3:]} == items


async def test_a_backup_dispatches_what_it_guarantees() -> None:
    """Whoever submitted has died after the job was created, and before it published the first event."""
    stage = Stage()
    await stage.submit("adds")
    [(message_id, _), *_] = stage.queue.published
    seen = len(stage.events())
    outcome = await stage.deliver(stage.events()[0], message_id)
    assert outcome.label == "signalled"
    assert [item_key_of(event) for event in stage.events()[seen:]] == [item.key for item in await stage.items()]
    assert outcome.dispatched == len(stage.events()[seen:]) > 0


_VALUE = '("[^"]*"|[0-9]+|null|true|\\{\\}|\\{[^{}]*\\}|\\[\\])'
_ENDS = (" ", "\n", "x", "\0", "{}", "\ufeff")
_NUMBERS = ("1.0", "1e0", "-1", "9" * 5_000, "1e400", "NaN", "01")
_IDS, _RETRIED = ("", "a" * 5_000, "a b", "../x"), ("", "-1", "1.5", "9" * 30, "0x1", "1e3", " 1")
_KINDS = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "")
# Delivered, malformed for ever, forged, or later.
STATUSES = {200, 489, 401, 429, 503}


def _body(drawn: Drawn, text: str) -> bytes:
    chance, name = drawn.random, drawn.random.choice(list(json.loads(text)))
    ways = (
        lambda: re.sub(f'("{name}":){_VALUE}', lambda found: found[1] + drawn.json(), text, count=1),
        lambda: f'{text[:-1]}, "{name}": {drawn.json()}}}',
        lambda: text + chance.choice((*_ENDS, text)),
        lambda: f"\ufeff{text}",
        lambda: text.replace('"type"', '"t\\u0079pe"'),
        lambda: re.sub(":([0-9]+)", lambda _: f":{chance.choice(_NUMBERS)}", text),
        lambda: "[" * 5_000 + text,
        drawn.json,
        lambda: text[: chance.randrange(len(text))],
    )
    made = chance.choice(ways)().encode(errors="surrogatepass")
    return made if chance.random() < 0.95 else chance.choice((made.decode(errors="replace").encode("utf-16"), b"\xff"))


def _headers(drawn: Drawn, url: str, body: bytes) -> dict[str, str]:
    chance, found = drawn.random, dict[str, str]()
    if chance.random() < 0.2:
        found["upstash_message_id"] = chance.choice(_IDS)
    if chance.random() < 0.2:
        found["upstash_retried"] = chance.choice(_RETRIED)
    if chance.random() < 0.2:
        found["content_type"] = chance.choice(_KINDS)
    if chance.random() < 0.05:
        signed = signature(url, body)
        head, claims, digest = signed.split(".")
        odd = (f"{signed}=", signed.replace("-", "+"), f"{signed}.{digest}", f"{head}..{digest}", f"Bearer {signed}")
        found["upstash_signature"] = chance.choice((*odd, signed.upper(), f"{head}.{claims}.", signed * 50))
    return found


@pytest.mark.parametrize("seeds", [range(400), pytest.param(range(400, 4_000), marks=pytest.mark.long)])
async def test_no_delivery_is_an_error_of_ours(seeds: range) -> None:
    edge = Edge()
    text = (await edge.first_event()).decode()
    for seed in seeds:
        drawn = Drawn(seed)
        url = f"{BASE}{drawn.random.choice(SPECS).path}" if drawn.random.random() < 0.3 else LOOP
        body = _body(drawn, text)
        answer = await edge.post(body, url, **_headers(drawn, url, body))
        assert answer.status_code in STATUSES, (seed, body[:200], answer.text)
        assert "Traceback" not in answer.text


@pytest.fixture
def received() -> Iterator[list[int]]:
    """What the server hears, which handles signals before anybody notices them."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, before)


def test_a_signal_is_noticed_and_goes_on_to_the_server(received: list[int]) -> None:
    stopping, handler = Stopping(), signal.getsignal(signal.SIGTERM)
    with stopping.noticing():
        assert not stopping.begun
        signal.raise_signal(signal.SIGTERM)
        assert stopping.begun
        assert received == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_handler_that_somebody_sets_meanwhile_stays(received: list[int]) -> None:
    with Stopping().noticing():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_in_another_thread_nothing_is_noticed(received: list[int]) -> None:
    stopping, handler = Stopping(), signal.getsignal(signal.SIGTERM)

    def serve() -> None:
        with stopping.noticing():
            assert signal.getsignal(signal.SIGTERM) is handler

    with ThreadPoolExecutor(1) as pool:
        pool.submit(serve).result()
