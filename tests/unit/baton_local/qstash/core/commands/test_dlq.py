from typing import Any
from urllib.parse import urlencode

from tests.unit.baton_local.qstash.machine_world import FAILURE, OK, URL, World, refused, status


def world_with_dead_letters(count: int) -> World:
    """A world whose DLQ holds messages with labels l0, l1, ..., one second apart."""
    world = World()
    world.answer = lambda _effect: FAILURE
    for number in range(count):
        world.publish(URL, f"body{number}".encode(), upstash_retries="0", upstash_label=f"l{number}")
        world.advance(1)
    world.answer = lambda _effect: OK
    return world


def labels(body: dict[str, Any]) -> list[str]:
    return [entry["label"] for entry in body["messages"]]


def test_list_is_newest_first_in_pages_of_messages_with_their_response() -> None:
    world = world_with_dead_letters(5)
    first = world.call("GET /v2/dlq?count=2").body
    assert labels(first) == ["l4", "l3"]
    second = world.call(f"GET /v2/dlq?count=3&cursor={first['cursor']}").body
    assert labels(second) == ["l2", "l1", "l0"]
    assert "cursor" not in second
    dlq_id = next(iter(world.tenant.dlq))
    entry = world.call(f"GET /v2/dlq/{dlq_id}").body
    assert (entry["dlqId"], entry["body"], entry["label"], entry["url"]) == (dlq_id, "body0", "l0", URL)
    assert (entry["responseStatus"], entry["responseBody"]) == (500, "no")
    assert entry["responseHeader"] == {"Content-Type": ["text/plain"]}


def test_list_filters_by_label_status_and_time() -> None:
    """Values of one filter are OR-ed, filters are AND-ed."""
    world = world_with_dead_letters(3)
    time = str([entry.failed_at_ms for entry in world.tenant.dlq.values()][1])
    for pairs, found in (
        ([("label", "l0,l2")], ["l2", "l0"]),
        ([("label", "l0"), ("label", "l1")], ["l1", "l0"]),
        ([("label", "l0"), ("responseStatus", "404")], []),
        ([("responseStatus", "500"), ("url", URL)], ["l2", "l1", "l0"]),
        ([("fromDate", time), ("toDate", time)], ["l1"]),
        ([("source", "workflow")], []),
    ):
        assert labels(world.call(f"GET /v2/dlq?{urlencode(pairs)}").body) == found


def test_delete_takes_oldest_first_and_skips_unknown_ids_in_bulk() -> None:
    world = world_with_dead_letters(5)
    single, some, *_ = world.tenant.dlq
    assert world.call(f"DELETE /v2/dlq/{single}").status == 200
    assert refused(world.call, f"DELETE /v2/dlq/{single}") == 404
    assert world.call(f"DELETE /v2/dlq?dlqIds={some}&dlqIds=1-1").body == {"deleted": 1}
    answer = world.call("DELETE /v2/dlq?count=2").body
    assert answer["deleted"] == 2
    assert "cursor" in answer
    assert [entry.message.labels for entry in world.tenant.dlq.values()] == [("l4",)]
    assert world.call("DELETE /v2/dlq?label=none").body == {"deleted": 0}


def test_retry_makes_a_new_message_and_removes_the_entry() -> None:
    """Fresh id and retries, same content; the entry is gone at once."""
    world = world_with_dead_letters(3)
    entry = next(iter(world.tenant.dlq.values()))
    answer = world.call(f"POST /v2/dlq/retry/{entry.id}")
    assert answer.status == 201
    assert answer.body["messageId"] != entry.message.id
    (effect,) = world.in_flight
    assert (effect.message.body, effect.message.labels, effect.retried) == (b"body0", ("l0",), 0)
    assert refused(world.call, f"DELETE /v2/dlq/{entry.id}") == 404
    assert world.call("POST /v2/dlq/retry?label=none").body == {"responses": []}
    assert len(world.call("POST /v2/dlq/retry").body["responses"]) == 2
    assert not world.tenant.dlq


def test_failed_callback_that_held_a_queue_can_be_retried_alone(world: World) -> None:
    """A retried callback no longer holds the turn of its long finished source."""
    world.answer = lambda effect: status(200) if effect.message.url == URL else FAILURE
    world.publish(queue="q", upstash_retries="0", upstash_callback="https://h/cb")
    world.settle()
    (entry,) = world.tenant.dlq.values()
    assert world.tenant.queues["q"].turns == {}
    world.call(f"POST /v2/dlq/retry/{entry.id}")
    assert world.tenant.queues["q"].turns == {}
