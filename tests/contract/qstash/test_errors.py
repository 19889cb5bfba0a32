"""What each method of the SDK raises: what no argument can make fail is called with a wrong token."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from qstash.errors import DailyMessageLimitExceededError, QStashError, RateLimitExceededError

from baton_local.qstash.settings import DEVELOPMENT_USERS
from tests.contract.qstash.either_client import EitherClient
from tests.unit.baton_local.qstash.server_process import ServerProcess

URL = "http://127.0.0.1:9/never"
Call = Callable[[EitherClient], Awaitable[Any]]
ERRORS: Mapping[str, tuple[str, Call]] = {
    "MessageApi.publish": ("404", lambda sdk: sdk.message.publish(url_group="none")),
    "MessageApi.publish_json": ("400", lambda sdk: sdk.message.publish_json(url=URL, retry_delay="what(1)")),
    "MessageApi.enqueue": ("400", lambda sdk: sdk.message.enqueue(queue="a b", url=URL)),
    "MessageApi.enqueue_json": ("400", lambda sdk: sdk.message.enqueue_json(queue="a:b", url=URL)),
    "MessageApi.batch": ("401", lambda sdk: sdk.message.batch([{"url": URL}])),
    "MessageApi.batch_json": ("401", lambda sdk: sdk.message.batch_json([{"url": URL}])),
    "MessageApi.get": ("404", lambda sdk: sdk.message.get("msg_none")),
    "MessageApi.cancel": ("404", lambda sdk: sdk.message.cancel("msg_none")),
    "MessageApi.cancel_many": ("401", lambda sdk: sdk.message.cancel_many(["x"])),
    "MessageApi.cancel_all": ("401", lambda sdk: sdk.message.cancel_all()),
    "UrlGroupApi.upsert_endpoints": ("400", lambda sdk: sdk.url_group.upsert_endpoints("g", [{"url": "nowhere"}])),
    "UrlGroupApi.remove_endpoints": ("404", lambda sdk: sdk.url_group.remove_endpoints("none", [{"name": "b"}])),
    "UrlGroupApi.get": ("404", lambda sdk: sdk.url_group.get("none")),
    "UrlGroupApi.list": ("401", lambda sdk: sdk.url_group.list()),
    "UrlGroupApi.delete": ("401", lambda sdk: sdk.url_group.delete("none")),
    "QueueApi.upsert": ("400", lambda sdk: sdk.queue.upsert("q", parallelism=0)),
    "QueueApi.get": ("404", lambda sdk: sdk.queue.get("none")),
    "QueueApi.list": ("401", lambda sdk: sdk.queue.list()),
    "QueueApi.delete": ("401", lambda sdk: sdk.queue.delete("none")),
    "QueueApi.pause": ("404", lambda sdk: sdk.queue.pause("none")),
    "QueueApi.resume": ("404", lambda sdk: sdk.queue.resume("none")),
    "ScheduleApi.create": ("400", lambda sdk: sdk.schedule.create(destination=URL, cron="x")),
    "ScheduleApi.create_json": ("400", lambda sdk: sdk.schedule.create_json(destination=URL, cron="99 * * * *")),
    "ScheduleApi.get": ("404", lambda sdk: sdk.schedule.get("none")),
    "ScheduleApi.list": ("401", lambda sdk: sdk.schedule.list()),
    "ScheduleApi.delete": ("404", lambda sdk: sdk.schedule.delete("none")),
    "ScheduleApi.pause": ("404", lambda sdk: sdk.schedule.pause("none")),
    "ScheduleApi.resume": ("404", lambda sdk: sdk.schedule.resume("none")),
    "SigningKeyApi.get": ("401", lambda sdk: sdk.signing_key.get()),
    "SigningKeyApi.rotate": ("401", lambda sdk: sdk.signing_key.rotate()),
    "LogApi.list": ("400", lambda sdk: sdk.log.list(count=0)),
    "DlqApi.list": ("400", lambda sdk: sdk.dlq.list(count=0)),
    "DlqApi.get": ("404", lambda sdk: sdk.dlq.get("1-1")),
    "DlqApi.delete": ("404", lambda sdk: sdk.dlq.delete("1-1")),
    "DlqApi.delete_many": ("401", lambda sdk: sdk.dlq.delete_many(["1-1"])),
    "FlowControlApi.get": ("404", lambda sdk: sdk.flow_control.get("none")),
    "FlowControlApi.get_global_parallelism": ("401", lambda sdk: sdk.flow_control.get_global_parallelism()),
    "FlowControlApi.pause": ("401", lambda sdk: sdk.flow_control.pause("none")),
    "FlowControlApi.resume": ("404", lambda sdk: sdk.flow_control.resume("none")),
    "FlowControlApi.pin": ("400", lambda sdk: sdk.flow_control.pin("f", {"rate": -1})),
    "FlowControlApi.unpin": ("404", lambda sdk: sdk.flow_control.unpin("none", {"rate": True})),
    "FlowControlApi.reset_rate": ("404", lambda sdk: sdk.flow_control.reset_rate("none")),
}


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_each_method_reports_errors(server: ServerProcess, subtests: pytest.Subtests, kind: str) -> None:
    known, stranger = (EitherClient(kind, token, server.url) for token in (DEVELOPMENT_USERS[0].token, "wrong"))
    for method, (status, call) in ERRORS.items():
        with subtests.test(method), pytest.raises(QStashError, match=status):
            await call(stranger if status == "401" else known)
    await known.close()
    await stranger.close()


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_limits_raise_the_sdks_own_errors(tmp_path: Path, kind: str) -> None:
    """Which headers come decides which error it is."""
    with ServerProcess(tmp_path, "--max-calls-per-second", "1", "--max-messages-per-day", "1") as server:
        client = EitherClient(kind, DEVELOPMENT_USERS[0].token, server.url)
        await client.message.publish(url="https://example.invalid/", delay="1h")
        with pytest.raises(DailyMessageLimitExceededError) as daily:
            await client.message.publish(url="https://example.invalid/", delay="1h")
        assert (daily.value.limit, daily.value.remaining) == ("1", "0")

        async def call_often() -> None:
            for _ in range(20):
                await client.queue.list()

        with pytest.raises(RateLimitExceededError) as burst:
            await call_often()
        assert burst.value.limit == "1"
        await client.close()
