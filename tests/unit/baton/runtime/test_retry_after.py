"""What a webhook that cannot work now asks of the queue: when to come again (qstash.md 10, rule 2).

The queue accepts `Retry-After` before the delays that a message asks for: a shorter one would use up its retries
faster.
"""

import pytest

from baton_events.errors import StoreError
from baton_events.messages import CALLBACK_WAITS, SPREAD, RetryWaits
from baton_local.qstash.core.retry_delay import next_delay_ms
from tests.unit.baton.kit.edge import KEYED, LOOP, Edge
from tests.unit.baton.kit.faults import fail
from tests.unit.baton.kit.giving_up import callback
from tests.unit.baton.kit.stage import BASE

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
    """Ten seconds, a minute, six minutes."""
    answer = await refused(edge, FAILED, callback(await edge.first_event()), retried)
    assert int(answer) * 1000 >= CALLBACK_WAITS.wait_ms(retried)
