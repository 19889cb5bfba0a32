"""What every queue promises to whoever publishes: the fake and the real one alike."""

from baton.clock import SystemClock
from baton_events.messages import Outgoing, Queue

FAR_AWAY = "http://127.0.0.1:9/never"
LATER_MS = SystemClock().now_ms() + 3_600_000


def message(number: int) -> Outgoing:
    return Outgoing(body=f'{{"n":{number}}}', url=FAR_AWAY, not_before_ms=LATER_MS)


async def test_each_message_has_an_id_of_its_own(queue: Queue) -> None:
    ids = await queue.publish([message(0)])
    ids += await queue.publish([message(n) for n in range(1, 4)])
    assert len(set(ids)) == 4
    assert all(ids)


async def test_nothing_published_is_no_error(queue: Queue) -> None:
    assert await queue.publish([]) == []


async def test_a_message_is_taken_back_and_again(queue: Queue) -> None:
    [message_id] = await queue.publish([message(0)])
    for name in (message_id, message_id, "msg_unknown"):
        await queue.cancel(name)


async def test_a_queue_may_be_closed_twice_and_used_again(queue: Queue) -> None:
    for _ in range(2):
        await queue.close()
    assert await queue.publish([message(0)])
