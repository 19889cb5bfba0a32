import pytest

from baton_local.qstash.core.destinations import parse_endpoints
from baton_local.stand_in.api_error import ApiError
from tests.unit.baton_local.qstash.machine_world import World, refused

A, B = {"url": "https://a/"}, {"url": "https://b/", "name": "b"}


@pytest.fixture
def world() -> World:
    made = World()
    made.group(A)
    return made


def test_later_changes_do_not_touch_messages_already_made(world: World) -> None:
    world.publish("g", upstash_delay="5s")
    world.call("DELETE /v2/topics/g")
    world.advance(5)
    assert [effect.message.url for effect in world.delivered] == ["https://a/"]


def test_default_headers_are_merged_under_the_publishs_own(world: World) -> None:
    headers = {"Upstash-Retries": "7", "Upstash-Forward-X": ["a"]}
    world.call("PATCH /v2/topics/g", {"headers": headers})
    world.publish("g")
    world.publish("g", upstash_retries="1")
    assert [effect.message.max_retries for effect in world.in_flight] == [7, 1]
    assert world.in_flight[0].message.header == {"X": ["a"]}
    with pytest.raises(ApiError, match="Upstash-Retries"):
        world.call("PATCH /v2/topics/g", {"headers": {"Upstash-Retries": "x"}})


@pytest.mark.parametrize("name", ["agent:loop", "http-hooks", "api"])
def test_group_names_that_could_be_mistaken_are_refused(name: str) -> None:
    """Character rule, and nothing that looks like a destination."""
    assert refused(World().call, f"POST /v2/topics/{name}/endpoints", {"endpoints": [A]}) == 400


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"endpoints": []}, {"endpoints": ["x"]}, {"endpoints": [{}]}, {"endpoints": [{"url": "h"}]},
     {"endpoints": [{"url": 5}]}, {"endpoints": [{"url": "https://h", "name": "a b"}]}],
)  # fmt: skip
def test_bad_endpoint_lists_are_refused(body: object) -> None:
    assert refused(parse_endpoints, body, need_url=True) == 400
