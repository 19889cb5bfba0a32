from baton_local.qstash.core.answer import Request
from baton_local.qstash.core.commands.tenants import reset, rotate_keys
from baton_local.qstash.core.queues import Queue
from baton_local.qstash.core.state import UserForgotten
from tests.unit.baton_local.qstash.machine_world import FAILURE, OK, START_MS, URL, USER, World, refused, status

CALLBACK = "https://h/cb"


def in_flight_ids(world: World) -> list[str]:
    return [effect.message.id for effect in world.in_flight]


def test_failing_head_blocks_the_queue_for_its_backoff(world: World) -> None:
    """A turn lasts through all retry waits."""
    first = world.publish_id(queue="q", upstash_retries="1", upstash_retry_delay="60000")
    second = world.publish_id(queue="q")
    world.answer = lambda effect: FAILURE if effect.message.id == first else OK
    world.advance(59)
    assert world.delivered_ids() == [first]
    world.advance(1)
    assert world.delivered_ids() == [first, first, second]


def test_next_message_waits_for_the_callback_of_the_current_one(world: World) -> None:
    """Order includes the callback (qstash.md 11), also when it has to be retried, and that of a failure."""
    world.answer = lambda effect: (
        status(500, Retry_After="60") if effect.message.url == CALLBACK and effect.retried == 0 else OK
    )
    world.publish(queue="q", upstash_callback=CALLBACK)
    second = world.publish_id(queue="q", upstash_retries="0", upstash_failure_callback=CALLBACK)
    third = world.publish_id(queue="q")
    world.advance(59)
    assert second not in world.delivered_ids()
    world.answer = lambda effect: FAILURE if effect.message.id == second else OK
    world.advance(1)
    assert [effect.message.url for effect in world.delivered[-3:]] == [URL, CALLBACK, URL]
    assert world.delivered_ids()[-1] == third


def test_parallelism_bounds_what_is_in_progress(world: World) -> None:
    """Raising it starts more at once; lowering it lets running ones finish; a publish leaves it alone."""
    world.call("POST /v2/queues", {"queueName": "q", "parallelism": 2})
    for _ in range(6):
        world.publish(queue="q")
    assert len(world.in_flight) == 2
    assert world.call("GET /v2/queues/q").body["parallelism"] == 2
    world.call("POST /v2/queues", {"queueName": "q", "parallelism": 4})
    assert len(world.in_flight) == 4
    world.call("POST /v2/queues", {"queueName": "q", "parallelism": 1})
    world.finish(world.in_flight[0], OK)
    assert len(world.in_flight) == 3


def test_paused_queue_takes_messages_and_starts_nothing(world: World) -> None:
    """Neither first attempts nor retries; resuming goes on in order."""
    world.answer = lambda effect: FAILURE if effect.retried == 0 else OK
    first = world.publish_id(queue="q", upstash_retry_delay="1000")
    world.settle()
    world.call("POST /v2/queues/q/pause")
    second = world.publish_id(queue="q", upstash_retry_delay="1000")
    world.advance(60)
    assert world.delivered_ids() == [first]
    assert world.call("GET /v2/queues/q").body["paused"] is True
    world.call("POST /v2/queues/q/resume")
    world.advance(60)
    assert world.delivered_ids() == [first, first, second, second]


def test_upsert_without_paused_un_pauses(world: World) -> None:
    """All settings are always set."""
    world.call("POST /v2/queues", {"queueName": "q", "paused": True})
    message_id = world.publish_id(queue="q")
    world.call("POST /v2/queues", {"queueName": "q"})
    assert in_flight_ids(world) == [message_id]


def test_delay_counts_while_holding_the_turn(world: World) -> None:
    """A delayed head keeps its place in the order until it is cancelled."""
    first = world.publish_id(queue="q", upstash_delay="5s")
    second = world.publish_id(queue="q", upstash_delay="1h")
    third = world.publish_id(queue="q")
    world.advance(4)
    assert not world.delivered
    world.advance(1)
    assert world.delivered_ids() == [first]
    world.cancel(second)
    assert in_flight_ids(world) == [third]


def test_lag_counts_what_is_not_processed(world: World) -> None:
    """Waiting, in flight and between retries."""
    for _ in range(3):
        world.publish(queue="q")
    assert world.call("GET /v2/queues").body == [
        {"name": "q", "parallelism": 1, "createdAt": START_MS, "updatedAt": START_MS, "lag": 3, "paused": False}
    ]
    world.settle()
    assert world.call("GET /v2/queues/q").body["lag"] == 0


def test_deleting_a_queue_takes_its_messages_along(world: World) -> None:
    """Nothing more is sent; an attempt in flight may end; a new queue of that name starts empty."""
    for _ in range(3):
        world.publish(queue="q")
    old = world.in_flight[0]
    world.call("DELETE /v2/queues/q")
    assert world.in_flight == [old]
    fresh = world.publish_id(queue="q")
    assert in_flight_ids(world) == [old.message.id, fresh]
    world.finish(old, OK)
    assert world.call("GET /v2/queues/q").body["lag"] == 1
    assert refused(world.call, "POST /v2/queues/none/pause") == 404
    assert world.call("DELETE /v2/queues/none").status == 200


def test_limits_are_412() -> None:
    world = World(max_queues=1, max_queue_parallelism=5)
    world.publish(queue="q")
    assert refused(world.call, "POST /v2/queues", {"queueName": "other"}) == 412
    assert refused(world.call, "POST /v2/queues", {"queueName": "q", "parallelism": 6}) == 412
    assert refused(world.publish, URL, queue="other") == 412


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


def test_a_reset_leaves_nothing_of_the_user() -> None:
    """Waiting, delayed, in flight; names; rotated keys; counters. What comes back afterwards changes nothing."""
    world = World(max_in_flight=2)
    keys = world.tenant.keys
    world.publish(queue="q", upstash_flow_control_key="f", upstash_flow_control_value="rate=1")
    world.publish(upstash_delay="5s", upstash_deduplication_id="d")
    world.do(rotate_keys, Request(), "k3")
    (effect,) = world.in_flight
    world.do(reset, Request())
    tenant, events = world.tenant, len(world.events)
    assert not any((tenant.live, tenant.queues, tenant.flows, tenant.dlq, len(tenant.dedup)))
    assert tenant.keys == keys
    assert not any(tenant.counters.values())
    assert world.changes[-1] == UserForgotten(USER)
    assert world.state.capacity.in_flight == 0
    world.finish(effect, OK)
    world.advance(100_000)
    assert world.state.capacity.in_flight == 0
    assert len(world.events) == events


def test_a_reset_lets_others_go_on() -> None:
    world = World(max_in_flight=2)
    world.publish()
    world.publish(user="other")
    assert len(world.in_flight) == 1
    world.do(reset, Request())
    assert [effect.message.user for effect in world.in_flight] == [USER, "other"]
