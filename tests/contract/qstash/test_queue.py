import pytest
from qstash.errors import QStashError

from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient


async def test_queue_life(sdk: EitherClient, destination: Destination, name: str) -> None:
    """Upsert, get, list, pause, resume, delete."""
    await sdk.queue.upsert(name, parallelism=2)
    queue = await sdk.queue.get(name)
    assert (queue.name, queue.parallelism, queue.lag, queue.paused) == (name, 2, 0, False)
    assert queue.created_at <= queue.updated_at
    assert name in [each.name for each in await sdk.queue.list()]
    await sdk.queue.pause(name)
    await sdk.message.enqueue(queue=name, url=destination.url(f"/{name}"))
    queue = await sdk.queue.get(name)
    assert (queue.paused, queue.lag) == (True, 1)
    assert not destination.at(f"/{name}")
    await sdk.queue.resume(name)
    destination.wait(f"/{name}")
    await sdk.queue.delete(name)
    with pytest.raises(QStashError, match="404"):
        await sdk.queue.get(name)


async def test_upsert_pauses_and_un_pauses(sdk: EitherClient, name: str) -> None:
    """The SDK always sends all settings."""
    await sdk.queue.upsert(name, paused=True)
    assert (await sdk.queue.get(name)).paused is True
    await sdk.queue.upsert(name)
    assert (await sdk.queue.get(name)).paused is False


async def test_bad_queues_are_errors(sdk: EitherClient) -> None:
    """Bad names and numbers are 400, unknown queues 404; deleting an unknown one is fine."""
    with pytest.raises(QStashError, match="400"):
        await sdk.queue.upsert("a b")
    with pytest.raises(QStashError, match="400"):
        await sdk.queue.upsert("q", parallelism=0)
    for method in ("pause", "resume", "get"):
        with pytest.raises(QStashError, match="404"):
            await getattr(sdk.queue, method)("unknown")
    await sdk.queue.delete("unknown")
