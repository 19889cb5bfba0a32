import pytest

from baton.queue.account import TopicEndpoint
from baton.settings.settings import Settings
from baton_events.errors import QueueRefusedError
from baton_events.schema import EventType
from baton_local.fixtures.servers import QStashServer
from baton_local.setup.account import Account, register
from baton_local.setup.wanted import difference, unreachable_base, wanted_of
from tests.fakes.queue_setup import FakeQueueSetup
from tests.fakes.schedules import FakeSchedules
from tests.unit.baton_local.setup.accounts import SETTINGS

BASE = "http://127.0.0.1:9"


async def test_topics_and_the_hourly_sweep_are_registered_once(qstash_server: QStashServer) -> None:
    """Under fixed names, so that a second start adds none."""
    environment = {**qstash_server.env, "WORKER_BASE_URL": BASE, "QSTASH_TOPIC_PREFIX": "mine"}
    for _ in range(2):
        assert await register(environment) is None
        (sweep,) = qstash_server.call("GET", "/v2/schedules")
        assert (sweep["scheduleId"], sweep["destination"]) == ("mine.sweep", f"{BASE}/workers/sweep")
        topics = qstash_server.call("GET", "/v2/topics")
        assert [len(topic["endpoints"]) for topic in topics if topic["name"].startswith("mine.")] == [1] * 4


async def test_a_queue_that_does_not_take_them_is_a_remark_and_no_failure() -> None:
    """It is started again by its supervisor; the next start registers."""
    remark = await register({"QSTASH_URL": BASE, "QSTASH_TOKEN": "token", "WORKER_BASE_URL": BASE})
    assert remark is not None
    assert "the queue did not take its topics and the hourly sweep: no answer" in remark


async def test_wrong_settings_are_left_to_the_app() -> None:
    assert await register({"PUBLISH_BY": "pigeon"}) is None


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
    remarks = await shown(Account(OneTopic(), schedules, settings=SETTINGS))
    refused = [remark for remark in remarks if "too many URL groups; PUBLISH_BY=url does not use it" in remark]
    assert len(refused) == len(EventType) - 1
    assert list(schedules.known) == ["agent.sweep"]


async def test_a_publisher_by_topic_learns_that_there_is_no_room() -> None:
    """Its events would get lost."""
    with pytest.raises(QueueRefusedError, match="too many URL groups"):
        await shown(Account(OneTopic(), FakeSchedules()))


HOSTED, LOCAL = "https://qstash.upstash.io", "http://127.0.0.1:8080"


def test_a_hosted_queue_does_not_reach_this_machine() -> None:
    here = Settings(qstash_url=HOSTED, worker_base_url="http://localhost:8090")
    assert "run `baton tunnel`" in unreachable_base(here)
    assert unreachable_base(Settings(qstash_url=LOCAL, worker_base_url="http://localhost:8090")) == ""
    assert unreachable_base(Settings(qstash_url=HOSTED, worker_base_url="https://fn.example.com")) == ""


def test_one_function_on_this_machine_is_enough() -> None:
    urls = (("/workers/sweep", "http://127.0.0.1:9000"),)
    mixed = Settings(qstash_url=HOSTED, worker_base_url="https://fn.example.com", worker_urls=urls)
    assert "by this machine only" in unreachable_base(mixed)
