import pytest

from baton_local.qstash.core.machine import end_attempt
from baton_local.qstash.core.message import AttemptResult, build_request
from tests.unit.baton_local.qstash.machine_world import FAILURE, OK, START_MS, URL, World, status


def test_failures_are_retried_until_used_up(world: World) -> None:
    world.answer = lambda _effect: FAILURE
    message_id = world.publish_id()
    world.advance(3_600)
    assert [effect.retried for effect in world.delivered] == [0, 1, 2, 3]
    assert world.states(message_id) == ["CREATED", *["ACTIVE", "ERROR", "RETRY"] * 3, "ACTIVE", "ERROR", "FAILED"]
    assert [entry.message.id for entry in world.tenant.dlq.values()] == [message_id]
    waits = [event.next_delivery_ms - event.time_ms for event in world.events if event.next_delivery_ms is not None]
    assert waits == [12_000, 148_000, 1_808_000]


@pytest.mark.parametrize("code", [199, 301, 302, 400, 404, 429, 489, 500, 503])
def test_anything_but_2xx_is_a_failure(world: World, code: int) -> None:
    world.answer = lambda _effect: status(code)
    message_id = world.publish_id()
    world.settle()
    assert world.states(message_id)[2:] == ["ERROR", "RETRY"]


def test_489_with_its_header_is_never_retried(world: World) -> None:
    world.answer = lambda _effect: status(489, Upstash_Nonretryable_Error="true")
    message_id = world.publish_id()
    world.settle()
    assert world.states(message_id) == ["CREATED", "ACTIVE", "ERROR", "FAILED"]
    assert len(world.tenant.dlq) == 1


def test_retry_after_zero_retries_at_once(world: World) -> None:
    world.answer = lambda effect: status(503, Retry_After="0") if effect.retried == 0 else OK
    message_id = world.publish_id()
    world.settle()
    assert world.states(message_id)[-1] == "DELIVERED"


def test_delay_and_not_before_hold_the_first_attempt(world: World) -> None:
    delayed = world.publish_id(upstash_delay="5s")
    absolute = world.publish_id(upstash_delay="5s", upstash_not_before=str(START_MS // 1_000 + 60))
    past = world.publish_id(upstash_not_before="1000")
    world.settle()
    assert world.delivered_ids() == [past]
    world.advance(4.999)
    assert world.delivered_ids() == [past]
    world.advance(0.001)
    assert world.delivered_ids() == [past, delayed]
    world.advance(55)
    assert world.delivered_ids() == [past, delayed, absolute]


def test_time_scale_shortens_every_wait() -> None:
    world = World(time_scale=60)
    world.publish(upstash_delay="60s")
    world.advance(0.999)
    assert not world.delivered
    world.advance(0.001)
    assert len(world.delivered) == 1


def test_cancel_while_waiting_ends_the_message(world: World) -> None:
    message_id = world.publish_id(upstash_delay="5s")
    others = world.publish_id(user="other", upstash_delay="5h")
    assert world.cancel(others).body == {"cancelled": 0}
    assert world.cancel(message_id).body == {"cancelled": 1}
    world.advance(10)
    assert world.states(message_id) == ["CREATED", "CANCEL_REQUESTED", "CANCELED"]
    assert not world.delivered


@pytest.mark.parametrize(("result", "end"), [(OK, "DELIVERED"), (FAILURE, "CANCELED")])
def test_cancel_in_flight_lets_the_attempt_finish(world: World, result: AttemptResult, end: str) -> None:
    """No retry follows, no dead letter; a delivery that succeeded is not denied."""
    message_id = world.publish_id()
    assert world.cancel(message_id).body == {"cancelled": 1}
    world.finish(world.in_flight[0], result)
    world.advance(100_000)
    assert world.states(message_id)[-1] == end
    assert len(world.delivered) == 1
    assert not world.tenant.dlq


def test_late_result_of_another_attempt_changes_nothing(world: World) -> None:
    message_id = world.publish_id()
    world.do(end_attempt, message_id, 5, OK)
    world.settle()
    world.do(end_attempt, message_id, 0, OK)
    assert world.states(message_id) == ["CREATED", "ACTIVE", "DELIVERED"]


def test_request_carries_the_servers_own_headers(world: World) -> None:
    """Forwarded Upstash-* values are replaced, body and method are as published (qstash.md 8)."""
    world.publish(
        URL, b"\x00\xff", content_type="a/b", upstash_forward_x_a="1", upstash_method="put",
        upstash_forward_upstash_message_id="forged", upstash_timeout="7s",
    )  # fmt: skip
    effect = world.in_flight[0]
    request = build_request(
        effect.message, 2, effect.signing_key, now_seconds=1, jwt_id="jwt_1", default_timeout_ms=900_000
    )
    headers = dict(request.headers)
    assert len(headers) == len(request.headers)
    assert headers.pop("Upstash-Signature").count(".") == 2
    assert headers == {
        "User-Agent": "Upstash-QStash",
        "Content-Type": "a/b",
        "X-A": "1",
        "Upstash-Message-Id": effect.message.id,
        "Upstash-Retried": "2",
        "Upstash-Caller-Ip": "10.0.0.1",
    }
    assert (request.method, request.url, request.body, request.timeout_ms) == ("PUT", URL, b"\x00\xff", 7_000)
