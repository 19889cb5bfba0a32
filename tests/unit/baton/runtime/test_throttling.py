"""How often the queue may deliver from one address, and for one session; what it does with what comes too early."""

from dataclasses import replace

from baton.container import Container
from baton.wiring import real_ports
from baton_events.messages import RetryWaits
from baton_events.schema import encode_event
from baton_local.qstash.core.retry_delay import next_delay_ms
from tests.fakes.rate_limit import FakeRateLimit
from tests.unit.baton.api.client import Api, api_of
from tests.unit.baton.kit.stage import SETTINGS, Stage


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
