"""A file that is an object is sealed by the object store alone."""

from pathlib import Path
from typing import Any

import pytest

from baton_events.sealing import PayloadContext, Sealing
from tests.unit.baton.kit.stage import Stage
from tests.unit.baton.server.api.client import with_keys
from tests.unit.baton.whole.test_sealed import K1, stage_of


def made(tmp_path: Path) -> Stage:
    settings = with_keys(object_store_url=f"file://{tmp_path}/objects", payload_keys=K1)
    return stage_of(K1, settings=settings)


async def test_a_large_file_is_sealed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seal, kinds = Sealing.seal, list[str]()

    def counted(self: Sealing, text: str, context: PayloadContext) -> Any:
        kinds.append(context.kind)
        return seal(self, text, context)

    monkeypatch.setattr(Sealing, "seal", counted)
    chats = made(tmp_path).ports.chats
    for name, text in (("large", "image/png," + "A" * 100_000), ("small", "image/png,AAAA")):
        await chats.keep_file("acme", "s", name, text, 1)
        assert await chats.read_file("acme", "s", name) == text
    assert kinds == ["file"]
    [path] = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert b"AAAA" not in path.read_bytes()
