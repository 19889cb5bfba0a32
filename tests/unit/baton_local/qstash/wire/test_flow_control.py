import pytest

from tests.unit.baton_local.qstash.served import Served


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
    assert (await server.client.post(f"/v2/flowControl{path}")).status_code == code
