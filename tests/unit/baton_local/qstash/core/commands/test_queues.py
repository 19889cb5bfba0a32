import pytest

from baton_local.qstash.core.commands.messages import CancelMessage
from baton_local.qstash.core.commands.queues import DeleteQueue, SetQueuePaused, UpsertQueue, get_queue, list_queues
from baton_local.qstash.core.queues import Queue
from baton_local.stand_in.api_error import ApiError
from tests.unit.baton_local.qstash.machine_world import FAILURE, OK, START_MS, URL, USER, World, status

CALLBACK = "https://h/cb"


def in_flight_ids(world: World) -> list[str]:
    return [effect.message.id for effect in world.in_flight]


def test_failing_head_blocks_the_queue_for_its_backoff() -> None:
    world = World()
    first = world.publish_id(queue="q", upstash_retries="1", upstash_retry_delay="60000")
    second = world.publish_id(queue="q")
    world.answer = lambda effect: FAILURE if effect.message.id == first else OK
    world.advance(59)
    assert world.delivered_ids() == [first]
    world.advance(1)
    assert world.delivered_ids() == [first, first, second]


def test_next_message_waits_for_the_callback_of_the_current_one() -> None:
    """Order includes the callback (qstash.md 11), also when it has to be retried."""
    world = World()
    world.answer = lambda effect: (
        status(500, Retry_After="60") if effect.message.url == CALLBACK and effect.retried == 0 else OK
    )
    world.publish(queue="q", upstash_callback=CALLBACK)
    second = world.publish_id(queue="q")
    world.advance(59)
    assert second not in world.delivered_ids()
    world.advance(1)
    assert world.delivered_ids()[-1] == second


def test_next_message_waits_for_the_failure_callback() -> None:
    """A failed head holds its turn until its failure callback is finished."""
    world = World()
    world.publish(queue="q", upstash_retries="0", upstash_failure_callback=CALLBACK)
    second = world.publish_id(queue="q")
    world.finish(world.in_flight[0], FAILURE)
    assert [effect.message.url for effect in world.in_flight] == [CALLBACK]
    world.finish(world.in_flight[0], OK)
    assert in_flight_ids(world) == [second]


def test_parallelism_bounds_what_is_in_progress() -> None:
    """Raising it starts more at once; lowering it lets running ones finish."""
    world = World()
    world.do(UpsertQueue(USER, "q", parallelism=2))
    for _ in range(6):
        world.publish(queue="q")
    assert len(world.in_flight) == 2
    world.do(UpsertQueue(USER, "q", parallelism=4))
    assert len(world.in_flight) == 4
    world.do(UpsertQueue(USER, "q", parallelism=1))
    world.finish(world.in_flight[0], OK)
    assert len(world.in_flight) == 3


def test_paused_queue_takes_messages_and_starts_nothing() -> None:
    world = World()
    world.answer = lambda effect: FAILURE if effect.retried == 0 else OK
    first = world.publish_id(queue="q", upstash_retry_delay="1000")
    world.settle()
    world.do(SetQueuePaused(USER, "q", paused=True))
    second = world.publish_id(queue="q", upstash_retry_delay="1000")
    world.advance(60)
    assert world.delivered_ids() == [first]
    assert get_queue(world.tenant, "q").body["paused"] is True
    world.do(SetQueuePaused(USER, "q", paused=False))
    world.advance(60)
    assert world.delivered_ids() == [first, first, second, second]


def test_upsert_without_paused_un_pauses() -> None:
    world = World()
    world.do(UpsertQueue(USER, "q", paused=True))
    message_id = world.publish_id(queue="q")
    world.do(UpsertQueue(USER, "q"))
    assert in_flight_ids(world) == [message_id]


def test_delay_counts_while_holding_the_turn() -> None:
    world = World()
    first = world.publish_id(queue="q", upstash_delay="5s")
    second = world.publish_id(queue="q")
    world.advance(4)
    assert not world.delivered
    world.advance(1)
    assert world.delivered_ids() == [first, second]


def test_lag_counts_what_is_not_processed() -> None:
    world = World()
    for _ in range(3):
        world.publish(queue="q")
    assert list_queues(world.tenant).body == [
        {"name": "q", "parallelism": 1, "createdAt": START_MS, "updatedAt": START_MS, "lag": 3, "paused": False}
    ]
    world.settle()
    assert get_queue(world.tenant, "q").body["lag"] == 0


def test_enqueuing_leaves_the_queues_settings_alone() -> None:
    world = World()
    world.do(UpsertQueue(USER, "q", parallelism=7))
    world.publish(queue="q")
    assert get_queue(world.tenant, "q").body["parallelism"] == 7


def test_cancelling_the_head_moves_the_next_up() -> None:
    world = World()
    first = world.publish_id(queue="q", upstash_delay="1h")
    second = world.publish_id(queue="q")
    world.do(CancelMessage(USER, first))
    assert in_flight_ids(world) == [second]


def test_deleting_a_queue_takes_its_messages_along() -> None:
    """Nothing more is sent; an attempt in flight may end; a new queue of that name starts empty."""
    world = World()
    for _ in range(3):
        world.publish(queue="q")
    old = world.in_flight[0]
    world.do(DeleteQueue(USER, "q"))
    assert world.in_flight == [old]
    fresh = world.publish_id(queue="q")
    assert in_flight_ids(world) == [old.message.id, fresh]
    world.finish(old, OK)
    assert get_queue(world.tenant, "q").body["lag"] == 1
    with pytest.raises(ApiError):
        world.do(SetQueuePaused(USER, "none", paused=True))
    assert world.do(DeleteQueue(USER, "none")).status == 200


def test_limits_are_412() -> None:
    world = World(max_queues=1, max_queue_parallelism=5)
    world.publish(queue="q")
    for command in (UpsertQueue(USER, "other"), UpsertQueue(USER, "q", parallelism=6)):
        with pytest.raises(ApiError) as refusal:
            world.do(command)
        assert refusal.value.status == 412
    with pytest.raises(ApiError) as refusal:
        world.publish(URL, queue="other")
    assert refusal.value.status == 412


def test_recovered_message_gets_the_turn_that_its_callback_holds() -> None:
    """After a restart a callback that is still under way does not keep its own source waiting."""
    queue = Queue("q", 0, 0)
    queue.hold("source")
    queue.join("source")
    queue.join("next")
    assert queue.next_turn() == "source"
    assert queue.next_turn() is None
    queue.release("source")
    assert queue.next_turn() is None
    queue.leave("source")
    assert queue.next_turn() == "next"
