import pytest

from baton_local.qstash.core.commands.topics import (
    delete_topic,
    get_topic,
    list_topics,
    remove_endpoints,
    set_topic_headers,
    upsert_endpoints,
)
from baton_local.qstash.core.destinations import Endpoint, parse_default_headers, parse_endpoints
from baton_local.stand_in.api_error import ApiError
from tests.unit.baton_local.qstash.machine_world import World, refused

A, B = Endpoint("https://a/"), Endpoint("https://b/", "b")


@pytest.fixture
def world() -> World:
    made = World()
    made.do(upsert_endpoints, "g", [A])
    return made


def shown(world: World) -> list[dict[str, str]]:
    endpoints: list[dict[str, str]] = get_topic(world.tenant, "g").body["endpoints"]
    return endpoints


def test_endpoints_are_added_updated_and_removed_by_name_or_url(world: World) -> None:
    """A named endpoint moves to its new URL; an unnamed other URL is a second one; a group goes with its last."""
    world.do(upsert_endpoints, "g", [B])
    world.do(upsert_endpoints, "g", [Endpoint("https://new/", "b"), Endpoint("https://c/")])
    assert shown(world) == [{"url": "https://a/"}, {"url": "https://new/", "name": "b"}, {"url": "https://c/"}]
    world.do(remove_endpoints, "g", [Endpoint("", "b"), Endpoint("https://c/")])
    assert shown(world) == [{"url": "https://a/"}]
    world.do(remove_endpoints, "g", [A])
    assert refused(get_topic, world.tenant, "g") == 404
    assert list_topics(world.tenant).body == []
    assert world.do(delete_topic, "g").status == 200  # setup scripts delete first


def test_later_changes_do_not_touch_messages_already_made(world: World) -> None:
    world.publish("g", upstash_delay="5s")
    world.do(delete_topic, "g")
    world.advance(5)
    assert [effect.message.url for effect in world.delivered] == ["https://a/"]


def test_default_headers_are_merged_under_the_publishs_own(world: World) -> None:
    headers = parse_default_headers({"headers": {"Upstash-Retries": "7", "Upstash-Forward-X": ["a"]}})
    world.do(set_topic_headers, "g", headers)
    world.publish("g")
    world.publish("g", upstash_retries="1")
    assert [effect.message.max_retries for effect in world.in_flight] == [7, 1]
    assert world.in_flight[0].message.header == {"X": ["a"]}
    with pytest.raises(ApiError, match="Upstash-Retries"):
        world.do(set_topic_headers, "g", {"upstash-retries": ["x"]})


@pytest.mark.parametrize("name", ["agent:loop", "", "http-hooks", "api"])
def test_group_names_that_could_be_mistaken_are_refused(name: str) -> None:
    """Character rule, and nothing that looks like a destination."""
    assert refused(World().do, upsert_endpoints, name, [A]) == 400


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"endpoints": []}, {"endpoints": ["x"]}, {"endpoints": [{}]}, {"endpoints": [{"url": "h"}]},
     {"endpoints": [{"url": 5}]}, {"endpoints": [{"url": "https://h", "name": "a b"}]}],
)  # fmt: skip
def test_bad_endpoint_lists_are_refused(body: object) -> None:
    assert refused(parse_endpoints, body, need_url=True) == 400
