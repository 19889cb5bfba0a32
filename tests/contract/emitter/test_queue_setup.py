"""What an account is set up with: the fake and the real queue, through the SDK, alike."""

from collections.abc import AsyncIterator

import pytest

from baton.queue.account import QueueSetup, Topic, TopicEndpoint
from baton.queue.qstash.setup import QStashSetup
from baton_events.errors import TopicNotFoundError
from tests.contract.emitter.qstash_process import QStashProcess
from tests.fakes.queue_setup import FakeQueueSetup

OURS = TopicEndpoint("http://127.0.0.1:9/a", "baton")
BY_HAND = TopicEndpoint("http://127.0.0.1:9/b")


@pytest.fixture(params=["fake", "real"])
async def setup(request: pytest.FixtureRequest) -> AsyncIterator[QueueSetup]:
    if request.param == "fake":
        yield FakeQueueSetup()
        return
    process: QStashProcess = request.getfixturevalue("local_qstash")
    real = QStashSetup(process.settings("http://127.0.0.1:9"))
    await forget_topics(real)  # of tests before these: all share one queue
    yield real
    await forget_topics(real)
    await real.close()


async def forget_topics(setup: QueueSetup) -> None:
    for topic in await setup.topics():
        await setup.delete_topic(topic.name)


async def endpoints(setup: QueueSetup) -> dict[str, tuple[TopicEndpoint, ...]]:
    return {topic.name: topic.endpoints for topic in await setup.topics()}


async def test_an_endpoint_put_again_by_its_name_changes_its_address(setup: QueueSetup) -> None:
    await setup.put_endpoint("t.one", OURS)
    await setup.put_endpoint("t.one", BY_HAND)
    moved = TopicEndpoint("http://127.0.0.1:9/c", "baton")
    await setup.put_endpoint("t.one", moved)
    assert await endpoints(setup) == {"t.one": (moved, BY_HAND)}


async def test_an_endpoint_without_a_name_goes_by_its_address(setup: QueueSetup) -> None:
    await setup.put_endpoint("t.two", OURS)
    await setup.put_endpoint("t.two", BY_HAND)
    await setup.remove_endpoints("t.two", [BY_HAND])
    assert await endpoints(setup) == {"t.two": (OURS,)}
    await setup.remove_endpoints("t.two", [OURS])
    assert await endpoints(setup) == {}
    with pytest.raises(TopicNotFoundError, match=r"t\.two"):
        await setup.remove_endpoints("t.two", [OURS])


async def test_defaults_of_a_topic_are_reported(setup: QueueSetup) -> None:
    await setup.put_endpoint("t.three", OURS)
    await setup.put_defaults("t.three", {"Upstash-Retries": "2"})
    assert await setup.topics() == (Topic("t.three", (OURS,), {"upstash-retries": "2"}),)
    with pytest.raises(TopicNotFoundError, match="unknown"):
        await setup.put_defaults("unknown", {"Upstash-Retries": "2"})


async def test_a_deleted_topic_is_gone(setup: QueueSetup) -> None:
    await setup.put_endpoint("t.four", OURS)
    await setup.delete_topic("t.four")
    await setup.delete_topic("t.four")
    assert await endpoints(setup) == {}


async def test_rolling_makes_the_next_key_the_current_one(setup: QueueSetup) -> None:
    before = await setup.signing_keys()
    after = await setup.roll_signing_keys()
    assert after.current == before.following
    assert after.following not in (before.current, before.following)
    assert await setup.signing_keys() == after
    assert after.current not in repr(after)
    assert after.following not in repr(after)
