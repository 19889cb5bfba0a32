from urllib.parse import urlencode

import pytest

from baton_local.qstash.core.selection import FOR_EVENTS, FOR_MESSAGES, parse_selection
from baton_local.stand_in.api_error import ApiError
from tests.unit.baton_local.qstash.machine_world import FAILURE, START_MS, World


def cancelled(world: World, *pairs: tuple[str, str]) -> int:
    return int(world.call(f"DELETE /v2/messages?{urlencode(pairs)}").body["cancelled"])


def waiting_world() -> World:
    world = World()
    world.publish("https://a.example:8443/x?q=1", upstash_delay="1h", upstash_label="one")
    world.publish("https://a.example:8443/y", upstash_delay="1h", upstash_label="one,two")
    world.publish("https://b.example/x", upstash_delay="1h")
    world.publish("https://b.example/z", upstash_delay="1h", queue="q")
    world.publish(
        "https://c.example/", upstash_delay="1h", upstash_flow_control_key="k", upstash_flow_control_value="rate=1"
    )
    world.now_ms += 1_000
    world.publish("https://d.example/a,b", upstash_delay="1h")
    return world


@pytest.mark.parametrize(
    ("pairs", "count"),
    [
        ([("label", "one")], 2),
        ([("label", "two,none")], 1),
        ([("label", "one"), ("label", "two")], 2),
        ([("host", "a.example")], 2),
        ([("host", "a.example:8443")], 2),
        ([("path", "/x")], 2),
        ([("host", "b.example"), ("path", "/x")], 1),
        ([("url", "https://a.example:8443/x?q=1")], 1),
        ([("url", "https://d.example/a,b")], 1),
        ([("queueName", "q")], 1),
        ([("flowControlKey", "k")], 1),
        ([("callerIp", "10.0.0.1")], 6),
        ([("callerIP", "10.0.0.2")], 0),
        ([("fromDate", str(START_MS + 1_000))], 1),
        ([("toDate", str(START_MS))], 5),
        ([("topicName", "none")], 0),
        ([("label", "")], 0),
        ([("messageIds", "")], 0),
        ([("count", "4")], 4),
        ([], 6),
    ],
)
def test_bulk_cancel_takes_what_fits(pairs: list[tuple[str, str]], count: int) -> None:
    """Values OR-ed, filters AND-ed; an empty value selects nothing; nothing given selects all."""
    assert cancelled(waiting_world(), *pairs) == count


def test_ids_override_filters() -> None:
    world = waiting_world()
    ids = list(world.tenant.live)[:2]
    assert cancelled(world, ("messageIds", ids[0]), ("messageIds", ids[1]), ("label", "none")) == 2


def test_messages_between_retries_count(world: World) -> None:
    """Two that just failed are still cancellable (qstash.md 12)."""
    world.answer = lambda _effect: FAILURE
    ids = [world.publish_id(), world.publish_id()]
    world.settle()
    assert cancelled(world, ("messageIds", ",".join(ids))) == 2


def test_cancelling_a_queue_does_not_start_its_next_messages(world: World) -> None:
    for _ in range(5):
        world.publish(queue="q")
    assert cancelled(world, ("queueName", "q")) == 5
    world.settle()
    assert len(world.delivered) == 1


def test_count_leaves_a_cursor_to_go_on_with() -> None:
    """Oldest first, and `cursor` only if something is left."""
    world = waiting_world()
    first = world.call("DELETE /v2/messages?count=4").body
    assert world.call(f"DELETE /v2/messages?cursor={first['cursor']}").body == {"cancelled": 2}


@pytest.mark.parametrize(
    "pair",
    [("lable", "x"), ("responseStatus", "500"), ("count", "0"), ("count", "501"), ("count", "x"), ("cursor", "-1"),
     ("fromDate", "yesterday"), ("source", "workflow")],
)  # fmt: skip
def test_bad_bulk_selections_are_refused(pair: tuple[str, str]) -> None:
    with pytest.raises(ApiError) as refusal:
        parse_selection([pair], FOR_MESSAGES, max_count=500, strict=True)
    assert refusal.value.status == 400


def test_states_accept_both_spellings_and_the_group() -> None:
    selection = parse_selection([("state", "CANCELLED,IN_PROGRESS")], FOR_EVENTS, max_count=10, strict=False)
    assert selection.values["state"] == {"CANCELED", "ACTIVE", "RETRY", "ERROR"}
    with pytest.raises(ApiError, match="LOST"):
        parse_selection([("state", "LOST")], FOR_EVENTS, max_count=10, strict=False)
