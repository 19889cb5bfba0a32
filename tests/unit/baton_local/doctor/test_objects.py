"""The doctor writes an object of its own, reads it, and leaves nothing."""

from pathlib import Path

import pytest

from baton.settings.settings import read_settings
from baton.store.objects import Objects, objects_of
from baton_events.errors import ObjectStoreError
from baton_local.doctor.finding import Level
from baton_local.doctor.store import check_objects


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_store_of_use_is_well_and_left_as_it_was(tmp_path: Path) -> None:
    new, old = f"file://{tmp_path}/new", f"file://{tmp_path}/old"
    settings = read_settings({"OBJECT_STORE_URL": f"{new},{old}", "WORKER_BASE_URL": "http://127.0.0.1:1"})
    found = await check_objects(objects_of(settings), settings, "trial")
    assert [(one.level, one.text) for one in found] == [
        (Level.OK, f"{new} takes, gives and deletes objects"),
        (Level.OK, f"older ones are read from {old}"),
    ]
    assert files_in(tmp_path) == []


async def test_a_folder_of_a_deployment_is_a_warning(tmp_path: Path) -> None:
    given = {"OBJECT_STORE_URL": f"file://{tmp_path}/objects", "WORKER_BASE_URL": "https://example.com"}
    settings = read_settings(given)
    _, warned = await check_objects(objects_of(settings), settings, "trial")
    assert (warned.level, "must outlive them" in warned.way_out) == (Level.WARNING, True)


async def test_one_that_refuses_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(_self: Objects, _place: str, _tenant: str, _data: bytes) -> str:
        raise ObjectStoreError("the object store does not answer: PermissionDeniedError")

    monkeypatch.setattr(Objects, "put", refused)
    settings = read_settings({"OBJECT_STORE_URL": f"file://{tmp_path}/objects"})
    (found,) = await check_objects(objects_of(settings), settings, "trial")
    assert (found.level, "read, write, list and delete" in found.way_out) == (Level.FAILED, True)


async def test_without_a_store_nothing_is_said() -> None:
    settings = read_settings({})
    assert await check_objects(objects_of(settings), settings, "trial") == []
