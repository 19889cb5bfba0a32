from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from qstash.errors import QStashError

from baton_local.qstash.settings import DEVELOPMENT_USERS
from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient
from tests.unit.baton_local.qstash.server_process import ServerProcess

Eventually = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


async def dead_letters(
    sdk: EitherClient, destination: Destination, name: str, eventually: Eventually, count: int = 1
) -> list[Any]:
    """The entries of messages that failed for good, newest first."""
    destination.reply(f"/{name}", 500, b"exact \xc3\xa9 text", X_Why="test")
    for number in range(count):
        await sdk.message.publish(
            url=destination.url(f"/{name}"),
            body=str(number),
            retries=0,
            label=name,
            flow_control={"key": name, "parallelism": 10},
            retry_delay="5",
        )

    async def all_failed() -> Any:
        found = (await sdk.dlq.list(filter={"label": name})).messages
        return found if len(found) == count else None

    entries: list[Any] = await eventually(all_failed)
    return entries


async def test_entry_has_message_and_response(
    sdk: EitherClient, destination: Destination, name: str, eventually: Eventually
) -> None:
    """The response body is the exact text; list and get show the same."""
    (entry,) = await dead_letters(sdk, destination, name, eventually)
    assert entry.response_status == 500
    assert entry.response_body == "exact é text"
    assert entry.response_headers["X-Why"] == ["test"]
    assert (entry.body, entry.label, entry.url, entry.max_retries) == ("0", name, destination.url(f"/{name}"), 0)
    assert (entry.flow_control.key, entry.flow_control.parallelism, entry.flow_control.period) == (name, 10, 1)
    assert entry.retry_delay_expression == "5"
    assert await sdk.dlq.get(entry.dlq_id) == entry


async def test_list_filters_and_pages(
    sdk: EitherClient, destination: Destination, name: str, eventually: Eventually
) -> None:
    """Every filter of the SDK."""
    entries = await dead_letters(sdk, destination, name, eventually, count=3)
    one = entries[0]

    async def count(**filters: Any) -> int:
        return len((await sdk.dlq.list(filter={"label": name, **filters})).messages)

    assert await count(message_id=one.message_id) == 1
    assert await count(url=one.url) == 3
    assert await count(response_status=500) == 3
    assert await count(response_status=404) == 0
    assert await count(queue="none") == 0
    assert await count(url_group="none") == 0
    assert await count(schedule_id="none") == 0
    assert await count(caller_ip="127.0.0.1") == 3
    assert await count(from_time=one.created_at + 60_000) == 0
    assert await count(to_time=entries[-1].created_at - 1) == 0
    first = await sdk.dlq.list(count=2, filter={"label": name})
    rest = await sdk.dlq.list(count=2, filter={"label": name}, cursor=first.cursor)
    assert [each.dlq_id for each in first.messages + rest.messages] == [each.dlq_id for each in entries]
    assert rest.cursor is None


async def test_delete_one_and_many(
    sdk: EitherClient, destination: Destination, name: str, eventually: Eventually
) -> None:
    """A second delete is an error, unknown ids in a list are not."""
    entries = await dead_letters(sdk, destination, name, eventually, count=3)
    await sdk.dlq.delete(entries[0].dlq_id)
    with pytest.raises(QStashError, match="404"):
        await sdk.dlq.delete(entries[0].dlq_id)
    with pytest.raises(QStashError, match="404"):
        await sdk.dlq.get(entries[0].dlq_id)
    assert await sdk.dlq.delete_many([each.dlq_id for each in entries]) == 2
    assert await sdk.dlq.delete_many([entries[0].dlq_id]) == 0
    assert await sdk.dlq.delete_many([]) == 0


async def test_retry_sends_it_again(
    sdk: EitherClient, destination: Destination, name: str, eventually: Eventually, server: ServerProcess
) -> None:
    """As the JS SDK does it (the Python one has no method): a new message with the same content."""
    (entry,) = await dead_letters(sdk, destination, name, eventually)
    destination.reply(f"/{name}", 200)
    headers = {"Authorization": f"Bearer {DEVELOPMENT_USERS[0].token}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
        response = await client.post(f"/v2/dlq/retry/{entry.dlq_id}")
        assert response.status_code == 201
        assert (await client.post(f"/v2/dlq/retry?label={name}")).json() == {"responses": []}
    again = destination.wait(f"/{name}", 2)[1]
    assert again.body == b"0"
    assert again.headers["upstash-message-id"] == response.json()["messageId"] != entry.message_id


async def test_unknown_entry_is_an_error(sdk: EitherClient) -> None:
    """404 as the SDK reports it."""
    with pytest.raises(QStashError, match="404"):
        await sdk.dlq.get("1-1")
