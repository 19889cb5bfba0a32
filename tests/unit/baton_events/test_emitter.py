"""The emitter: how events are addressed, and with which headers and options they go out."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from baton import Emitter as Published
from baton.settings.settings import Settings
from baton_events.emitter import Delivery, Emitter, header_value
from baton_events.errors import QueueUnreachableError, SettingsError
from baton_events.messages import CALLBACK_WAITS, SPREAD, Flow, Outgoing, RetryWaits
from baton_events.schema import DELIVERY_FAILED_ENDPOINT, SWEEP_ENDPOINT, Event, encode_event
from baton_events.settings import SWEEPS_AT_ONCE
from baton_local.qstash.core.retry_delay import check_retry_delay, retry_delay_ms
from tests.fakes.queue import FakeQueue
from tests.unit.baton_events.sample_events import LOOP_INIT, TOOL_CALL, TOOL_COMPLETE, TOOL_FAILED

BASE = "https://example.com/api/v2"
NOT_BEFORE_MS = 1_800_000_000_000


def emitter(**settings: Any) -> tuple[Emitter, FakeQueue]:
    queue = FakeQueue()
    return Emitter(Settings(worker_base_url=BASE, **settings), queue), queue


async def test_an_event_goes_out_as_the_design_says() -> None:
    emits, queue = emitter()
    message_id = await emits.emit(TOOL_CALL)
    assert queue.published == [
        (
            message_id,
            Outgoing(
                body=encode_event(TOOL_CALL),
                url=f"{BASE}/workers/tool-executor",
                topic="",
                headers={
                    "x-event-id": "evt_1",
                    "x-event-type": "agent.tool.call",
                    "x-session-id": "session 1",
                    "x-job-id": "job_1",
                },
                not_before_ms=0,
                deduplication_id="",
                label="job_1",
                failure_callback=f"{BASE}/workers/delivery-failed",
                retries=3,
                waits=RetryWaits(10_000).spread(encode_event(TOOL_CALL)),
                timeout_seconds=300,
            ),
        )
    ]


async def test_each_event_type_goes_to_its_endpoint_or_its_topic() -> None:
    """Never to both; which one is a setting."""
    events: list[Event] = [LOOP_INIT, TOOL_CALL, TOOL_COMPLETE, TOOL_FAILED]
    by_url, urls = emitter()
    by_topic, topics = emitter(publish_by="topic", topic_prefix="prod-agent")
    for emits in (by_url, by_topic):
        await emits.emit_many([Delivery(event) for event in events])
    paths = ["agent-loop", "tool-executor", "tool-result-complete", "tool-result-failed"]
    names = ["agent-loop-init", "agent-tool-call", "tool-execution-complete", "tool-execution-failed"]
    assert [(one.url, one.topic) for _, one in urls.published] == [(f"{BASE}/workers/{path}", "") for path in paths]
    assert [(one.url, one.topic) for _, one in topics.published] == [("", f"prod-agent.{name}") for name in names]


async def test_options_are_settings() -> None:
    emits, queue = emitter(message_retry_delay_ms=1, message_timeout_seconds=900)
    await emits.emit(TOOL_CALL, not_before_ms=NOT_BEFORE_MS, deduplication_id="evt_1.msg_2.0")
    [(_, message)] = queue.published
    assert (message.retries, message.waits.first_ms, message.timeout_seconds) == (3, 1, 900)
    assert (message.not_before_ms, message.deduplication_id) == (NOT_BEFORE_MS, "evt_1.msg_2.0")


async def test_a_delivery_ends_soon_after_the_function_that_it_goes_to() -> None:
    """A connection that is open at one end alone stops a result for a minute, and not for as long as work may take.

    No delivery takes longer than the setting says, also where the function would have longer.
    """
    emits, queue = emitter()
    await emits.emit_many([Delivery(event) for event in (LOOP_INIT, TOOL_CALL, TOOL_COMPLETE, TOOL_FAILED)])
    await emits.emit_to(SWEEP_ENDPOINT, "")
    await emits.emit_to(DELIVERY_FAILED_ENDPOINT, "")
    assert [message.timeout_seconds for _, message in queue.published] == [300, 300, 70, 70, 300, 39]
    emits, queue = emitter(work_timeout_seconds=5, message_timeout_seconds=6)
    await emits.emit_many([Delivery(event) for event in (TOOL_CALL, TOOL_FAILED)])
    assert [message.timeout_seconds for _, message in queue.published] == [6, 6]


async def test_several_events_go_out_in_one_request_and_in_order() -> None:
    """A message can be taken back; what the queue says is raised."""
    emits, queue = emitter()
    ids = await emits.emit_many([Delivery(LOOP_INIT), Delivery(TOOL_CALL, 5, "d")])
    assert ids == [message_id for message_id, _ in queue.published]
    assert [message.headers["x-event-type"] for _, message in queue.published] == [LOOP_INIT.type, TOOL_CALL.type]
    await emits.cancel("msg_7")
    assert queue.cancelled == ["msg_7"]
    queue.failing.append(QueueUnreachableError("https://queue", "ConnectError"))
    with pytest.raises(QueueUnreachableError):
        await emits.emit(TOOL_CALL)
    assert len(queue.published) == 2


async def test_a_message_of_our_own_goes_to_its_endpoint() -> None:
    """No event, so no event's headers; by URL in both modes, since topics are for events."""
    for settings in ({}, {"publish_by": "topic"}):
        emits, queue = emitter(**settings)
        await emits.emit_to(SWEEP_ENDPOINT, '{"dueMs":1}', not_before_ms=NOT_BEFORE_MS)
        [(_, message)] = queue.published
        assert (message.url, message.topic, message.body) == (f"{BASE}/workers/sweep", "", '{"dueMs":1}')
        assert (message.headers, message.not_before_ms, message.retries) == ({}, NOT_BEFORE_MS, 3)


async def test_without_a_base_url_there_is_no_failure_callback() -> None:
    """A program that only emits by topic need not know it."""
    queue = FakeQueue()
    await Emitter(Settings(publish_by="topic"), queue).emit(TOOL_CALL)
    assert queue.published[0][1].failure_callback == ""


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        (Settings(), ["QSTASH_TOKEN", "WORKER_BASE_URL"]),
        (Settings(qstash_token="x"), ["WORKER_BASE_URL"]),
        (Settings(publish_by="topic"), ["QSTASH_TOKEN"]),
    ],
)
def test_a_program_that_only_emits_is_given_what_is_missing(settings: Settings, missing: list[str]) -> None:
    with pytest.raises(SettingsError) as caught:
        Emitter.from_settings(settings)
    named = [line.split()[1] for line in str(caught.value).splitlines()[1:]]
    assert named == missing


async def test_a_program_that_only_emits_opens_nothing_before_it_emits(monkeypatch: pytest.MonkeyPatch) -> None:
    """And closing what was never opened is no error; the first event opens one connection, to the queue."""
    opened = list[tuple[str, int]]()

    async def refused(_loop: object, _make: object, host: str, port: int, **_options: object) -> None:
        opened.append((host, port))
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop().__class__, "create_connection", refused)
    settings = Settings(
        qstash_token="x", publish_by="topic", qstash_url="http://127.0.0.1:9", http_transport="httptools"
    )
    emits = Published.from_settings(settings)
    await emits.close()
    assert opened == []
    with pytest.raises(QueueUnreachableError):
        await emits.emit(TOOL_CALL)
    assert opened == [("127.0.0.1", 9)]
    await emits.close()


@given(st.text(min_size=1, max_size=200))
@example(" ")
@example(" a")
@example("a\t")
@example("\x00\r\n")
@example("\x7f")
@example("ü" * 200)
def test_any_session_id_becomes_a_header_that_can_be_sent(text: str) -> None:
    """Printable ASCII, nothing that could end the header, no space at an end; the body has it as it is."""
    value = header_value(text)
    assert value == value.strip()
    assert value.isascii()
    assert value.isprintable()
    assert json.loads(encode_event(replace(LOOP_INIT, session_id=text)))["sessionId"] == text
    for plain in ("session_1", "a session", "with % and /", "~!@#"):
        assert header_value(plain) == plain


async def test_messages_say_how_many_like_them_are_delivered_at_once() -> None:
    """A key for each endpoint of the deployment, the same however a message is addressed; also for its callback.

    Without the setting the queue delivers as many as it likes, but for sweeps.
    """
    limits = (("/workers/delivery-failed", 5), ("/workers/sweep", 4), ("/workers/tool-executor", 3))
    for settings in ({}, {"publish_by": "topic"}):
        emits, queue = emitter(deliveries_at_once=limits, topic_prefix="prod", **settings)
        await emits.emit_many([Delivery(TOOL_CALL), Delivery(LOOP_INIT)])
        await emits.emit_to(SWEEP_ENDPOINT, "")
        flows = [Flow("prod.tool-executor", 3), Flow(), Flow("prod.sweep", 4)]
        assert [message.flow for _, message in queue.published] == flows
        assert {message.callback_flow for _, message in queue.published} == {Flow("prod.delivery-failed", 5)}
    emits, queue = emitter(topic_prefix="prod")
    await emits.emit(TOOL_CALL)
    await emits.emit_to(SWEEP_ENDPOINT, "")
    assert [message.flow for _, message in queue.published] == [Flow(), Flow("prod.sweep", SWEEPS_AT_ONCE)]
    assert {message.callback_flow for _, message in queue.published} == {Flow()}


WAITS = st.builds(RetryWaits, st.integers(0, 86_400_000), st.integers(1, 10), st.integers(1, 86_400_000))


@given(WAITS, st.integers(0, 20))
def test_the_queue_waits_as_long_as_we_say(waits: RetryWaits, retried: int) -> None:
    assert retry_delay_ms(check_retry_delay(waits.expression, "here"), retried) == waits.wait_ms(retried)


def test_each_wait_is_longer_than_the_one_before() -> None:
    assert [RetryWaits(10_000).wait_ms(retried) for retried in range(8)] == [
        *(10_000, 20_000, 40_000, 80_000, 160_000, 320_000),
        *(600_000, 600_000),
    ]
    assert [CALLBACK_WAITS.wait_ms(retried) for retried in range(4)] == [10_000, 60_000, 360_000, 360_000]


def test_messages_that_are_refused_together_do_not_come_again_together() -> None:
    firsts = [RetryWaits(10_000).spread(f"evt_{n}").wait_ms(0) for n in range(1000)]
    assert firsts == [RetryWaits(10_000).spread(f"evt_{n}").wait_ms(0) for n in range(1000)]
    assert 10_000 * (1 - SPREAD) <= min(firsts) < 8_000
    assert 12_000 < max(firsts) <= 10_000 * (1 + SPREAD)
    assert max(firsts.count(first) for first in firsts) < 20


def test_a_first_wait_above_the_longest_one_stays() -> None:
    assert RetryWaits(3_600_000).spread("evt").wait_ms(0) > 2_600_000
