import pytest
from qstash.errors import QStashError

from tests.contract.qstash.destination import Destination
from tests.contract.qstash.either_client import EitherClient


async def test_key_is_visible_at_once(sdk: EitherClient, destination: Destination, name: str) -> None:
    """Numbers and real booleans, right after publish."""
    await sdk.message.publish(url=destination.url(f"/{name}"), flow_control={"key": name, "rate": 3, "period": 60})
    key = await sdk.flow_control.get(name)
    assert (key.key, key.rate_max, key.rate_period, key.rate_count, key.wait_list_size) == (name, 3, 60, 1, 0)
    assert (key.is_paused, key.is_pinned_parallelism, key.is_pinned_rate) == (False, False, False)
    assert key.rate_period_start > 1_700_000_000


async def test_pause_and_resume(sdk: EitherClient, destination: Destination, name: str) -> None:
    """Paused messages wait in the list."""
    await sdk.flow_control.pause(name)
    await sdk.message.publish(url=destination.url(f"/{name}"), flow_control={"key": name, "parallelism": 5})
    key = await sdk.flow_control.get(name)
    assert (key.is_paused, key.wait_list_size) == (True, 1)
    assert not destination.at(f"/{name}")
    await sdk.flow_control.resume(name)
    destination.wait(f"/{name}")
    assert (await sdk.flow_control.get(name)).is_paused is False


async def test_pin_and_unpin(sdk: EitherClient, destination: Destination, name: str) -> None:
    """Pinned values override messages until unpinned."""
    await sdk.flow_control.pin(name, {"parallelism": 4, "rate": 6, "period": 30})
    await sdk.message.publish(url=destination.url(f"/{name}"), flow_control={"key": name, "parallelism": 9, "rate": 9})
    key = await sdk.flow_control.get(name)
    assert (key.parallelism_max, key.rate_max, key.rate_period) == (4, 6, 30)
    assert (key.is_pinned_parallelism, key.is_pinned_rate) == (True, True)
    await sdk.flow_control.unpin(name, {"parallelism": True})
    await sdk.message.publish(url=destination.url(f"/{name}"), flow_control={"key": name, "parallelism": 9, "rate": 9})
    key = await sdk.flow_control.get(name)
    assert (key.parallelism_max, key.rate_max) == (9, 6)
    assert (key.is_pinned_parallelism, key.is_pinned_rate) == (False, True)


async def test_reset_rate(sdk: EitherClient, destination: Destination, name: str) -> None:
    """What waits for the window goes on."""
    for _ in range(2):
        await sdk.message.publish(
            url=destination.url(f"/{name}"), flow_control={"key": name, "rate": 1, "period": "1h"}
        )
    assert (await sdk.flow_control.get(name)).wait_list_size == 1
    await sdk.flow_control.reset_rate(name)
    destination.wait(f"/{name}", 2)


async def test_global_parallelism(sdk: EitherClient) -> None:
    """Two whole numbers."""
    info = await sdk.flow_control.get_global_parallelism()
    assert info.parallelism_max > 0
    assert info.parallelism_count >= 0


async def test_unknown_keys_and_bad_values_are_errors(sdk: EitherClient, name: str) -> None:
    """404 and 400 as the SDK reports them."""
    for method in ("get", "resume", "reset_rate"):
        with pytest.raises(QStashError, match="404"):
            await getattr(sdk.flow_control, method)(name)
    with pytest.raises(QStashError, match="404"):
        await sdk.flow_control.unpin(name, {"rate": True})
    with pytest.raises(QStashError, match="400"):
        await sdk.flow_control.pin(name, {"parallelism": 0})
    with pytest.raises(QStashError, match="400"):
        await sdk.flow_control.pin(name, {})
