import pytest

from tests.unit.baton_local.qstash.served import Served

URL = "https://example.com/hook"
FLOW = {"Upstash-Flow-Control-Key": "my/key", "Upstash-Flow-Control-Value": "rate=2, period=1h"}


async def test_flow_control_life_over_http(server: Served) -> None:
    """Visible at once after publish; keys may hold any character, encoded in the path."""
    for _ in range(3):
        await server.call("POST", f"/v2/publish/{URL}", headers=FLOW)
    await server.settle()
    key = "/v2/flowControl/my%2Fkey"
    shown = await server.call("GET", key)
    assert (shown["rateCount"], shown["waitListSize"], shown["isPaused"]) == (2, 1, False)
    await server.call("POST", f"{key}/pause")
    await server.call("POST", f"{key}/resetRate")
    await server.settle()
    assert len(server.sent) == 2
    await server.call("POST", f"{key}/resume")
    await server.settle()
    assert len(server.sent) == 3
    await server.call("POST", f"{key}/pin?parallelism=4&rate=5&period=60")
    await server.call("POST", f"{key}/unpin?rate=true")
    await server.call("POST", f"{key}/reset")
    shown = await server.call("GET", key)
    assert (shown["parallelismMax"], shown["isPinnedParallelism"], shown["isPinnedRate"]) == (4, True, False)
    assert len(await server.call("GET", "/v2/flowControl?search=key")) == 1
    assert await server.call("GET", "/v2/flowControl?search=none") == []
    assert await server.call("GET", "/v2/globalParallelism") == {"parallelismMax": 512, "parallelismCount": 0}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/k/pin", 400),
        ("/k/pin?parallelism=0", 400),
        ("/k/pin?rate=x", 400),
        ("/k/pin?period=9d", 400),
        ("/k/unpin?rate=maybe", 400),
        ("/k/resume", 404),
        ("/k/resetRate", 404),
        ("/k/explode", 404),
    ],
)
async def test_bad_flow_control_calls_are_refused(server: Served, path: str, code: int) -> None:
    """Each with its status."""
    assert (await server.client.post(f"/v2/flowControl{path}")).status_code == code


async def test_unknown_key_is_404(server: Served) -> None:
    """Never seen, never pinned."""
    assert (await server.client.get("/v2/flowControl/none")).status_code == 404
