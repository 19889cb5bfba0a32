"""What a webhook that cannot work now asks of the queue: when to come again (qstash.md 10, rule 2).

The queue accepts `Retry-After` before the delays that a message asks for: a shorter one would use up its retries
faster.
"""

import httpx
import pytest

from baton.app import build_app
from baton.engine.commit.answers import Claim, ClaimResult, Undelivered
from baton.queue.qstash.verifier import QueueVerifier
from baton.runtime import claims
from baton_events.errors import StoreError
from baton_events.messages import CALLBACK_WAITS, SPREAD, RetryWaits
from baton_events.schema import encode_event
from baton_local.qstash.core.retry_delay import next_delay_ms
from tests.fakes import FakeStore
from tests.unit.baton.kit.giving_up import callback
from tests.unit.baton.kit.signing import delivery_headers, keyed
from tests.unit.baton.kit.stage import BASE, SETTINGS, Stage

KEYED = keyed(SETTINGS)
LOOP, FAILED = f"{BASE}/workers/agent-loop", f"{BASE}/workers/delivery-failed"
OWN_WAITS = RetryWaits(KEYED.message_retry_delay_ms)


class Away(FakeStore):
    async def claim(self, claim: Claim) -> ClaimResult:
        raise StoreError("no answer from the store within 10 s")

    async def undelivered(self, claim: Claim, source_message_id: str, *, throttled: bool = False) -> Undelivered:
        raise StoreError("no answer from the store within 10 s")


async def refused(stage: Stage, url: str, body: bytes, retried: int, message_id: str = "msg_1") -> httpx.Response:
    headers = delivery_headers(url, body, upstash_retried=str(retried), upstash_message_id=message_id)
    transport = httpx.ASGITransport(app=build_app(stage.container))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        response = await client.post(url, content=body, headers=headers)
    assert response.status_code == 503
    return response


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(claims, "BEGIN_PAUSES_SECONDS", ())
    return Stage(settings=KEYED, store=Away(), verifier=QueueVerifier(KEYED))


@pytest.mark.parametrize("retried", [0, 1, 2, 3, 9])
async def test_a_message_waits_no_shorter_for_the_store_than_it_requests(stage: Stage, retried: int) -> None:
    """So an outage uses up its retries no faster, however it is spread; and not much longer."""
    body = encode_event(await stage.submit("answers")).encode()
    answer = await refused(stage, LOOP, body, retried)
    requested_ms = next_delay_ms(None, retried, {"Retry-After": [answer.headers["retry-after"]]}, 0)
    longest_ms = max(OWN_WAITS.spread(f"evt_{n}").wait_ms(retried) for n in range(2_000))
    assert longest_ms <= requested_ms <= OWN_WAITS.wait_ms(retried) * (1 + 2 * SPREAD) + 1_000


async def test_messages_that_an_outage_meets_at_once_do_not_come_again_at_once(stage: Stage) -> None:
    body = encode_event(await stage.submit("answers")).encode()
    requested = {(await refused(stage, LOOP, body, 2, f"msg_{n}")).headers["retry-after"] for n in range(60)}
    assert len(requested) > 8


@pytest.mark.parametrize("retried", [0, 1, 2])
async def test_a_failure_callback_waits_no_shorter_than_it_requests(stage: Stage, retried: int) -> None:
    body = callback(encode_event(await stage.submit("answers")).encode())
    answer = await refused(stage, FAILED, body, retried)
    assert int(answer.headers["retry-after"]) * 1000 >= CALLBACK_WAITS.wait_ms(retried)
