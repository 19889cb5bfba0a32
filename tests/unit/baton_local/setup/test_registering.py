from baton_local.fixtures.servers import QStashServer
from baton_local.setup.account import register

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
