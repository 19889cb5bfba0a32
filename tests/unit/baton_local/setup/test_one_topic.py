"""An account whose plan has room for one topic (URL group), as QStash's free one."""

import pytest

from baton.queue.account import TopicEndpoint
from baton_events.errors import QueueRefusedError
from baton_events.schema import EventType
from baton_local.setup.account import Account
from baton_local.setup.difference import difference
from baton_local.setup.wanted import wanted_of
from tests.fakes.queue_setup import FakeQueueSetup
from tests.fakes.schedules import FakeSchedules
from tests.unit.baton_local.setup.accounts import SETTINGS


class OneTopic(FakeQueueSetup):
    async def put_endpoint(self, topic: str, endpoint: TopicEndpoint) -> None:
        if self.known and topic not in self.known:
            raise QueueRefusedError("the queue refused the message: status: 412, too many URL groups")
        await super().put_endpoint(topic, endpoint)


async def shown(account: Account) -> list[str]:
    """Set up all that is wanted; what could not be done and does not matter."""
    changes = difference(wanted_of(SETTINGS), await account.read()).changes
    return [remark for change in changes if (remark := await account.apply(change))]


async def test_who_publishes_by_url_needs_no_topics() -> None:
    schedules = FakeSchedules()
    remarks = await shown(Account(OneTopic(), schedules, needs_topics=False))
    refused = [remark for remark in remarks if "too many URL groups; PUBLISH_BY=url does not use it" in remark]
    assert len(refused) == len(EventType) - 1
    assert list(schedules.known) == ["agent.sweep"]


async def test_a_publisher_by_topic_learns_that_there_is_no_room() -> None:
    """Its events would get lost."""
    with pytest.raises(QueueRefusedError, match="too many URL groups"):
        await shown(Account(OneTopic(), FakeSchedules()))
