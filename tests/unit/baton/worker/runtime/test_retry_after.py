"""What a webhook that cannot work now asks of the queue: when to come again (qstash.md 10, rule 2).

The queue accepts `Retry-After` before the delays that a message asks for: a shorter one would use up its retries
faster.
"""

from dataclasses import replace

import pytest

from baton.worker.container import Container
from baton.worker.wiring import real_ports
from baton_events.errors import StoreError
from baton_events.messages import CALLBACK_WAITS, SPREAD, RetryWaits
from baton_events.schema import encode_event
from baton_local.qstash.core.retry_delay import next_delay_ms
from tests.fakes.rate_limit import FakeRateLimit
from tests.unit.baton.kit.edge import KEYED, LOOP, Edge
from tests.unit.baton.kit.faults import fail
from tests.unit.baton.kit.giving_up import callback
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage
from tests.unit.baton.server.api.client import Api, api_of

FAILED = f"{BASE}/workers/delivery-failed"
OWN_WAITS = RetryWaits(KEYED.message_retry_delay_ms)


async def refused(edge: Edge, url: str, body: bytes, retried: int, message_id: str = "msg_1") -> str:
    """When the queue is to come again, where the store is away."""
    for name in ("claim", "undelivered"):
        fail(edge.stage.store, name, StoreError("no answer from the store within 10 s"))
    response = await edge.post(body, url, upstash_retried=str(retried), upstash_message_id=message_id)
    assert response.status_code == 503
    return response.headers["retry-after"]


@pytest.mark.parametrize("retried", [0, 1, 2, 3, 9])
async def test_a_message_waits_no_shorter_for_the_store_than_it_requests(edge: Edge, retried: int) -> None:
    """So an outage uses up its retries no faster, however it is spread; and not much longer."""
    answer = await refused(edge, LOOP, await edge.first_event(), retried)
    requested_ms = next_delay_ms(None, retried, {"Retry-After": [answer]}, 0)
    longest_ms = max(OWN_WAITS.spread(f"evt_{n}").wait_ms(retried) for n in range(2_000))
    assert longest_ms <= requested_ms <= OWN_WAITS.wait_ms(retried) * (1 + 2 * SPREAD) + 1_000


async def test_messages_that_an_outage_meets_at_once_do_not_come_again_at_once(edge: Edge) -> None:
    body = await edge.first_event()
    assert len({await refused(edge, LOOP, body, 2, f"msg_{n}") for n in range(60)}) > 8


@pytest.mark.parametrize("retried", [0, 1, 2])
async def test_a_failure_callback_waits_no_shorter_than_it_requests(edge: Edge, retried: int) -> None:
    answer = await refused(edge, FAILED, callback(await edge.first_event()), retried)
    assert int(answer) * 1000 >= CALLBACK_WAITS.wait_ms(retried)


def limited(limit: FakeRateLimit) -> Stage:
    stage = Stage()
    stage.ports = replace(stage.ports, delivery_limit=limit)
    stage.container = Container(stage.container.settings, stage.ports, stage.container.registry)
    return stage


async def delivered(api: Api, body: str, retried: int = 0) -> tuple[int, str]:
    headers = {"upstash-signature": "x", "upstash-message-id": "m1", "upstash-retried": str(retried)}
    answer = await api.http.post("/workers/agent-loop", content=body, headers=headers)
    return answer.status_code, answer.headers.get("retry-after", "")


async def test_what_comes_too_often_is_not_begun_and_comes_again_no_earlier_than_it_may() -> None:
    """429, with a wait that the queue accepts; it is never shorter than the message's own."""
    limit = FakeRateLimit(0, wait_seconds=3_000)
    stage = limited(limit)
    body = encode_event(await stage.submit("answers"))
    async with api_of(stage) as api:
        status, seconds = await delivered(api, body)
        assert (status, seconds) == (429, "3000")
        assert next_delay_ms(None, 0, {"Retry-After": [seconds]}, 0) == 3_000_000
        limit.wait = 0.5
        own_ms = RetryWaits(stage.container.settings.message_retry_delay_ms).wait_ms(2)
        assert int((await delivered(api, body, 2))[1]) * 1000 >= own_ms
        assert (await stage.snapshot()).job.status == "pending"
        limit.tokens = 100
        assert (await delivered(api, body, 3))[0] == 200
        assert (await stage.snapshot()).job.status == "completed"


async def test_addresses_and_sessions_are_counted_apart() -> None:
    limit = FakeRateLimit(5)
    stage = limited(limit)
    async with api_of(stage) as api:
        await delivered(api, encode_event(await stage.submit("answers")))
    assert limit.taken == {"delivery:from:127.0.0.1": 1, "delivery:of:session-job_1": 1}


def test_without_the_setting_nothing_is_asked() -> None:
    settings = replace(SETTINGS, redis_url="https://redis.example.com", redis_token="token")
    assert real_ports(settings).delivery_limit is None
    assert real_ports(replace(settings, worker_rate_limit_per_minute=60)).delivery_limit is not None
