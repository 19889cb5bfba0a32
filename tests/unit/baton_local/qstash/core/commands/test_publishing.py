from baton_local.qstash.core.views import message_view
from tests.unit.baton_local.qstash.machine_world import FAILURE, START_MS, URL, World, refused

MINUTE = 60


def test_message_shows_what_was_published(world: World) -> None:
    """The fields of qstash.md 12; what is unset is left out."""
    world.publish(
        body="é".encode(),
        content_type="text/plain",
        upstash_forward_test_header="v",
        upstash_label="a, b,a",
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
        "body": "é",
        "callback": "https://h/cb",
        "callerIP": "10.0.0.1",
        "retryDelayExpression": "1000 * retried",
        "label": "a",
        "labels": ["a", "b"],
        "flowControlKey": "k",
        "rate": 3,
        "period": 1,
    }


def test_redacted_fields_show_a_digest(world: World) -> None:
    """Views hide, delivery does not."""
    world.publish(body=b"secret", upstash_forward_x="secret", upstash_redact_fields="body,headers")
    shown = message_view(world.in_flight[0].message)
    digest = "REDACTED:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
    assert (shown["body"], shown["header"]) == (digest, {"X": [digest]})
    assert world.in_flight[0].message.body == b"secret"


def test_refused_publish_leaves_nothing_behind() -> None:
    """Everything is checked before the first change; the longest delay also binds the absolute form."""
    world = World(max_delay_ms=60_000)
    assert refused(world.publish, upstash_not_before=str(START_MS // 1_000 + 61)) == 412
    assert refused(World(max_message_bytes=4).publish, body=b"12345") == 413
    callback = {"upstash_callback": "https://h", "upstash_callback_delay": "5s"}
    assert refused(world.publish, queue="q", **callback) == 400
    assert world.tenant.queues == {}
    assert world.changes == []


def test_same_id_in_the_window_answers_the_earlier_message(world: World) -> None:
    """Whatever the destination, for ten minutes from the first acceptance; other users have windows of their own."""
    first = world.publish(upstash_deduplication_id="d")
    assert first.status == 200
    assert world.publish(upstash_deduplication_id="d", user="other").status == 200
    world.advance(9 * MINUTE)
    second = world.publish("https://elsewhere/x", b"other", upstash_deduplication_id="d")
    assert (second.status, second.body) == (202, {"messageId": first.body["messageId"], "deduplicated": True})
    world.settle()
    assert len(world.delivered) == 2
    world.advance(MINUTE)
    assert world.publish(upstash_deduplication_id="d").status == 200


def test_repeat_is_swallowed_even_if_the_first_failed(world: World) -> None:
    """The documented trap: put an epoch into the id."""
    world.answer = lambda _effect: FAILURE
    world.publish(upstash_deduplication_id="d", upstash_retries="0")
    world.settle()
    assert world.publish(upstash_deduplication_id="d").status == 202


def test_content_means_destination_body_type_and_forwarded_headers(world: World) -> None:
    by_content = {"upstash_content_based_deduplication": "True", "content_type": "a/b", "upstash_forward_x": "1"}
    assert world.publish(URL, b"x", **by_content).status == 200
    assert world.publish(URL, b"x", **by_content).status == 202
    assert world.publish(URL + "2", b"x", **by_content).status == 200
    assert world.publish(URL, b"y", **by_content).status == 200
    assert world.publish(URL, b"x", **by_content | {"content_type": "c/d"}).status == 200
    assert world.publish(URL, b"x", **by_content | {"upstash_forward_x": "2"}).status == 200
    assert world.publish(URL, b"x", **by_content | {"upstash_deduplication_id": "d"}).status == 200


def test_group_deduplicates_per_endpoint(world: World) -> None:
    """An endpoint added meanwhile still gets its message."""
    world.group({"url": "https://a/"})
    first = world.publish("g", upstash_deduplication_id="d")
    world.group({"url": "https://b/"})
    second = world.publish("g", upstash_deduplication_id="d")
    assert second.status == 200
    assert second.body[0] == first.body[0] | {"deduplicated": True}
    assert second.body[1]["url"] == "https://b/"
    assert "deduplicated" not in second.body[1]
    assert world.publish("g", upstash_deduplication_id="d").status == 202


def test_expired_windows_are_forgotten(world: World) -> None:
    for number in range(3):
        world.publish(upstash_deduplication_id=f"d{number}")
    world.advance(9 * MINUTE)
    world.publish(upstash_deduplication_id="later")
    world.advance(MINUTE)
    world.publish(upstash_deduplication_id="last")
    assert list(world.tenant.dedup) == ["id:later", "id:last"]
