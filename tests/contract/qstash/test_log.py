from base64 import b64encode
from typing import Any

import pytest
from qstash.errors import QStashError
from qstash.log import LogState

from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient


async def states_of(sdk: EitherClient, **filters: Any) -> list[str]:
    """States of the logs that fit, newest first."""
    return [log.state.value for log in (await sdk.log.list(filter=filters)).logs]


async def test_delivered_message_has_three_logs(
    sdk: EitherClient, destination: Destination, name: str, eventually: Any
) -> None:
    """Newest first, exactly one DELIVERED, all data on each."""
    flow_control = {"key": name, "rate": 5}
    answer = await sdk.message.publish(
        url=destination.url(f"/{name}"), body="x", label=name, retry_delay="1000", flow_control=flow_control, timeout=7
    )

    async def all_logs() -> Any:
        logs = (await sdk.log.list(filter={"message_id": answer.message_id})).logs
        return logs if len(logs) == 3 else None

    logs = await eventually(all_logs)
    assert [log.state for log in logs] == [LogState.DELIVERED, LogState.ACTIVE, LogState.CREATED]
    for log in logs:
        assert (log.label, log.retry_delay_expression, log.url) == (name, "1000", destination.url(f"/{name}"))
        assert (log.flow_control.key, log.flow_control.rate, log.flow_control.period) == (name, 5, 1)
        assert (log.body_base64, log.method, log.max_retries) == (b64encode(b"x").decode(), "POST", 3)
        assert log.timeout == 7_000
    assert logs[0].response_status == 200
    assert logs[0].response_body == b64encode(b"ok").decode()
    assert logs[0].response_headers["Content-Length"] == ["2"]


async def test_failed_message_tells_why(
    sdk: EitherClient, destination: Destination, name: str, eventually: Any
) -> None:
    """ERROR carries the response, RETRY the next time."""
    destination.reply(f"/{name}", 503, b"busy")
    answer = await sdk.message.publish(url=destination.url(f"/{name}"), retries=1, retry_delay="10")

    async def failed() -> Any:
        return "FAILED" in await states_of(sdk, message_id=answer.message_id)

    await eventually(failed)
    logs = (await sdk.log.list(filter={"message_id": answer.message_id})).logs
    assert [log.state.value for log in logs] == ["FAILED", "ERROR", "ACTIVE", "RETRY", "ERROR", "ACTIVE", "CREATED"]
    assert (logs[1].response_status, logs[1].error) == (503, "the destination answered 503")
    assert logs[3].next_delivery_time == logs[3].time + 10
    assert logs[0].next_delivery_time is None


async def test_logs_are_filtered_and_paged(
    sdk: EitherClient, destination: Destination, name: str, eventually: Any
) -> None:
    """Every filter of the SDK; pages do not overlap and end without a cursor."""
    await sdk.url_group.upsert_endpoints(name, [{"url": destination.url(f"/{name}/1"), "name": "one"}])
    grouped = (await sdk.message.publish(url_group=name, label=f"{name}-a"))[0]
    queued = await sdk.message.enqueue(queue=name, url=destination.url(f"/{name}/2"), label=f"{name}-b")

    async def both_delivered() -> bool:
        found = await states_of(sdk, message_ids=[grouped.message_id, queued.message_id])
        return found.count("DELIVERED") == 2

    await eventually(both_delivered)
    life = ["DELIVERED", "ACTIVE", "CREATED"]
    assert await states_of(sdk, label=f"{name}-a") == life
    assert await states_of(sdk, url_group=name) == life
    assert await states_of(sdk, queue=name) == life
    assert await states_of(sdk, url=destination.url(f"/{name}/2")) == life
    assert await states_of(sdk, queue=name, state=LogState.IN_PROGRESS) == ["ACTIVE"]
    assert await states_of(sdk, schedule_id="none") == []
    created = (await sdk.log.list(filter={"queue": name, "state": LogState.CREATED})).logs[0].time
    assert "CREATED" in await states_of(sdk, queue=name, from_time=created, to_time=created)
    assert await states_of(sdk, queue=name, to_time=created - 1) == []
    pages, cursor = [], None
    while True:
        page = await sdk.log.list(count=4, cursor=cursor, filter={"label": f"{name}-a,{name}-b"})
        pages.append(len(page.logs))
        cursor = page.cursor
        if cursor is None:
            break
    assert pages == [4, 2]


async def test_cancelled_state_is_one_the_sdk_knows(sdk: EitherClient, name: str) -> None:
    """CANCELED with one L."""
    answer = await sdk.message.publish(url="https://example.com", delay="1h", label=name)
    await sdk.message.cancel(answer.message_id)
    assert await states_of(sdk, label=name) == ["CANCELED", "CANCEL_REQUESTED", "CREATED"]
    assert await states_of(sdk, label=name, state=LogState.CANCELED) == ["CANCELED"]


async def test_bad_filters_are_errors(sdk: EitherClient) -> None:
    """Numbers and cursors are checked."""
    with pytest.raises(QStashError, match="400"):
        await sdk.log.list(count=0)
    with pytest.raises(QStashError, match="400"):
        await sdk.log.list(cursor="garbage")
