import json
from base64 import b64decode
from typing import Any

import pytest

from baton_local.qstash.core.message import AttemptResult, Message
from baton_local.qstash.core.state import Deliver
from tests.unit.baton_local.qstash.machine_world import FAILURE, OK, START_MS, URL, World

CALLBACK, FAILURE_CALLBACK = "https://h/cb", "https://h/failed"


def world_where(result: AttemptResult, url: str = URL) -> World:
    """Where one URL answers so, and all others well."""
    world = World()

    def answer(effect: Deliver) -> AttemptResult:
        return result if effect.message.url == url else OK

    world.answer = answer
    return world


def to(world: World, url: str) -> list[Message]:
    return [effect.message for effect in world.delivered if effect.message.url == url]


def body_of(message: Message) -> dict[str, Any]:
    parsed = json.loads(message.body or b"")
    assert isinstance(parsed, dict)
    return parsed


def test_callback_reports_the_answer(world: World) -> None:
    """After a success: one message with the fields of qstash.md 11."""
    source = world.publish_id(URL, b"question", upstash_callback=CALLBACK, content_type="text/plain")
    world.settle()
    (message,) = to(world, CALLBACK)
    assert body_of(message) == {
        "status": 200,
        "header": {},
        "body": "b2s=",
        "retried": 0,
        "maxRetries": 3,
        "sourceMessageId": source,
        "url": URL,
        "method": "POST",
        "sourceHeader": {"Content-Type": ["text/plain"]},
        "sourceBody": "cXVlc3Rpb24=",
        "notBefore": START_MS,
        "createdAt": START_MS,
        "callerIP": "10.0.0.1",
    }
    assert message.header == {"Content-Type": ["application/json"]}
    assert (message.method, message.max_retries) == ("POST", 3)


def test_callback_is_sent_after_every_attempt_and_the_failure_callback_once_with_the_dead_letter() -> None:
    world = world_where(FAILURE)
    world.publish(
        upstash_callback=CALLBACK,
        upstash_failure_callback=FAILURE_CALLBACK,
        upstash_retries="2",
        upstash_retry_delay="1000",
    )
    world.advance(10)
    bodies = [body_of(message) for message in to(world, CALLBACK)]
    assert [(body["retried"], body["status"]) for body in bodies] == [(0, 500), (1, 500), (2, 500)]
    (message,) = to(world, FAILURE_CALLBACK)
    assert body_of(message)["dlqId"] == next(iter(world.tenant.dlq))
    assert b64decode(body_of(message)["body"]) == b"no"


def test_no_response_at_all_is_status_0_with_the_reason() -> None:
    """A timeout has no status, header or body of its own."""
    world = world_where(AttemptResult(error="timeout: 3s"))
    world.publish(upstash_failure_callback=FAILURE_CALLBACK, upstash_retries="0")
    world.settle()
    body = body_of(to(world, FAILURE_CALLBACK)[0])
    assert (body["status"], body["header"], b64decode(body["body"])) == (0, {}, b"timeout: 3s")


def test_callback_has_options_of_its_own(world: World) -> None:
    """Its retries default to the source's."""
    world.publish(
        upstash_retries="1",
        upstash_callback=CALLBACK,
        upstash_callback_method="PUT",
        upstash_callback_retries="7",
        upstash_callback_forward_x_a="b",
        upstash_callback_label="c",
        upstash_callback_delay="5s",
    )
    world.settle()
    assert not to(world, CALLBACK)
    world.advance(5)
    (message,) = to(world, CALLBACK)
    assert (message.method, message.max_retries, message.labels) == ("PUT", 7, ("c",))
    assert message.header["X-A"] == ["b"]


def test_callback_may_fail_and_be_retried_like_any_message() -> None:
    """It has its own dead letter, and its own failure callback if asked for."""
    world = world_where(FAILURE, CALLBACK)
    world.publish(
        upstash_retries="0",
        upstash_callback=CALLBACK,
        upstash_callback_failure_callback=FAILURE_CALLBACK,
        upstash_callback_failure_callback_method="PATCH",
    )
    world.advance(10)
    assert [entry.message.url for entry in world.tenant.dlq.values()] == [CALLBACK]
    assert [message.method for message in to(world, FAILURE_CALLBACK)] == ["PATCH"]


def test_redacted_parts_stay_hidden_in_callbacks(world: World) -> None:
    """A callback is logged like any message, so it must not leak what is redacted."""
    world.publish(
        URL, b"secret", upstash_callback=CALLBACK, upstash_redact_fields="body,header[X-Key]",
        upstash_forward_x_key="secret",
    )  # fmt: skip
    world.settle()
    body = body_of(to(world, CALLBACK)[0])
    assert b64decode(body["sourceBody"]).startswith(b"REDACTED:")
    assert body["sourceHeader"]["X-Key"][0].startswith("REDACTED:")
    assert to(world, URL)[0].body == b"secret"


@pytest.mark.parametrize("option", ["upstash_callback", "upstash_failure_callback"])
def test_counters_distinguish_callbacks_from_publishes(option: str) -> None:
    world = world_where(FAILURE)
    headers = {"upstash_retries": "0", option: CALLBACK}
    world.publish(URL, b"", **headers)
    world.settle()
    counters = world.tenant.counters
    wanted = {"published": 1, "derived": 1, "deliveries": 2, "failed": 1}
    assert {name: counters[name] for name in wanted} == wanted
