from collections.abc import Awaitable, Callable
from typing import Any

from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient

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
