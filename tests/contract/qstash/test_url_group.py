import pytest
from qstash.errors import QStashError

from tests.contract.qstash.either_client import EitherClient


async def test_endpoints_come_and_go(sdk: EitherClient, name: str) -> None:
    """Upsert, get, list, remove by URL and by name; the group goes with the last endpoint."""
    await sdk.url_group.delete(name)
    await sdk.url_group.upsert_endpoints(name, [{"url": "https://a/"}, {"url": "https://b/", "name": "b"}])
    await sdk.url_group.upsert_endpoints(name, [{"url": "https://new-b/", "name": "b"}])
    group = await sdk.url_group.get(name)
    assert group.name == name
    assert [(each.url, each.name) for each in group.endpoints] == [("https://a/", None), ("https://new-b/", "b")]
    assert group.created_at <= group.updated_at
    assert name in [each.name for each in await sdk.url_group.list()]
    await sdk.url_group.remove_endpoints(name, [{"name": "b"}])
    assert [each.url for each in (await sdk.url_group.get(name)).endpoints] == ["https://a/"]
    await sdk.url_group.remove_endpoints(name, [{"url": "https://a/"}])
    with pytest.raises(QStashError, match="404"):
        await sdk.url_group.get(name)


async def test_delete_is_fine_with_missing_groups(sdk: EitherClient, name: str) -> None:
    """Twice in a row."""
    await sdk.url_group.upsert_endpoints(name, [{"url": "https://a/"}])
    await sdk.url_group.delete(name)
    await sdk.url_group.delete(name)
    assert name not in [each.name for each in await sdk.url_group.list()]


async def test_bad_groups_are_errors(sdk: EitherClient, name: str) -> None:
    """Names and URLs are checked; removing from nothing is 404."""
    with pytest.raises(QStashError, match="400"):
        await sdk.url_group.upsert_endpoints("a:b", [{"url": "https://a/"}])
    with pytest.raises(QStashError, match="400"):
        await sdk.url_group.upsert_endpoints(name, [{"url": "nowhere"}])
    with pytest.raises(QStashError, match="404"):
        await sdk.url_group.remove_endpoints(name, [{"url": "https://a/"}])
