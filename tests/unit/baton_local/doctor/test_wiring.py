from dataclasses import replace

from baton.queue.account import Topic, TopicEndpoint
from baton_events.errors import PublishError
from baton_events.messages import Outgoing
from baton_events.schema import ENDPOINTS, EventType
from baton_local.doctor.finding import Finding, Level
from baton_local.doctor.queue import check_account
from tests.fakes.queue_setup import FakeQueueSetup
from tests.unit.baton_local.setup.accounts import SETTINGS, FakeAccount

BY_TOPIC = replace(SETTINGS, publish_by="topic")
LOOP = SETTINGS.topic(EventType.LOOP_INIT)


async def not_well(account: FakeAccount) -> list[Finding]:
    return [each for each in await check_account(account.account, BY_TOPIC) if each.level is not Level.OK]


async def test_an_account_that_is_set_up_is_well(account: FakeAccount) -> None:
    assert await not_well(account) == []
    assert len(await check_account(account.account, BY_TOPIC)) == 2


async def test_a_topic_that_is_missing_fails_only_where_events_go_by_topic(account: FakeAccount) -> None:
    await account.setup.delete_topic(LOOP)
    (found,) = await not_well(account)
    assert (found.level, found.way_out) == (Level.FAILED, "run `baton setup`, or set PUBLISH_BY=url")
    assert f"topic {LOOP} does not deliver to {SETTINGS.endpoint_url(ENDPOINTS[EventType.LOOP_INIT])}" in found.text
    (by_url, _) = await check_account(account.account, SETTINGS)
    assert (by_url.level, by_url.way_out) == (Level.WARNING, "run `baton setup`")


async def test_a_topic_that_leads_elsewhere_is_reported_with_both_addresses() -> None:
    account = FakeAccount()
    await account.set_up(replace(SETTINGS, worker_base_url="https://old.example.com"))
    found = (await not_well(account))[0]
    assert f"delivers to https://old.example.com/workers/agent-loop, not to {SETTINGS.worker_base_url}" in found.text


async def test_a_second_endpoint_is_reported(account: FakeAccount) -> None:
    await account.setup.put_endpoint(LOOP, TopicEndpoint("https://old.example.com"))
    (found,) = await not_well(account)
    assert (found.level, found.way_out) == (Level.WARNING, "run `baton setup --prune`")
    assert f"topic {LOOP} also delivers to https://old.example.com" in found.text


async def test_a_sweep_that_is_missing_or_paused_fails(account: FakeAccount) -> None:
    await account.schedules.pause("agent.sweep", paused=True)
    assert [each.text.partition(";")[0] for each in await not_well(account)] == ["schedule agent.sweep: it is paused"]
    await account.schedules.put("agent.sweep", "0 * * * *", Outgoing(body="", url="https://old.example.com"))
    assert "it sends to https://old.example.com" in (await not_well(account))[0].text
    await account.schedules.delete("agent.sweep")
    (found,) = await not_well(account)
    assert (found.level, found.way_out) == (Level.FAILED, "run `baton setup`")
    assert "agent.sweep: it is not there" in found.text


async def test_defaults_that_the_queue_hides_are_a_note() -> None:
    account = FakeAccount()
    account.setup.takes_defaults = False
    await account.set_up()
    (found,) = await not_well(account)
    assert (found.level, "default options" in found.text) == (Level.NOTE, True)


async def test_an_account_that_may_not_be_read_fails() -> None:
    class Closed(FakeQueueSetup):
        async def topics(self) -> tuple[Topic, ...]:
            raise PublishError("403")

    (found,) = await not_well(FakeAccount(setup=Closed()))
    assert (found.level, "may do more than publish" in found.way_out) == (Level.FAILED, True)
