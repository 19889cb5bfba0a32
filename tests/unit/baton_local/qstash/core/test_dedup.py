from baton_local.qstash.core.commands.topics import UpsertEndpoints
from baton_local.qstash.core.destinations import Endpoint
from baton_local.qstash.core.tenant import DedupWindow
from tests.unit.baton_local.qstash.machine_world import FAILURE, URL, USER, World

MINUTE = 60


def test_same_id_in_the_window_answers_the_earlier_message() -> None:
    world = World()
    first = world.publish(upstash_deduplication_id="d")
    second = world.publish("https://elsewhere/x", b"other", upstash_deduplication_id="d")
    assert first.status == 200
    assert (second.status, second.body) == (202, {"messageId": first.body["messageId"], "deduplicated": True})
    world.settle()
    assert len(world.delivered) == 1


def test_window_is_ten_minutes_from_first_acceptance() -> None:
    world = World()
    world.publish(upstash_deduplication_id="d")
    world.advance(9 * MINUTE)
    assert world.publish(upstash_deduplication_id="d").status == 202
    world.advance(MINUTE)
    assert world.publish(upstash_deduplication_id="d").status == 200


def test_repeat_is_swallowed_even_if_the_first_failed() -> None:
    """The documented trap: put an epoch into the id."""
    world = World()
    world.answer = lambda _effect: FAILURE
    world.publish(upstash_deduplication_id="d", upstash_retries="0")
    world.settle()
    assert world.publish(upstash_deduplication_id="d").status == 202


def test_content_means_destination_body_type_and_forwarded_headers() -> None:
    world = World()
    by_content = {"upstash_content_based_deduplication": "True", "content_type": "a/b", "upstash_forward_x": "1"}
    assert world.publish(URL, b"x", **by_content).status == 200
    assert world.publish(URL, b"x", **by_content).status == 202
    assert world.publish(URL + "2", b"x", **by_content).status == 200
    assert world.publish(URL, b"y", **by_content).status == 200
    assert world.publish(URL, b"x", **by_content | {"content_type": "c/d"}).status == 200
    assert world.publish(URL, b"x", **by_content | {"upstash_forward_x": "2"}).status == 200
    assert world.publish(URL, b"x", **by_content | {"upstash_deduplication_id": "d"}).status == 200


def test_group_deduplicates_per_endpoint() -> None:
    world = World()
    world.do(UpsertEndpoints(USER, "g", [Endpoint("https://a/")]))
    first = world.publish("g", upstash_deduplication_id="d")
    world.do(UpsertEndpoints(USER, "g", [Endpoint("https://b/")]))
    second = world.publish("g", upstash_deduplication_id="d")
    assert second.status == 200
    assert second.body[0] == first.body[0] | {"deduplicated": True}
    assert second.body[1]["url"] == "https://b/"
    assert "deduplicated" not in second.body[1]
    assert world.publish("g", upstash_deduplication_id="d").status == 202


def test_users_have_windows_of_their_own() -> None:
    world = World()
    world.publish(upstash_deduplication_id="d")
    assert world.publish(upstash_deduplication_id="d", user="other").status == 200


def test_expired_windows_are_forgotten() -> None:
    window = DedupWindow()
    for number in range(10):
        window.remember(f"k{number}", "m", expires_ms=number)
    window.forget_expired(now_ms=5)
    assert len(window) == 4
    assert window.lookup("k5", 5) is None
    assert window.lookup("k6", 5) == "m"
