"""The port of large payloads, over a folder, a stand-in for S3, and the simulation's memory."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest

from baton.settings.settings import read_settings
from baton.store.objects import CHUNK_BYTES, HEAD_BYTES, Objects, frame_bytes
from baton.store.records.objects import job_place, session_place
from baton.testing.store import SimulatedObjects
from baton_events.errors import ObjectStoreError, PayloadGoneError, UnreadablePayloadError
from baton_events.sealing import sealing_of
from tests.contract.objects.s3 import Bucket, clock, s3

PLACE, OTHER = job_place("t", "job_a"), job_place("t", "job_b")
NAME = sha256(b"abc").hexdigest()
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
    assert not await objects.has(str(await objects.ref(PLACE, data)))
    ref = await objects.put(PLACE, "t", data)
    assert await objects.has(ref)
    assert ref == f"0/{PLACE}/{sha256(data).hexdigest()}"
    assert await objects.get(ref) == data


async def test_a_second_write_changes_nothing(objects: Objects) -> None:
    ref = await objects.put(PLACE, "t", b"abc")
    assert await objects.put(PLACE, "t", b"abc") == ref
    assert await objects.get(ref) == b"abc"


async def test_a_span_is_read_without_the_rest(objects: Objects) -> None:
    ref = await objects.put(PLACE, "t", b"0123456789")
    spans = [(0, 3), (4, 10), (9, 10)]
    assert [b"".join([one async for one in objects.chunks(ref, *span)]) for span in spans] == [b"012", b"456789", b"9"]


async def test_an_empty_object_is_one(objects: Objects) -> None:
    assert await objects.get(await objects.put(PLACE, "t", b"")) == b""


async def test_what_is_not_there_is_gone(objects: Objects) -> None:
    with pytest.raises(PayloadGoneError, match=NAME):
        await objects.get(f"0/{PLACE}/{NAME}")
    with pytest.raises(PayloadGoneError, match=NAME):
        await objects.copy(f"0/{PLACE}/{NAME}", OTHER)


async def test_a_copy_outlives_its_source(objects: Objects) -> None:
    ref = await objects.put(PLACE, "t", b"abc")
    assert await objects.copy(ref, OTHER) == await objects.copy(ref, OTHER)
    assert await objects.delete_below(PLACE) == 1
    assert await objects.get(f"0/{OTHER}/{NAME}") == b"abc"
    assert await objects.delete_below(OTHER) == 1


async def test_all_below_a_place_is_deleted_and_nothing_beside_it(objects: Objects) -> None:
    many = [await objects.put(PLACE, "t", b"%d" % number) for number in range(3)]
    beside = await objects.put(session_place("t", "s"), "t", b"kept")
    assert [await objects.delete_below(PLACE), await objects.delete_below(PLACE)] == [3, 0]
    for ref in many:
        with pytest.raises(PayloadGoneError):
            await objects.get(ref)
    assert await objects.get(beside) == b"kept"


async def test_places_are_listed_whose_objects_are_old(objects: Objects) -> None:
    place = session_place("t", "s")
    await objects.put(place, "t", b"abc")
    await objects.put(PLACE, "t", b"abc")
    within = place.rpartition("/")[0]
    assert await objects.places(within, NOW_MS + HOUR_MS) == [place]
    assert await objects.tenants() == [PLACE.partition("/")[0]]


async def test_a_check_passes_where_nothing_is_written_yet(objects: Objects) -> None:
    assert not await objects.has()


async def test_young_places_are_left(tmp_path: Path) -> None:
    folder = Objects(read_settings({"OBJECT_STORE_URL": f"file://{tmp_path}/objects"}))
    await folder.put(session_place("t", "s"), "t", b"abc")
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
            await objects.put(PLACE, "t", b"abc")
    finally:
        kept.away = False
    assert "secret of s3" not in str(raised.value)
    assert len(str(raised.value)) < 500


async def test_old_refs_are_read_from_their_own_store(tmp_path: Path) -> None:
    old, new = f"file://{tmp_path}/old", f"file://{tmp_path}/new"
    before = await Objects(read_settings({"OBJECT_STORE_URL": old})).put(PLACE, "t", b"abc")
    both = Objects(read_settings({"OBJECT_STORE_URL": f"{new}, {old}"}))
    after = await both.put(PLACE, "t", b"abc")
    assert (before, after) == (f"0/{PLACE}/{NAME}", f"1/{PLACE}/{NAME}")
    assert [await both.get(before), await both.get(after)] == [b"abc", b"abc"]
    with pytest.raises(ObjectStoreError, match="add it again"):
        await Objects(read_settings({"OBJECT_STORE_URL": new})).get(after)


async def test_a_folder_is_empty_after_the_last_object(tmp_path: Path) -> None:
    folder = Objects(read_settings({"OBJECT_STORE_URL": f"file://{tmp_path}/objects"}))
    await folder.put(PLACE, "t", b"abc")
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


KEYS = {"PAYLOAD_KEYS": f"new:{'A' * 43}=,old:{'B' * 43}="}
LONG = bytes(range(256)) * 10_000


@pytest.fixture(params=["folder", "s3"])
def sealed(request: pytest.FixtureRequest, tmp_path: Path, bucket: tuple[str, Bucket]) -> Objects:
    if request.param == "folder":
        return Objects(read_settings({"OBJECT_STORE_URL": f"file://{tmp_path}/objects"} | KEYS))
    bucket[1].objects.clear()
    made = over_s3(bucket[0])
    made._sealing = sealing_of(KEYS["PAYLOAD_KEYS"], "")
    return made


async def test_a_sealed_object_is_read_whole_and_by_span(sealed: Objects) -> None:
    ref = await sealed.put(PLACE, "t", LONG)
    assert sha256(LONG).hexdigest() not in ref
    assert await sealed.put(PLACE, "t", LONG) == ref
    assert await sealed.get(ref) == LONG
    for start, end in [
        (0, None),
        (0, 10),
        (999_990, 1_000_010),
        (2_000_000, None),
        (1_500_000, 1_500_001),
        (0, 3_000_000),
    ]:
        assert b"".join([one async for one in sealed.chunks(ref, start, end)]) == LONG[start:end]
    assert await sealed.get(await sealed.put(PLACE, "t", b"")) == b""
    assert await sealed.get(await sealed.copy(ref, OTHER)) == LONG
    assert await sealed.signed_url(ref) is None


def over_folder(tmp_path: Path, keys: str = "") -> Objects:
    return Objects(read_settings({"OBJECT_STORE_URL": f"file://{tmp_path}/objects", "PAYLOAD_KEYS": keys}))


async def test_no_byte_of_a_sealed_object_is_plain_and_only_its_key_opens_it(tmp_path: Path) -> None:
    text = b"canary" * 400_000
    ref = await over_folder(tmp_path, KEYS["PAYLOAD_KEYS"]).put(PLACE, "t", text)
    [path] = (path for path in (tmp_path / "objects").rglob("*") if path.is_file())
    assert b"canary" not in path.read_bytes()
    assert path.stat().st_size < len(text) * 1.001
    first, second = KEYS["PAYLOAD_KEYS"].split(",")
    assert await over_folder(tmp_path, f"{second},{first}").get(ref) == text
    for other in (second, f"new:{'C' * 43}=", ""):
        with pytest.raises(UnreadablePayloadError):
            await over_folder(tmp_path, other).get(ref)


async def test_a_plain_object_of_before_is_read_as_it_is(tmp_path: Path) -> None:
    ref = await over_folder(tmp_path).put(PLACE, "t", LONG)
    later = over_folder(tmp_path, KEYS["PAYLOAD_KEYS"])
    assert await later.get(ref) == LONG
    assert b"".join([one async for one in later.chunks(ref, 5, 1_000_005)]) == LONG[5:1_000_005]


@pytest.mark.parametrize("how", ["cut", "moved", "turned", "other"])
async def test_no_frame_is_cut_off_or_moved(tmp_path: Path, how: str) -> None:
    objects = over_folder(tmp_path, KEYS["PAYLOAD_KEYS"])
    ref, other = await objects.put(PLACE, "t", LONG), await objects.put(OTHER, "t", LONG[1:])
    path, another = (tmp_path / "objects" / one.partition("/")[2] for one in (ref, other))
    data = path.read_bytes()
    frame = frame_bytes(data)
    first, second = HEAD_BYTES + frame, HEAD_BYTES + 2 * frame
    changed = {
        "cut": data[:second],
        "moved": data[:HEAD_BYTES] + data[first:second] + data[HEAD_BYTES:first] + data[second:],
        "turned": data[:-1] + bytes([data[-1] ^ 1]),
        "other": another.read_bytes(),
    }
    path.write_bytes(changed[how])
    with pytest.raises(UnreadablePayloadError):
        await objects.get(ref)


async def test_an_object_that_was_changed_counts_as_gone(tmp_path: Path) -> None:
    objects = over_folder(tmp_path)
    ref = await objects.put(PLACE, "t", LONG)
    path = tmp_path / "objects" / ref.partition("/")[2]
    path.write_bytes(LONG[1:])
    with pytest.raises(PayloadGoneError):
        await objects.get(ref)
