from pathlib import Path

from tests.unit.baton_local.qstash.served import serving

PUBLISH = "/v2/publish/https://h/"


async def test_calls_per_second_are_bound_but_publishing_is_not(tmp_path: Path) -> None:
    async with serving(tmp_path, settings={"max_calls_per_second": 2}) as server:
        for _ in range(5):
            await server.call("POST", PUBLISH)
        for _ in range(2):
            await server.call("GET", "/v2/dlq")
        server.clock.advance(999)
        refused = await server.client.get("/v2/dlq")
        assert refused.status_code == 429
        limits = {name: value for name, value in refused.headers.items() if name.startswith("burst-ratelimit")}
        start = {"burst-ratelimit-limit": "2", "burst-ratelimit-remaining": "0", "burst-ratelimit-reset": "1700000001"}
        assert limits == start
        server.clock.advance(1)
        await server.call("GET", "/v2/dlq")


async def test_messages_per_day_are_bound(tmp_path: Path) -> None:
    """Duplicates, which are not stored, do not count."""
    async with serving(tmp_path, settings={"max_messages_per_day": 3}) as server:
        for number in (1, 1, 2, 3):
            await server.call("POST", PUBLISH, headers={"Upstash-Deduplication-Id": str(number)})
        refused = await server.client.post(PUBLISH)
        assert refused.status_code == 429
        assert {"ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"} <= refused.headers.keys()
        await server.call("GET", "/v2/dlq")
        server.clock.advance(86_400_000)
        await server.call("POST", PUBLISH)
