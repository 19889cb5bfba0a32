import pytest

from baton_local.qstash.core.commands.publishing import Publish
from baton_local.qstash.core.destinations import parse_destination
from baton_local.qstash.core.views import message_view
from baton_local.stand_in.api_error import ApiError
from tests.unit.baton_local.qstash.machine_world import START_MS, URL, USER, World


def item(destination: str = URL, **headers: str) -> Publish:
    return Publish(USER, parse_destination(destination), {name.replace("_", "-"): [v] for name, v in headers.items()})


def test_message_shows_what_was_published() -> None:
    """The fields of qstash.md 12; what is unset is left out."""
    world = World()
    world.publish(
        body=b"text",
        content_type="text/plain",
        upstash_forward_test_header="v",
        upstash_label="a,b",
        upstash_flow_control_key="k",
        upstash_flow_control_value="rate=3",
        upstash_retry_delay="1000 * retried",
        upstash_delay="5s",
        upstash_callback="https://h/cb",
    )
    (live,) = world.tenant.live.values()
    assert message_view(live.message) == {
        "messageId": live.message.id,
        "url": URL,
        "method": "POST",
        "maxRetries": 3,
        "notBefore": START_MS + 5_000,
        "createdAt": START_MS,
        "header": {"Content-Type": ["text/plain"], "Test-Header": ["v"]},
        "body": "text",
        "callback": "https://h/cb",
        "callerIP": "10.0.0.1",
        "retryDelayExpression": "1000 * retried",
        "label": "a",
        "labels": ["a", "b"],
        "flowControlKey": "k",
        "rate": 3,
        "period": 1,
    }


@pytest.mark.parametrize(
    ("body", "fields"),
    [(None, {}), (b"\xff\x00", {"body": "", "bodyBase64": "/wA="}), ("é".encode(), {"body": "é"})],
)
def test_body_is_text_or_base64_or_absent(body: bytes | None, fields: dict[str, str]) -> None:
    """UTF-8 as text, other bytes in base64, nothing when there is none."""
    world = World()
    world.publish(body=body, upstash_delay="1s")
    (live,) = world.tenant.live.values()
    shown = message_view(live.message)
    assert {name: shown[name] for name in ("body", "bodyBase64") if name in shown} == fields


def test_redacted_fields_show_a_digest() -> None:
    world = World()
    world.publish(body=b"secret", upstash_forward_x="secret", upstash_redact_fields="body,headers")
    shown = message_view(world.in_flight[0].message)
    digest = "REDACTED:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    assert (shown["body"], shown["header"]) == (digest, {"X": [digest]})
    assert world.in_flight[0].message.body == b"secret"


def test_body_over_the_limit_is_413() -> None:
    with pytest.raises(ApiError) as refusal:
        World(max_message_bytes=4).publish(body=b"12345")
    assert refusal.value.status == 413


def test_not_before_too_far_ahead_is_412() -> None:
    with pytest.raises(ApiError) as refusal:
        World(max_delay_ms=60_000).publish(upstash_not_before=str(START_MS // 1_000 + 61))
    assert refusal.value.status == 412


def test_refused_publish_leaves_nothing_behind() -> None:
    world = World()
    with pytest.raises(ApiError):
        world.publish(queue="q", upstash_callback="https://h", upstash_callback_delay="5s")
    assert world.tenant.queues == {}
    assert world.changes == []
