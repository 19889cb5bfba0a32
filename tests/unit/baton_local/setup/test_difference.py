import asyncio
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from baton.queue.account import Topic, TopicEndpoint
from baton_events.messages import Outgoing
from baton_events.schema import ENDPOINTS, EventType
from baton_local.setup.wanted import Difference, described, wanted_of
from tests.unit.baton_local.setup.accounts import SETTINGS, FakeAccount

LOOP = SETTINGS.topic(EventType.LOOP_INIT)
LOOP_URL = SETTINGS.endpoint_url(ENDPOINTS[EventType.LOOP_INIT])
OTHERS = "https://old.example.com/workers/agent-loop"


async def test_an_empty_account_gets_a_topic_an_event_type_and_the_sweep() -> None:
    """Named by the prefix, at the endpoints of the code, failures reported; an app event gets one by its name."""
    empty = FakeAccount()
    await empty.set_up()
    urls = {topic.name: [each.url for each in topic.endpoints] for topic in await empty.setup.topics()}
    assert urls == {SETTINGS.topic(kind): [SETTINGS.endpoint_url(ENDPOINTS[kind])] for kind in EventType}
    assert empty.setup.known[LOOP].defaults == {
        "upstash-retries": "3",
        "upstash-retry-delay": "min(600000, 10000 * pow(2, retried))",
        "upstash-timeout": "300s",
        "upstash-failure-callback": SETTINGS.failure_callback_url,
    }
    (sweep,) = empty.schedules.known.values()
    assert (sweep.id, sweep.cron) == ("agent.sweep", "0 * * * *")
    assert sweep.destination == "https://fn.example.com/api/v2/workers/sweep"
    assert (sweep.body, sweep.failure_callback) == ("", SETTINGS.failure_callback_url)
    assert await empty.difference() == Difference()
    (topic,) = [each for each in wanted_of(SETTINGS, ["order.created"]).topics if "order" in each.name]
    assert topic.name == "agent.order-created"
    assert [each.url for each in topic.endpoints] == [f"{SETTINGS.worker_base_url}/workers/events/order.created"]


async def test_another_address_replaces_the_old_one(account: FakeAccount) -> None:
    """Instead of being a second endpoint, which would deliver every event twice."""
    moved = replace(SETTINGS, worker_base_url="https://new.example.com")
    lines = [described(change) for change in (await account.difference(moved)).changes]
    assert f"~ topic {LOOP}: {LOOP_URL} → https://new.example.com/workers/agent-loop" in lines
    await account.set_up(moved)
    assert [each.url for each in account.setup.known[LOOP].endpoints] == ["https://new.example.com/workers/agent-loop"]
    assert await account.difference(moved) == Difference()


async def test_an_endpoint_made_by_hand_at_the_right_address_is_enough() -> None:
    """Seed 000 makes them in the console, without a name; a second one would double every delivery."""
    account = FakeAccount()
    await account.setup.put_endpoint(LOOP, TopicEndpoint(LOOP_URL))
    await account.set_up()
    assert account.setup.known[LOOP].endpoints == (TopicEndpoint(LOOP_URL),)
    assert await account.difference() == Difference()


async def test_what_gets_every_event_as_well_goes_only_with_prune(account: FakeAccount) -> None:
    await account.setup.put_endpoint(LOOP, TopicEndpoint(OTHERS))
    await account.setup.put_endpoint(LOOP, TopicEndpoint(LOOP_URL))
    await account.set_up()
    assert len(account.setup.known[LOOP].endpoints) == 3
    await account.set_up(prune=True)
    assert account.setup.known[LOOP].endpoints == (TopicEndpoint(LOOP_URL),)


async def test_prune_takes_only_what_carries_our_prefix(account: FakeAccount) -> None:
    """Topics and schedules of others, and of another prefix that ours begins, stay."""
    await account.set_up(replace(SETTINGS, topic_prefix="agent-two"))
    await account.setup.put_endpoint("agent.gone-event", TopicEndpoint(OTHERS))
    await account.setup.put_endpoint("orders", TopicEndpoint(OTHERS))
    message = Outgoing(body="", url=OTHERS)
    for schedule_id in ("agent.gone", "sch_nightly", "agents"):
        await account.schedules.put(schedule_id, "0 * * * *", message)
    assert len((await account.difference()).left) == 2
    await account.set_up(prune=True)
    assert {"orders", "agent-two.agent-loop-init"} <= set(account.setup.known)
    assert "agent.gone-event" not in account.setup.known
    assert set(account.schedules.known) == {"agent.sweep", "agent-two.sweep", "agents", "sch_nightly"}


async def test_a_schedule_that_was_changed_is_put_right(account: FakeAccount) -> None:
    """Paused, or sent somewhere else; it says what was wrong."""
    await account.schedules.put("agent.sweep", "*/5 * * * *", Outgoing(body="", url=OTHERS))
    await account.schedules.pause("agent.sweep", paused=True)
    (change,) = (await account.difference()).changes
    for wrong in (OTHERS, "'*/5 * * * *'", "it is paused", "another failure callback"):
        assert wrong in described(change)
    await account.set_up()
    assert await account.difference() == Difference()
    assert not account.schedules.known["agent.sweep"].paused


async def test_a_queue_without_defaults_of_topics_is_remarked() -> None:
    account = FakeAccount()
    account.setup.takes_defaults = False
    remarks = await account.set_up()
    assert len(remarks) == len(EventType)
    assert "every message of Baton has its own options" in remarks[0]


_URLS = st.sampled_from([LOOP_URL, OTHERS, "https://x.example.com"])
_ENDPOINTS = st.lists(st.tuples(_URLS, st.sampled_from(["", "baton", "mine"])), max_size=4)


@given(
    topics=st.dictionaries(
        st.sampled_from([LOOP, "agent.agent-tool-call", "agent.other", "orders", "agent"]), _ENDPOINTS
    ),
    schedules=st.dictionaries(
        st.sampled_from(["agent.sweep", "agent.other", "sch_1"]), st.tuples(_URLS, st.booleans())
    ),
    broken_after=st.integers(0, 12),
)
def test_one_run_is_enough_whatever_there_was(
    topics: dict[str, list[tuple[str, str]]], schedules: dict[str, tuple[str, bool]], broken_after: int
) -> None:
    """Nothing to do afterwards, though an earlier run broke off; nothing of others is ever taken away."""
    account = FakeAccount()

    async def run() -> None:
        for name, endpoints in topics.items():
            for url, label in endpoints:
                await account.setup.put_endpoint(name, TopicEndpoint(url, label))
        for name, (url, paused) in schedules.items():
            await account.schedules.put(name, "0 * * * *", Outgoing(body="", url=url))
            await account.schedules.pause(name, paused=paused)
        before: dict[str, Topic] = dict(account.setup.known)
        for change in (await account.difference()).changes[:broken_after]:
            await account.account.apply(change)
        await account.set_up()
        assert (await account.difference()).changes == ()
        for name, topic in before.items():
            assert {each.name or each.url for each in topic.endpoints} <= {
                each.name or each.url for each in account.setup.known[name].endpoints
            }
        assert set(schedules) <= set(account.schedules.known)
        await account.set_up(prune=True)
        assert await account.difference() == Difference()
        assert {name for name in before if not name.startswith("agent.")} <= set(account.setup.known)

    asyncio.run(run())
