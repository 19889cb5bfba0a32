from pathlib import Path

import httpx

from baton_local.vector.server import running
from baton_local.vector.settings import Settings
from tests.unit.baton_local.vector.still import StillSurroundings


async def test_an_idle_resumable_query_ends_and_lag_is_forgotten_by_a_restart(tmp_path: Path) -> None:
    still = StillSurroundings()
    settings = Settings(tmp_path, token="t", dimension=2, index_delay_ms=5_000)
    headers = {"Authorization": "Bearer t"}
    async with running(settings, still) as server:
        transport = httpx.ASGITransport(app=server.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://vector", headers=headers) as client:
            await client.post("/upsert", json=[{"id": name, "vector": [1, 0]} for name in "abc"])
            assert (await client.post("/query", json={"vector": [1, 0]})).json() == {"result": []}
    async with running(settings, still) as server:
        transport = httpx.ASGITransport(app=server.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://vector", headers=headers) as client:
            begun = await client.post("/resumable-query", json={"vector": [1, 0], "topK": 1, "maxIdle": 10})
            uuid = begun.json()["result"]["uuid"]
            still.time_ms += 10_000
            following = {"uuid": uuid, "additionalK": 1}
            assert (await client.post("/resumable-query-next", json=following)).json()["result"][0]["id"] == "b"
            assert (await client.get("/admin/counters")).json()["open_resumable_queries"] == 1
            still.time_ms += 10_001
            assert (await client.post("/resumable-query-next", json=following)).status_code == 404
            assert (await client.get("/admin/counters")).json()["open_resumable_queries"] == 0


async def test_a_fault_of_the_server_is_one_answer_of_500(tmp_path: Path) -> None:
    class Broken(StillSurroundings):
        def chance(self) -> float:
            raise RuntimeError("no dice")

    async with running(Settings(tmp_path, token="t", dimension=2), Broken()) as server:
        transport = httpx.ASGITransport(app=server.app)
        headers = {"Authorization": "Bearer t"}
        async with httpx.AsyncClient(transport=transport, base_url="http://vector", headers=headers) as client:
            answer = await client.post("/random")
            assert answer.status_code == 500
            assert answer.json() == {"error": "internal error; see the server's log", "status": 500}
            assert (await client.post("/info")).status_code == 200
