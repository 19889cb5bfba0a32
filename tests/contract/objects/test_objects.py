"""The port of large payloads, over a folder, a stand-in for S3, and the simulation's memory."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from baton.settings.settings import read_settings
from baton.store.objects import CHUNK_BYTES, Objects
from baton.store.records.objects import job_place, session_place
from baton.testing.objects import SimulatedObjects
from baton_events.errors import ObjectStoreError, PayloadGoneError
from tests.contract.objects.s3 import Bucket, clock, s3

PLACE, OTHER = job_place("t", "job_a"), job_place("t", "job_b")
NAME = "0" * 64
NOW_MS, HOUR_MS = clock.now_ms(), 3_600_000


class _World:
    async def point(self, what: str) -> None:
        """Go on."""


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[str, Bucket]]:
    with s3() as served:
        yield served


def over_s3(url: str, **more: Any) -> Objects:
    options = {"endpoint": url, "region": "eu-central-1", "access_key_id": "key", "allow_http": True}
    options |= {"secret_access_key": "secret of s3"} | more
    return Objects(
        read_settings({"OBJECT_STORE_URL": "s3://bucket/some/where", "OBJECT_STORE_OPTIONS": json.dumps(options)})
    )


@pytest.fixture(params=["folder", "s3", "memory"])
def objects(request: pytest.FixtureRequest, tmp_path: Path, bucket: tuple[str, Bucket]) -> Objects:
    if request.param == "folder":
        return Objects(read_settings({"OBJECT_STORE_URL": f"file://{tmp_path}/objects"}))
    if request.param == "s3":
        bucket[1].objects.clear()
        return over_s3(bucket[0])
    return SimulatedObjects(cast("Any", _World()), {})


async def test_an_object_is_there_whole_once_it_is_written(objects: Objects) -> None:
    data = b"abc" * CHUNK_BYTES
    ref = await objects.put(PLACE, NAME, data)
    assert ref == f"0/{PLACE}/{NAME}"
    assert await objects.get(ref) == data


async def test_a_second_write_changes_nothing(objects: Objects) -> None:
    ref = await objects.put(PLACE, NAME, b"first")
    assert await objects.put(PLACE, NAME, b"second") == ref
    assert await objects.get(ref) == b"first"


async def test_a_span_is_read_without_the_rest(objects: Objects) -> None:
    ref = await objects.put(PLACE, NAME, b"0123456789")
    spans = [(0, 3), (4, 10), (9, 10)]
    assert [b"".join([one async for one in objects.chunks(ref, *span)]) for span in spans] == [b"012", b"456789", b"9"]


async def test_an_empty_object_is_one(objects: Objects) -> None:
    assert await objects.get(await objects.put(PLACE, NAME, b"")) == b""


async def test_what_is_not_there_is_gone(objects: Objects) -> None:
    with pytest.raises(PayloadGoneError, match=NAME):
        await objects.get(f"0/{PLACE}/{NAME}")
    with pytest.raises(PayloadGoneError, match=NAME):
        await objects.copy(f"0/{PLACE}/{NAME}", OTHER)


async def test_a_copy_outlives_its_source(objects: Objects) -> None:
    ref = await objects.put(PLACE, NAME, b"abc")
    assert await objects.copy(ref, OTHER) == await objects.copy(ref, OTHER)
    assert await objects.delete_below(PLACE) == 1
    assert await objects.get(f"0/{OTHER}/{NAME}") == b"abc"
    assert await objects.delete_below(OTHER) == 1


async def test_all_below_a_place_is_deleted_and_nothing_beside_it(objects: Objects) -> None:
    many = [await objects.put(PLACE, f"{number:064x}", b"abc") for number in range(3)]
    beside = await objects.put(session_place("t", "s"), NAME, b"kept")
    assert [await objects.delete_below(PLACE), await objects.delete_below(PLACE)] == [3, 0]
    for ref in many:
        with pytest.raises(PayloadGoneError):
            await objects.get(ref)
    assert await objects.get(beside) == b"kept"


async def test_places_are_listed_whose_objects_are_old(objects: Objects) -> None:
    place = session_place("t", "s")
    await objects.put(place, NAME, b"abc")
    await objects.put(PLACE, NAME, b"abc")
    within = place.rpartition("/")[0]
    assert await objects.places(within, NOW_MS + HOUR_MS) == [place]
    assert await objects.tenants() == [PLACE.partition("/")[0]]


async def test_a_check_passes_where_nothing_is_written_yet(objects: Objects) -> None:
    await objects.check()


async def test_young_places_are_left(tmp_path: Path) -> None:
    folder = Objects(read_settings({"OBJECT_STORE_URL": f"file://{tmp_path}/objects"}))
    await folder.put(session_place("t", "s"), NAME, b"abc")
    within = session_place("t", "s").rpartition("/")[0]
    assert await folder.places(within, NOW_MS - HOUR_MS) == []


async def test_more_than_a_page_is_deleted_in_few_requests(bucket: tuple[str, Bucket]) -> None:
    url, kept = bucket
    kept.objects = {
        f"bucket/some/where/{PLACE}/{number:064x}": (b"x", datetime.fromtimestamp(NOW_MS / 1000, UTC))
        for number in range(1_200)
    }
    kept.requests.clear()
    assert await over_s3(url).delete_below(PLACE) == 1_200
    assert (kept.objects, len(kept.requests) <= 5) == ({}, True)


async def test_a_store_that_is_away_is_an_error_without_secrets(bucket: tuple[str, Bucket]) -> None:
    url, kept = bucket
    objects = over_s3(url)
    objects._retries = {"max_retries": 0}
    kept.away = True
    try:
        with pytest.raises(ObjectStoreError, match="does not answer") as raised:
            await objects.put(PLACE, NAME, b"abc")
    finally:
        kept.away = False
    assert "secret of s3" not in str(raised.value)
    assert len(str(raised.value)) < 500


async def test_old_refs_are_read_from_their_own_store(tmp_path: Path) -> None:
    old, new = f"file://{tmp_path}/old", f"file://{tmp_path}/new"
    before = await Objects(read_settings({"OBJECT_STORE_URL": old})).put(PLACE, NAME, b"old")
    both = Objects(read_settings({"OBJECT_STORE_URL": f"{new}, {old}"}))
    after = await both.put(PLACE, NAME, b"new")
    assert (before, after) == (f"0/{PLACE}/{NAME}", f"1/{PLACE}/{NAME}")
    assert [await both.get(before), await both.get(after)] == [b"old", b"new"]
    with pytest.raises(ObjectStoreError, match="add it again"):
        await Objects(read_settings({"OBJECT_STORE_URL": new})).get(after)


async def test_a_folder_is_empty_after_the_last_object(tmp_path: Path) -> None:
    folder = Objects(read_settings({"OBJECT_STORE_URL": f"file://{tmp_path}/objects"}))
    await folder.put(PLACE, NAME, b"abc")
    await folder.delete_below(PLACE)
    assert list((tmp_path / "objects").iterdir()) == []


async def test_s3_signs_an_address_and_a_folder_does_not(bucket: tuple[str, Bucket], tmp_path: Path) -> None:
    ref = f"0/{PLACE}/{NAME}"
    signed = await over_s3(bucket[0]).signed_url(ref)
    assert signed is not None
    assert signed.startswith(f"{bucket[0]}/bucket/some/where/{PLACE}/{NAME}?X-Amz-Algorithm=")
    assert "X-Amz-Expires=600" in signed
    folder = Objects(read_settings({"OBJECT_STORE_URL": f"file://{tmp_path}/objects"}))
    assert await folder.signed_url(ref) is None
