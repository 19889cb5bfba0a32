import pytest

from baton_local.qstash.core.commands.topics import (
    DeleteTopic,
    RemoveEndpoints,
    SetTopicHeaders,
    UpsertEndpoints,
    get_topic,
    list_topics,
)
from baton_local.qstash.core.destinations import Endpoint, parse_default_headers, parse_endpoints
from baton_local.stand_in.api_error import ApiError
from tests.unit.baton_local.qstash.machine_world import USER, World

A, B = Endpoint("https://a/"), Endpoint("https://b/", "b")


def shown(world: World, name: str = "g") -> list[dict[str, str]]:
    endpoints: list[dict[str, str]] = get_topic(world.tenant, name).body["endpoints"]
    return endpoints


def test_endpoints_are_added_and_updated_by_name_else_url() -> None:
    """A named endpoint moves to its new URL; an unnamed other URL is a second endpoint."""
    world = World()
    world.do(UpsertEndpoints(USER, "g", [A, B]))
    world.do(UpsertEndpoints(USER, "g", [Endpoint("https://new/", "b"), Endpoint("https://c/")]))
    assert shown(world) == [{"url": "https://a/"}, {"url": "https://new/", "name": "b"}, {"url": "https://c/"}]


def test_group_goes_with_its_last_endpoint() -> None:
    world = World()
    world.do(UpsertEndpoints(USER, "g", [A, B]))
    world.do(RemoveEndpoints(USER, "g", [Endpoint("", "b")]))
    assert shown(world) == [{"url": "https://a/"}]
    world.do(RemoveEndpoints(USER, "g", [A]))
    with pytest.raises(ApiError) as refusal:
        get_topic(world.tenant, "g")
    assert refusal.value.status == 404
    assert list_topics(world.tenant).body == []


def test_deleting_a_missing_group_is_fine() -> None:
    assert World().do(DeleteTopic(USER, "none")).status == 200


def test_later_changes_do_not_touch_messages_already_made() -> None:
    world = World()
    world.do(UpsertEndpoints(USER, "g", [A]))
    world.publish("g", upstash_delay="5s")
    world.do(DeleteTopic(USER, "g"))
    world.advance(5)
    assert [effect.message.url for effect in world.delivered] == ["https://a/"]


def test_default_headers_are_merged_under_the_publishs_own() -> None:
    world = World()
    world.do(UpsertEndpoints(USER, "g", [A]))
    headers = parse_default_headers({"headers": {"Upstash-Retries": "7", "Upstash-Forward-X": ["a"]}})
    world.do(SetTopicHeaders(USER, "g", headers))
    world.publish("g")
    world.publish("g", upstash_retries="1")
    assert [effect.message.max_retries for effect in world.in_flight] == [7, 1]
    assert world.in_flight[0].message.header == {"X": ["a"]}


def test_bad_default_headers_are_refused_when_set() -> None:
    world = World()
    world.do(UpsertEndpoints(USER, "g", [A]))
    with pytest.raises(ApiError, match="Upstash-Retries"):
        world.do(SetTopicHeaders(USER, "g", {"upstash-retries": ["x"]}))


@pytest.mark.parametrize("name", ["agent:loop", "a b", "", "http-hooks", "api"])
def test_group_names_that_could_be_mistaken_are_refused(name: str) -> None:
    """Character rule, and nothing that looks like a destination."""
    with pytest.raises(ApiError) as refusal:
        World().do(UpsertEndpoints(USER, name, [A]))
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"endpoints": []}, {"endpoints": ["x"]}, {"endpoints": [{}]}, {"endpoints": [{"url": "h"}]},
     {"endpoints": [{"url": 5}]}, {"endpoints": [{"url": "https://h", "name": "a b"}]}],
)  # fmt: skip
def test_bad_endpoint_lists_are_refused(body: object) -> None:
    with pytest.raises(ApiError) as refusal:
        parse_endpoints(body, need_url=True)
    assert refusal.value.status == 400
