"""The server as users start it: a process of its own over a folder."""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.vector_rest.local_vector import LocalVector

pytestmark = pytest.mark.e2e
ROOT = str(Path(__file__).resolve().parents[4])
MODEL = "def embed(texts):\n    return [[float(len(text)), 1.0, float(text.count('a'))] for text in texts]\n"


def refused(folder: Path, *options: str, cwd: Path | None = None) -> str:
    command = [sys.executable, "-m", "baton_local.vector", "--port", "0", "--data", str(folder), *options]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=180, cwd=cwd, env={"PYTHONPATH": ROOT}
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def vectors(count: int, prefix: str = "") -> list[dict[str, Any]]:
    return [{"id": f"{prefix}{number}", "vector": [1, number], "metadata": {"n": number}} for number in range(count)]


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    with LocalVector(tmp_path, "--dimension", "2") as server:
        server.result("/upsert", [{"id": "a", "vector": [0.1, 0.2], "metadata": {"k": "é"}, "data": "text"}])
        server.result("/upsert/ns", vectors(10))
        server.result("/upsert/gone", vectors(1))
        server.result("/delete/ns", {"filter": "n < 5"})
        server.result("/delete-namespace/gone")
        everything = {"includeVectors": True, "includeMetadata": True, "includeData": True}
        reads = [("/fetch", {"ids": ["a"], **everything}), ("/query/ns", {"vector": [1, 0], "topK": 99, **everything})]
        before = [server.result("/info"), *(server.result(*read) for read in reads)]
        server.kill()
    with LocalVector(tmp_path, "--dimension", "2") as server:
        assert [server.result("/info"), *(server.result(*read) for read in reads)] == before


def test_kill_9_in_the_middle_of_writes_loses_no_answer(tmp_path: Path) -> None:
    """What was answered is there; what was not is there whole or not at all."""
    answered: list[int] = []
    with LocalVector(tmp_path, "--dimension", "2") as server:

        def write() -> None:
            with httpx.Client(base_url=server.url, headers=server.http.headers) as client:
                for batch in range(10_000):
                    try:
                        client.post("/upsert", json=vectors(3, f"{batch}-")).raise_for_status()
                    except httpx.TransportError:
                        return
                    answered.append(batch)

        writer = threading.Thread(target=write)
        writer.start()
        while len(answered) < 20:
            assert writer.is_alive()
        server.kill()
        writer.join(20)
    with LocalVector(tmp_path, "--dimension", "2") as server:
        ids = [f"{batch}-{number}" for batch in answered for number in range(3)]
        assert None not in server.result("/fetch", {"ids": ids})
        assert server.result("/info")["vectorCount"] in {len(ids), len(ids) + 3}


def test_a_used_port_and_a_used_folder_are_clear_errors(tmp_path: Path) -> None:
    with LocalVector(tmp_path / "a") as first:
        port = first.url.rpartition(":")[2]
        assert "choose another port with --port" in refused(tmp_path / "b", "--port", port)
        assert "choose another --data" in refused(tmp_path / "a")


def test_a_folder_of_another_shape_is_a_clear_error(tmp_path: Path) -> None:
    with LocalVector(tmp_path, "--dimension", "2") as server:
        server.result("/upsert", vectors(1))
        assert server.stop() == (0, "")
        assert not (tmp_path / "index.db-wal").exists()
    assert "dimension 2, embedder BATON_HASH_2, not of dimension 384" in refused(tmp_path)


def test_a_model_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "my_model.py").write_text(MODEL)
    with LocalVector(tmp_path / "data", "--embedder", "my_model:embed", cwd=tmp_path) as server:
        info = server.result("/info")
        assert (info["dimension"], info["denseIndex"]["embeddingModel"]) == (3, "my_model:embed")
        server.result("/upsert-data", [{"id": "long", "data": "x" * 50}, {"id": "short", "data": "banana"}])
        assert server.result("/query-data", {"data": "panama", "topK": 1})[0]["id"] == "short"
        (record,) = server.result("/fetch", {"ids": ["short"], "includeVectors": True})
        assert record["vector"] == [6, 1, 3]
    shown = refused(tmp_path / "other", "--embedder", "my_model:embed")
    assert "cannot load the embedder my_model:embed: ModuleNotFoundError" in shown
    shown = refused(tmp_path / "other", "--embedder", "my_model:embed", "--dimension", "5", cwd=tmp_path)
    assert "makes vectors of dimension 3, not 5" in shown
