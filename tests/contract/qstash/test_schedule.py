from typing import Any

import pytest
from qstash.errors import QStashError

from tests.contract.qstash.either_client import EitherClient


async def test_schedule_life(sdk: EitherClient, name: str) -> None:
    """Create with all options, get, list, pause, resume, delete."""
    schedule_id = await sdk.schedule.create(
        destination="https://example.com/x",
        cron="1 1 1 1 1",
        body="text",
        content_type="text/plain",
        method="PUT",
        headers={"test-header": "v"},
        retries=5,
        retry_delay="1000",
        callback="https://example.com/cb",
        failure_callback="https://example.com/f",
        delay=90,
        timeout="30s",
        schedule_id=name,
        queue=name,
        flow_control={"key": name, "parallelism": 2},
        label="l",
    )
    assert schedule_id == name
    schedule = await sdk.schedule.get(schedule_id)
    assert (schedule.destination, schedule.cron, schedule.body) == ("https://example.com/x", "1 1 1 1 1", "text")
    assert (schedule.method, schedule.retries, schedule.delay, schedule.queue) == ("PUT", 5, 90, name)
    assert schedule.headers == {"Content-Type": ["text/plain"], "Test-Header": ["v"]}
    assert (schedule.callback, schedule.failure_callback) == ("https://example.com/cb", "https://example.com/f")
    assert (schedule.label, schedule.retry_delay_expression, schedule.paused) == ("l", "1000", False)
    assert (schedule.flow_control.key, schedule.flow_control.parallelism) == (name, 2)
    assert schedule.caller_ip == "127.0.0.1"
    assert schedule.next_schedule_time > schedule.created_at
    assert schedule.last_schedule_time is None
    assert name in [each.schedule_id for each in await sdk.schedule.list()]
    await sdk.schedule.pause(schedule_id)
    assert (await sdk.schedule.get(schedule_id)).paused is True
    await sdk.schedule.resume(schedule_id)
    assert (await sdk.schedule.get(schedule_id)).paused is False
    await sdk.schedule.delete(schedule_id)
    with pytest.raises(QStashError, match="404"):
        await sdk.schedule.get(schedule_id)


async def test_create_json_and_replace(sdk: EitherClient, name: str) -> None:
    """The same id replaces entirely; an id is made when none is given."""
    made = await sdk.schedule.create_json(destination="https://example.com", cron="*/5 * * * *", body={"a": 1})
    schedule = await sdk.schedule.get(made)
    assert (schedule.body, schedule.retries, schedule.method) == ('{"a": 1}', 3, "POST")
    await sdk.schedule.create(destination="https://example.com", cron="* * * * *", body="old", schedule_id=name)
    await sdk.schedule.create(destination="https://example.com", cron="0 0 1 1 *", schedule_id=name)
    replaced = await sdk.schedule.get(name)
    assert (replaced.cron, replaced.body) == ("0 0 1 1 *", None)
    await sdk.schedule.delete(made)
    await sdk.schedule.delete(name)


async def test_redacted_schedule_shows_digests(sdk: EitherClient) -> None:
    """As with messages."""
    made = await sdk.schedule.create(
        destination="https://example.com",
        cron="1 1 1 1 1",
        body="hidden",
        headers={"X-A": "hidden"},
        redact={"body": True, "header": True},
    )
    schedule = await sdk.schedule.get(made)
    assert schedule.body.startswith("REDACTED:")
    assert schedule.headers["X-A"][0].startswith("REDACTED:")
    await sdk.schedule.delete(made)


@pytest.mark.parametrize(
    "options",
    [
        {"destination": "https://example.com", "cron": "nonsense"},
        {"destination": "https://example.com", "cron": "* * * * *", "schedule_id": "a b"},
        {"destination": "a:b", "cron": "* * * * *"},
    ],
)
async def test_bad_schedules_are_errors(sdk: EitherClient, options: dict[str, Any]) -> None:
    """400 at creation."""
    with pytest.raises(QStashError, match="400"):
        await sdk.schedule.create(**options)


@pytest.mark.parametrize("method", ["get", "delete", "pause", "resume"])
async def test_unknown_schedule_is_an_error(sdk: EitherClient, method: str) -> None:
    """404 for everything."""
    with pytest.raises(QStashError, match="404"):
        await getattr(sdk.schedule, method)("scd_none")
