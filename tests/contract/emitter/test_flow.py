"""What a message asks of the queue besides its delivery: how many at once, and how long to wait in between."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx

from baton.engine.outbox import event_of
from baton.engine.work_items import loop_item
from baton.queue.qstash.schedules import QStashSchedules
from baton.settings.settings import Settings
from baton_events.emitter import Delivery, Emitter, message_to
from baton_events.schema import SWEEP_ENDPOINT

LATER_MS = 4_000_000_000_000
EVENTS = [event_of("session", loop_item(f"job_{n}", 1, 1, LATER_MS)) for n in range(12)]
LIMITS = (("/workers/agent-loop", 3), ("/workers/delivery-failed", 2), ("/workers/sweep", 1))


class Host:
    """An endpoint that counts how many requests are with it at once; the first of each message is refused."""

    def __init__(self) -> None:
        self.with_it = self.most = self.served = 0
        self.all_served = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(line.partition(":")[2] for line in head.split("\r\n") if line.startswith("content-length"))
        await reader.readexactly(int(length))
        self.with_it += 1
        self.most = max(self.most, self.with_it)
        await asyncio.sleep(0.05)
        self.with_it -= 1
        first = "upstash-retried: 0" in head
        self.served += not first
        if self.served == len(EVENTS):
            self.all_served.set()
        status = b"429 Too Many Requests" if first else b"200 OK"
        writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def host() -> AsyncIterator[tuple[Host, str]]:
    made = Host()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    try:
        yield made, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def found(settings: Settings, path: str) -> Any:
    headers = {"Authorization": f"Bearer {settings.qstash_token}"}
    async with httpx.AsyncClient(headers=headers, base_url=settings.qstash_url) as client:
        return (await client.get(path)).json()


async def test_no_more_deliveries_are_under_way_than_a_message_says(settings: Settings) -> None:
    async with host() as (made, url):
        flow = replace(settings, worker_base_url=url, deliveries_at_once=LIMITS, message_retry_delay_ms=10)
        emitter = Emitter.from_settings(flow)
        await emitter.emit_many([Delivery(event) for event in EVENTS])
        async with asyncio.timeout(60):
            await made.all_served.wait()
        await emitter.close()
    assert made.most == 3


async def test_the_queue_keeps_what_a_message_says_of_retries_and_flow(settings: Settings) -> None:
    flow = replace(settings, deliveries_at_once=LIMITS, topic_prefix="kept")
    emitter = Emitter.from_settings(flow)
    alone = await emitter.emit(EVENTS[0], not_before_ms=LATER_MS)
    together = await emitter.emit_many([Delivery(event, LATER_MS) for event in EVENTS[1:3]])
    for event, message_id in zip(EVENTS, [alone, *together], strict=False):
        kept = await found(settings, f"/v2/messages/{message_id}")
        message = emitter.message_of(event)
        assert (kept["flowControlKey"], kept["parallelism"]) == ("kept.agent-loop", 3)
        assert (kept["retryDelayExpression"], kept["maxRetries"]) == (message.waits.expression, message.retries)
        callback = {name.lower(): value for name, value in kept["failureCallbackHeader"].items()}
        assert callback["upstash-flow-control-key"] == ["kept.delivery-failed"]
        assert callback["upstash-flow-control-value"] == ["parallelism=2"]
        await emitter.cancel(message_id)
    await emitter.close()


async def test_a_schedule_keeps_it_too(settings: Settings) -> None:
    flow = replace(settings, deliveries_at_once=LIMITS, topic_prefix="hourly")
    schedules, message = QStashSchedules(settings), message_to(flow, SWEEP_ENDPOINT, "")
    await schedules.put("hourly.sweep", "0 * * * *", message)
    kept = await found(settings, "/v2/schedules/hourly.sweep")
    await schedules.delete("hourly.sweep")
    await schedules.close()
    assert (kept["flowControlKey"], kept["parallelism"]) == ("hourly.sweep", 1)
    assert kept["retryDelayExpression"] == message.waits.expression
